"""The published status of a pod."""

from typing import Any

import pytest

from api.objects import JSON
from api.pods import Pod
from api.times import timestamp
from devcluster.kubelet.podlife import ContainerState, Running, Terminated, Waiting
from devcluster.kubelet.podstatus import changed, pod_status
from tests.support.podrig import bound_pod, container
from tests.support.tables import cases

NOW = 1_000_000.0
UP = ContainerState(Running(NOW))
DONE = ContainerState(Terminated(0, NOW - 5, NOW))
CRASHED = ContainerState(Terminated(1, NOW - 5, NOW))


def status_of(pod: JSON, states: Any, phase: str | None = None, now: float = NOW) -> JSON:
    return pod_status(Pod(pod), states, phase=phase, host_ip="10.0.0.1", pod_ip="10.0.0.2", now=now)


def conditions(status: JSON) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


def test_time_is_utc_to_the_second() -> None:
    assert timestamp(0.9) == "1970-01-01T00:00:00Z"


@cases(
    ("states", "phase"),
    {
        "new": ({}, "Pending"),
        "held-back": ({"a": ContainerState(Waiting("CreateContainerError"))}, "Pending"),
        "one-up": ({"a": UP}, "Running"),
        "crashed": ({"a": CRASHED}, "Running"),
        "backing-off": ({"a": ContainerState(Waiting(), last=Terminated(1, 1.0, 2.0))}, "Running"),
        "only-init": ({"init": DONE}, "Pending"),
    },
)
def test_phase_follows_from_the_containers(states: Any, phase: str) -> None:
    pod = bound_pod(container("a"), container("b"), initContainers=[container("init")])
    assert status_of(pod, states)["phase"] == phase


@cases(
    ("states", "initialized", "ready"),
    {
        "new": ({}, "False", "False"),
        "init-up": ({"init": UP}, "False", "False"),
        "init-failed": ({"init": CRASHED}, "False", "False"),
        "init-done": ({"init": DONE}, "True", "False"),
        "up": ({"init": DONE, "main": UP}, "True", "True"),
        "crashed": ({"init": DONE, "main": CRASHED}, "True", "False"),
    },
)
def test_conditions(states: Any, initialized: str, ready: str) -> None:
    status = status_of(bound_pod(initContainers=[container("init")]), states)
    assert conditions(status) == {
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": ready,
        "PodScheduled": "True",
    }


@pytest.mark.parametrize(
    ("phase", "reason"), [(None, "ContainersNotReady"), ("Succeeded", "PodCompleted")]
)
def test_a_condition_that_does_not_hold_has_a_reason(phase: str | None, reason: str) -> None:
    status = status_of(bound_pod(), {"main": DONE}, phase)
    (ready,) = [c for c in status["conditions"] if c["type"] == "Ready"]
    assert ready["reason"] == reason


def test_times_stay_as_long_as_nothing_changes() -> None:
    pod = bound_pod()
    first = status_of(pod, {"main": UP})
    later = status_of(pod | {"status": first}, {"main": UP}, now=NOW + 100)
    assert changed(first, later) == {}
    crashed = status_of(pod | {"status": first}, {"main": CRASHED}, now=NOW + 100)
    times = {c["type"]: c["lastTransitionTime"] for c in crashed["conditions"]}
    assert times["Ready"] == timestamp(NOW + 100)
    assert times["PodScheduled"] == timestamp(NOW)
    assert crashed["startTime"] == timestamp(NOW)


@cases(
    ("state", "shown"),
    {
        "new": (ContainerState(), {"state": {"waiting": {"reason": "ContainerCreating"}}}),
        "backing-off": (
            ContainerState(Waiting("CrashLoopBackOff", "back-off 10s"), restarts=1),
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "restartCount": 1,
            },
        ),
        "up": (
            UP,
            {"state": {"running": {"startedAt": timestamp(NOW)}}, "ready": True, "started": True},
        ),
        "not-started": (
            ContainerState(Terminated(128, NOW, NOW, "StartError", "no such file")),
            {
                "state": {
                    "terminated": {
                        "exitCode": 128,
                        "reason": "StartError",
                        "message": "no such file",
                        "startedAt": timestamp(NOW),
                        "finishedAt": timestamp(NOW),
                    }
                }
            },
        ),
    },
)
def test_a_container(state: ContainerState, shown: JSON) -> None:
    (status,) = status_of(bound_pod(), {"main": state})["containerStatuses"]
    plain = {"name": "main", "image": "ubuntu:22.04", "imageID": "", "restartCount": 0}
    assert status == {**plain, "ready": False, "started": False, **shown}


@pytest.mark.parametrize(("state", "reason"), [(DONE, "Completed"), (CRASHED, "Error")])
def test_an_end_has_a_reason(state: ContainerState, reason: str) -> None:
    (status,) = status_of(bound_pod(), {"main": state})["containerStatuses"]
    assert status["state"]["terminated"]["reason"] == reason


def test_the_run_before_is_shown() -> None:
    state = ContainerState(Running(NOW), last=Terminated(7, NOW - 9, NOW - 8), restarts=1)
    (status,) = status_of(bound_pod(), {"main": state})["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] == 7


def test_addresses() -> None:
    status = status_of(bound_pod(), {})
    assert (status["hostIP"], status["hostIPs"]) == ("10.0.0.1", [{"ip": "10.0.0.1"}])
    assert (status["podIP"], status["podIPs"]) == ("10.0.0.2", [{"ip": "10.0.0.2"}])
    bare = pod_status(Pod(bound_pod()), {}, phase=None, host_ip="h", pod_ip="", now=NOW)
    assert "podIP" not in bare


def test_only_what_changed_is_written() -> None:
    assert changed({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 4, "d": None}) == {"b": 4}


def test_a_container_shows_how_its_devices_are() -> None:
    shown = [{"name": "claim:gpu", "resources": [{"resourceID": "a/b=c", "health": "Healthy"}]}]
    status = pod_status(
        Pod(bound_pod(container("a"), container("b"))),
        {},
        phase=None,
        host_ip="h",
        pod_ip="",
        now=NOW,
        resources={"a": shown, "b": []},
    )
    first, second = status["containerStatuses"]
    assert first["allocatedResourcesStatus"] == shown
    assert "allocatedResourcesStatus" not in second
