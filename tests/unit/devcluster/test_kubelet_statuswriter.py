"""What is written of a pod's status."""

from pathlib import Path

import pytest

from api.pods import Pod
from devcluster.kubelet.podlife import ContainerState, Running
from devcluster.kubelet.statuswriter import StatusWriter
from kube.errors import Conflict, NotFound
from testing.clock import Clock
from tests.support.podrig import ADDRESS, FakePods, bound_pod

UP = {"main": ContainerState(Running(1.0))}


class Status:
    def __init__(self) -> None:
        self.pods = FakePods(bound_pod())
        self.clock = Clock(1000.0)
        self.writer = StatusWriter(self.pods, ADDRESS, self.clock)

    @property
    def writes(self) -> list[set[str]]:
        return [set(fields) for _, fields in self.pods.log]


@pytest.fixture
def status() -> Status:
    return Status()


def test_only_news_are_written_even_if_the_watch_lags_behind(status: Status) -> None:
    pod = Pod(bound_pod())
    status.writer.publish(pod, {}, None)
    status.clock.now += 60
    status.writer.publish(pod, {}, None)
    status.writer.publish(pod, UP, None)
    assert len(status.writes) == 2
    assert status.writes[0] == {"conditions", "containerStatuses", "hostIP", "hostIPs", "startTime"}
    assert status.writes[1] == {"conditions", "containerStatuses", "phase", "podIP", "podIPs"}


def test_what_others_wrote_into_the_status_stays(status: Status) -> None:
    raw = bound_pod()
    raw["status"]["resourceClaimStatuses"] = [{"name": "gpu", "resourceClaimName": "x"}]
    status.writer.publish(Pod(raw), UP, None)
    assert "resourceClaimStatuses" not in status.writes[0]


def test_a_pod_that_is_gone_is_fine(status: Status) -> None:
    status.pods.fault = NotFound(404, "NotFound")
    status.writer.publish(Pod(bound_pod()), UP, None)


def test_an_error_is_for_the_caller_and_the_next_try_writes_all(status: Status) -> None:
    status.pods.fault = Conflict(409, "Conflict")
    with pytest.raises(Conflict):
        status.writer.publish(Pod(bound_pod()), UP, None)
    status.pods.fault = None
    status.writer.publish(Pod(bound_pod()), UP, None)
    assert "phase" in status.writes[0]


def test_the_pod_is_named_by_uid(status: Status, tmp_path: Path) -> None:
    pod = bound_pod()
    status.writer.publish(Pod(pod), UP, "Failed")
    assert status.pods.pod is not None
    assert status.pods.pod["metadata"]["uid"] == pod["metadata"]["uid"]
    assert status.pods.pod["status"]["phase"] == "Failed"
