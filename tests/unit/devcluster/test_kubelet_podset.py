"""Which pods have a worker, and for how long."""

import copy
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.objects import JSON
from devcluster.kubelet.podset import PodSet
from tests.support.podrig import PodRig, bound_pod


class Pods:
    """A pod set whose one pod can be followed by the calls for its claims."""

    def __init__(self, root: Path) -> None:
        self.rig = PodRig(root, bound_pod())
        self.stop = threading.Event()
        self.set = PodSet(self.rig.ports, self.stop)
        self.deleted = threading.Event()
        delete = self.rig.pods.delete

        def noted(*args: object, **options: object) -> None:
            delete(*args, **options)  # type: ignore[arg-type]
            self.deleted.set()

        self.rig.pods.delete = noted  # type: ignore[method-assign]

    def end(self) -> None:
        self.stop.set()
        self.set.wake_all()
        self.set.join(lambda: 10.0)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    made = Pods(tmp_path)
    try:
        yield made
    finally:
        made.end()


def deleted(pod: JSON) -> JSON:
    gone = copy.deepcopy(pod)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return gone


def test_a_pod_has_one_worker(pods: Pods) -> None:
    pods.set.changed(None, bound_pod())
    worker = pods.set.get("uid-pod")
    pods.set.changed(bound_pod(), bound_pod())
    assert worker is not None
    assert pods.set.get("uid-pod") is worker
    assert pods.set.uids() == {"uid-pod"}


def test_a_late_event_of_a_dead_pod_starts_nothing(pods: Pods) -> None:
    pods.set.changed(None, deleted(bound_pod()))
    worker = pods.set.get("uid-pod")
    assert pods.deleted.wait(10)
    pods.set.changed(bound_pod(), deleted(bound_pod()))
    assert pods.set.get("uid-pod") is worker
    pods.set.changed(deleted(bound_pod()), None)
    pods.end()
    assert pods.set.uids() == set()
    assert [verb for verb, _ in pods.rig.pods.log].count("delete") == 1


def test_a_pod_that_vanishes_is_forgotten_once_its_worker_is_done(pods: Pods) -> None:
    pods.set.changed(None, bound_pod())
    thread = next(t for t in threading.enumerate() if t.name == "pod-uid-pod")
    pods.set.changed(bound_pod(), None)
    thread.join(10)
    assert not thread.is_alive()
    assert pods.set.uids() == set()
    assert pods.rig.claims.calls[-1] == ("unprepare", "uid-pod")


def test_an_event_of_a_pod_that_was_never_seen(pods: Pods) -> None:
    pods.set.changed(bound_pod(), None)
    assert pods.set.get("uid-pod") is None


def test_after_the_stop_no_worker_begins(pods: Pods) -> None:
    pods.stop.set()
    pods.set.changed(None, bound_pod())
    assert pods.set.uids() == set()
