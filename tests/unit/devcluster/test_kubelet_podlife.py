"""What a pod needs next."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pods import Pod
from devcluster.kubelet.podlife import (
    CRASH_BACKOFF,
    ContainerState,
    Over,
    Pause,
    Running,
    Start,
    Terminated,
    Waiting,
    crash_pause,
    end_phase,
    held_back,
    last_run,
    next_steps,
    started,
)
from tests.support.podrig import bound_pod, container
from tests.support.tables import cases

A, B, INIT = container("a"), container("b"), container("init")
UP = ContainerState(Running(1.0))

phases = st.one_of(
    st.builds(Waiting, until=st.floats(0, 100)),
    st.builds(Running, st.floats(0, 100)),
    st.builds(Terminated, st.sampled_from([0, 1]), st.floats(0, 100), st.floats(0, 100)),
)
states = st.dictionaries(
    st.sampled_from(["a", "b", "init"]),
    st.builds(ContainerState, phases, restarts=st.integers(0, 9)),
)


def over(code: int = 0, at: float = 100.0) -> ContainerState:
    return ContainerState(Terminated(code, 1.0, at))


def steps(now: float = 100.0, *, policy: str = "Always", inits: Any = (), **found: Any) -> Any:
    pod = Pod(bound_pod(A, B, initContainers=list(inits), restartPolicy=policy))
    return next_steps(pod, found, now)


@pytest.mark.parametrize(
    ("found", "policy", "expected"),
    [
        ({}, "Always", [Start(A), Start(B)]),
        ({"a": UP, "b": UP}, "Always", []),
        ({"a": UP}, "Never", [Start(B)]),
        ({"a": over(0), "b": UP}, "Never", []),
        ({"a": over(0), "b": UP}, "Always", [Start(A)]),
        ({"a": over(1), "b": UP}, "OnFailure", [Start(A)]),
        ({"a": over(0), "b": UP}, "OnFailure", []),
        ({"a": over(0), "b": over(0)}, "Never", [Over("Succeeded")]),
        ({"a": over(0), "b": over(1)}, "Never", [Over("Failed")]),
        ({"a": over(0), "b": over(0)}, "OnFailure", [Over("Succeeded")]),
        ({"a": over(0), "b": over(1)}, "OnFailure", [Start(B)]),
    ],
)
def test_main_containers(found: Any, policy: str, expected: Any) -> None:
    assert steps(policy=policy, **found) == expected


@cases(
    ("state", "policy", "expected"),
    {
        "first": (None, "Always", [Start(INIT)]),
        "running": (UP, "Always", []),
        "done": (over(0), "Always", [Start(A), Start(B)]),
        "failed-for-good": (over(1), "Never", [Over("Failed")]),
        "again": (over(1), "Always", [Start(INIT)]),
        "again-on-failure": (over(1), "OnFailure", [Start(INIT)]),
    },
)
def test_init_containers_come_first(state: Any, policy: str, expected: Any) -> None:
    found = {} if state is None else {"init": state}
    assert steps(policy=policy, inits=[INIT], **found) == expected


@pytest.mark.parametrize(
    ("restarts", "seconds"), [(0, 0), (1, 10), (2, 20), (5, 160), (6, 300), (5000, 300)]
)
def test_pauses_between_crashes(restarts: int, seconds: float) -> None:
    assert crash_pause(restarts) == seconds


def test_a_crashed_container_waits_from_its_end_on() -> None:
    crashed = ContainerState(Terminated(1, 1.0, 95.0), restarts=1)
    assert steps(a=crashed, b=UP) == [Pause(A, 5.0)]
    assert steps(105.0, a=crashed, b=UP) == [Start(A)]


def test_a_container_that_is_held_back_waits_until_it_is_time() -> None:
    waiting = ContainerState(Waiting("CreateContainerError", until=103.0))
    assert steps(a=waiting, b=UP) == [Pause(A, 3.0)]
    assert steps(103.0, a=waiting, b=UP) == [Start(A)]


def test_a_run_follows_another() -> None:
    first = started(ContainerState(), 1.0)
    assert first == ContainerState(Running(1.0))
    end = Terminated(1, 1.0, 2.0)
    waiting = held_back(ContainerState(end), Waiting("CrashLoopBackOff"))
    assert waiting == ContainerState(Waiting("CrashLoopBackOff"), end, 0)
    assert started(waiting, 3.0) == ContainerState(Running(3.0), end, 1)
    assert last_run(started(waiting, 3.0)) == end


@cases(
    ("found", "phase"),
    {
        "fine": ({"a": over(0), "b": over(0)}, "Succeeded"),
        "terminated": ({"a": over(0), "b": over(143)}, "Failed"),
        "never-started": ({"a": over(0)}, "Failed"),
        "still-up": ({"a": over(0), "b": UP}, "Failed"),
    },
)
def test_how_a_stopped_pod_ended(found: Any, phase: str) -> None:
    assert end_phase(Pod(bound_pod(A, B)), found) == phase


@given(states, st.sampled_from(["Always", "OnFailure", "Never"]), st.floats(0, 1000))
def test_a_step_is_possible_and_a_pause_ends(found: Any, policy: str, now: float) -> None:
    pod = Pod(bound_pod(A, B, initContainers=[INIT], restartPolicy=policy))
    taken = next_steps(pod, found, now)
    assert len([s for s in taken if isinstance(s, Over)]) in (0, len(taken))
    for step in taken:
        if isinstance(step, Start):
            state = found.get(step.container["name"], ContainerState())
            assert not isinstance(state.current, Running)
        if isinstance(step, Pause):
            assert 0 < step.seconds <= CRASH_BACKOFF.longest + 100
