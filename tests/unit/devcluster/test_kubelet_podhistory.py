"""What a new kubelet of a node makes of the containers that an earlier one ran."""

import pytest

from api.objects import JSON
from api.pods import Pod
from devcluster.kubelet.podhistory import earlier_states
from devcluster.kubelet.podlife import ContainerState, Running, Terminated, Waiting
from devcluster.kubelet.podstatus import pod_status
from tests.support.tables import cases

ENDED = Terminated(3, 10.0, 20.0, "Error", "bad")
LOST = Terminated(
    137,
    30.0,
    30.0,
    "ContainerStatusUnknown",
    "The container could not be located when the kubelet started",
)


def published(state: ContainerState, *, init: bool = False) -> JSON:
    """Return a pod whose status an earlier kubelet wrote, for its container `c`."""
    lists = {"initContainers" if init else "containers": [{"name": "c", "image": "busybox"}]}
    raw: JSON = {"metadata": {"name": "p"}, "spec": lists}
    status = pod_status(
        Pod(raw), {"c": state}, phase=None, host_ip="10.0.0.1", pod_ip="", now=100.0
    )
    return {**raw, "status": status}


@pytest.mark.parametrize("init", [False, True])
@cases(
    ("before", "after"),
    {
        "ran": (ContainerState(Running(30.0)), ContainerState(LOST)),
        "ran again": (ContainerState(Running(30.0), ENDED, 2), ContainerState(LOST, None, 2)),
        "had ended": (ContainerState(ENDED, None, 1), ContainerState(ENDED, None, 1)),
        "was held back": (
            ContainerState(Waiting("CrashLoopBackOff"), ENDED, 4),
            ContainerState(Waiting(), ENDED, 4),
        ),
    },
)
def test_states(before: ContainerState, after: ContainerState, init: bool) -> None:
    assert earlier_states(published(before, init=init)) == {"c": after}


@cases("raw", {"waited": published(ContainerState()), "new": {"metadata": {}, "spec": {}}})
def test_a_container_that_never_ran_has_no_history(raw: JSON) -> None:
    assert earlier_states(raw) == {}
