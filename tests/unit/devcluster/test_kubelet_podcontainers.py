"""The states of a pod's containers, as their processes begin and end."""

from pathlib import Path

import pytest

from devcluster.kubelet.podcontainers import PodContainers
from devcluster.kubelet.podlife import ContainerState, Running, Terminated, Waiting
from devcluster.kubelet.runtime import Launch
from testing.clock import Clock
from tests.support.podrig import FakeRuntime


class Pod:
    def __init__(self) -> None:
        self.clock = Clock(1000.0)
        self.runtime = FakeRuntime(self.clock)
        self.wakes = 0
        self.containers = PodContainers(self.runtime, self.wake, self.clock)

    def wake(self) -> None:
        self.wakes += 1

    def start(self, name: str, command: str = "run") -> object:
        launch = Launch([command], {}, Path("/work"), Path("/log"))
        return self.containers.start(name, launch)


@pytest.fixture
def pod() -> Pod:
    return Pod()


def test_a_started_container_runs(pod: Pod) -> None:
    assert not pod.containers.runs("main")
    assert pod.start("main") is None
    assert pod.containers.runs("main")
    assert pod.containers.running == ["main"]
    assert pod.containers.states == {"main": ContainerState(Running(1_000.0))}


def test_an_end_wakes_and_is_seen_when_it_is_collected(pod: Pod) -> None:
    pod.start("main")
    pod.clock.now = 1_005.0
    pod.runtime.started[0].end(7)
    assert pod.wakes == 1
    assert pod.containers.running == ["main"]
    pod.containers.collect()
    assert pod.containers.running == []
    ended = Terminated(7, 1_000.0, 1_005.0)
    assert pod.containers.states == {"main": ContainerState(ended)}


def test_runs_are_counted(pod: Pod) -> None:
    assert pod.containers.run_of("main") == 0
    for run in range(3):
        assert pod.containers.run_of("main") == run
        pod.start("main")
        pod.runtime.started[run].end(1)
        pod.containers.collect()
        pod.containers.hold_back("main", Waiting("CrashLoopBackOff"))
    state = pod.containers.states["main"]
    assert state.restarts == 2
    assert state.last == Terminated(1, 1_000.0, 1_000.0)


def test_a_container_that_was_held_back_has_not_run(pod: Pod) -> None:
    pod.containers.hold_back("main", Waiting("CreateContainerError"))
    assert pod.containers.run_of("main") == 0


def test_a_command_that_cannot_be_executed_counts_as_a_run(pod: Pod) -> None:
    for restarts in range(2):
        assert pod.start("main", "missing") is not None
        state = pod.containers.states["main"]
        assert isinstance(state.current, Terminated)
        assert (state.current.code, state.current.reason) == (128, "StartError")
        assert state.restarts == restarts
    assert pod.containers.running == []


def test_all_are_terminated_and_killed(pod: Pod) -> None:
    for name in ("a", "b"):
        pod.start(name)
    pod.runtime.started[1].obeys = False
    pod.containers.terminate()
    pod.containers.collect()
    assert pod.containers.running == ["b"]
    pod.containers.kill()
    pod.containers.collect()
    assert pod.containers.running == []
