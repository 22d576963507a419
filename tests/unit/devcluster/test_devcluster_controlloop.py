"""What becomes of a failed key, and the threads of a part of the control plane."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from devcluster.caches import Caches
from devcluster.claimcontroller import ClaimController
from devcluster.controlloop import ControlLoop
from devcluster.errors import ClaimNotMade
from devcluster.resources import CLAIMS
from devcluster.scheduler import Scheduler
from kube.client import ListPage, WatchEvent
from kube.errors import Conflict, ServerError
from kube.events import EventRecorder
from kube.resources import NODES, PODS, Resource
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle
from tests.support.build import node, pod, template, templated_pod
from tests.support.controlplanerig import RESOURCES
from tests.support.fakeapi import FakeApi


class Quiet:
    """A watch without events."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[WatchEvent]:
        self._closed.wait()
        return iter(())

    def close(self) -> None:
        self._closed.set()


class ListedApi(FakeApi):
    """A FakeApi that can be listed, and tells when something was created."""

    def __init__(self, *objects: JSON) -> None:
        super().__init__()
        self.created = threading.Event()
        for obj in objects:
            self.put(RESOURCES[obj["kind"]], obj)

    def list(self, resource: Resource, **_: object) -> ListPage:
        return ListPage(self.all(resource), self.version())

    def watch(self, _resource: Resource, **_: object) -> Quiet:
        return Quiet()

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        stored = super().create(resource, body, namespace)
        self.created.set()
        return stored


def loop(handle: Callable[[str], None]) -> tuple[ControlLoop, WorkQueue]:
    queue = WorkQueue()
    return ControlLoop("loop", create_autospec(Caches, instance=True), queue, handle), queue


def raiser(error: Exception) -> Callable[..., None]:
    def handle(*_: object, **__: object) -> None:
        raise error

    return handle


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (Conflict(409, "Conflict", "changed"), "DEBUG"),
        (ServerError(500, "InternalError", "broken"), "WARNING"),
        (ClaimNotMade("no template"), "WARNING"),
        (KeyError("bug"), "ERROR"),
    ],
    ids=["conflict", "request-failed", "own-error", "bug"],
)
def test_failed_key_comes_again(
    error: Exception, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    control, queue = loop(raiser(error))
    control.process("a/b")
    assert queue.retries("a/b") == 1
    assert [record.levelname for record in caplog.records] == [level]


def test_success_ends_the_back_off() -> None:
    failing = [True]

    def handle(_: str) -> None:
        if failing:
            raise ServerError(500, "InternalError", "broken")

    control, queue = loop(handle)
    control.process("a/b")
    failing.clear()
    control.process("a/b")
    assert queue.retries("a/b") == 0


def started(part: Scheduler | ClaimController, api: ListedApi) -> int:
    """Run a part until it creates something; return the exit code."""
    with Lifecycle() as life:
        part.start(life)
        assert api.created.wait(10.0)
        life.stop.set()
        code = life.wait()
    names = {thread.name for thread in threading.enumerate()}
    assert not {n for n in names if n.startswith(("scheduler", "claim-controller"))}
    return code


def events() -> Any:
    return create_autospec(EventRecorder, instance=True, spec_set=True)


def test_scheduler_runs_and_stops() -> None:
    api: Any = ListedApi(node(), pod())
    assert started(Scheduler(api, events=events()), api) == 0
    assert api.find(PODS, "pod", "default")["spec"]["nodeName"] == "node-1"


def test_claim_controller_runs_and_stops() -> None:
    api: Any = ListedApi(templated_pod(), template())
    assert started(ClaimController(api, events=events()), api) == 0
    assert len(api.all(CLAIMS)) == 1


def test_worker_waits_for_every_first_list() -> None:
    api: Any = ListedApi(node(), pod())
    gate, list_all = threading.Event(), api.list

    def late(resource: Resource, **scope: object) -> ListPage:
        assert resource != NODES or gate.wait(10.0)
        page: ListPage = list_all(resource, **scope)
        return page

    api.list = late
    recorder = events()
    scheduler = Scheduler(api, events=recorder)
    with Lifecycle() as life:
        scheduler.start(life)
        assert scheduler.caches[PODS].wait_synced(10.0)
        gate.set()
        assert api.created.wait(10.0)
        life.stop.set()
        assert life.wait() == 0
    recorder.warning.assert_not_called()


def test_worker_ends_without_a_first_list() -> None:
    api: Any = ListedApi()
    api.list = raiser(ServerError(500, "InternalError", "starting"))
    with Lifecycle() as life:
        Scheduler(api, events=events()).start(life)
        life.stop.set()
        assert life.wait() == 0


def test_caches_hold_what_they_were_made_for() -> None:
    caches = Caches(create_autospec(FakeApi, instance=True), {PODS: {}})
    assert not caches.has_synced()
    caches[PODS].replace([], "1")
    assert caches.has_synced()
    assert caches.wait_synced(threading.Event())
    with pytest.raises(KeyError):
        caches[NODES]
