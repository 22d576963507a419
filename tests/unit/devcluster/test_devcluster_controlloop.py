"""What becomes of a failed key, and the threads of a part of the control plane."""

import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from api.resources import DRA_V1ALPHA2, NODES, PODS, Resource
from devcluster.caches import Caches
from devcluster.claimcontroller import ClaimController
from devcluster.controlloop import ControlLoop
from devcluster.errors import ClaimNotMade
from devcluster.scheduler import Scheduler
from kube.client import ListPage
from kube.errors import Conflict, ServerError
from kube.events import EventRecorder
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle
from testing.apiserver import MemoryApi
from tests.support.build import node, pod, template, templated_pod
from tests.support.controlplanerig import resources_of
from tests.support.tables import cases


def holding(*objects: JSON) -> MemoryApi:
    api = MemoryApi()
    for obj in objects:
        api.put(resources_of(DRA_V1ALPHA2)[obj["kind"]], obj)
    return api


def written(api: MemoryApi, since: str) -> bool:
    """Wait until something was written after a resourceVersion."""
    with api.changed:
        return api.changed.wait_for(lambda: api.version() != since, 10.0)


def loop(handle: Callable[[str], None]) -> tuple[ControlLoop, WorkQueue]:
    queue = WorkQueue()
    return ControlLoop("loop", create_autospec(Caches, instance=True), queue, handle), queue


def raiser(error: Exception) -> Callable[..., None]:
    def handle(*_: object, **__: object) -> None:
        raise error

    return handle


@cases(
    ("error", "level"),
    {
        "conflict": (Conflict(409, "Conflict", "changed"), "DEBUG"),
        "request-failed": (ServerError(500, "InternalError", "broken"), "WARNING"),
        "own-error": (ClaimNotMade("no template"), "WARNING"),
        "bug": (KeyError("bug"), "ERROR"),
    },
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


def started(part: Scheduler | ClaimController, api: MemoryApi) -> int:
    """Run a part until it writes something; return the exit code."""
    given = api.version()
    with Lifecycle() as life:
        part.start(life)
        assert written(api, given)
        life.stop.set()
        code = life.wait()
    names = {thread.name for thread in threading.enumerate()}
    assert not {n for n in names if n.startswith(("scheduler", "claim-controller"))}
    return code


def events() -> Any:
    return create_autospec(EventRecorder, instance=True, spec_set=True)


def test_claim_controller_runs_and_stops() -> None:
    api: Any = holding(templated_pod(), template())
    assert started(ClaimController(api, events=events()), api) == 0
    assert len(api.all(DRA_V1ALPHA2.claims)) == 1


def test_worker_waits_for_every_first_list() -> None:
    api: Any = holding(node(), pod())
    gate, list_all = threading.Event(), api.list

    def late(resource: Resource, **scope: object) -> ListPage:
        assert resource != NODES or gate.wait(10.0)
        page: ListPage = list_all(resource, **scope)
        return page

    api.list, given = late, api.version()
    recorder = events()
    scheduler = Scheduler(api, events=recorder)
    with Lifecycle() as life:
        scheduler.start(life)
        assert scheduler.caches[PODS].wait_synced(10.0)
        gate.set()
        assert written(api, given)
        life.stop.set()
        assert life.wait() == 0
    recorder.warning.assert_not_called()


def test_worker_ends_without_a_first_list() -> None:
    api: Any = holding()
    api.list = raiser(ServerError(500, "InternalError", "starting"))
    with Lifecycle() as life:
        Scheduler(api, events=events()).start(life)
        life.stop.set()
        assert life.wait() == 0


def test_caches_hold_what_they_were_made_for() -> None:
    caches = Caches(create_autospec(MemoryApi, instance=True), {PODS: {}})
    assert not caches.has_synced()
    caches[PODS].replace([], "1")
    assert caches.has_synced()
    assert caches.wait_synced(threading.Event())
    with pytest.raises(KeyError):
        caches[NODES]
