import threading

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import DRA_VERSIONS, STATES, Resource
from controller.caches import Caches
from kube.store import Store
from ops.metrics import Metrics
from testing.apiserver import MemoryApi
from tests.support.backups import Backup
from tests.support.build import NAMESPACE, SYSTEM

SECONDS = 20.0


class Seen:
    """Which names a cache has shown."""

    def __init__(self, store: Store) -> None:
        self._changed = threading.Condition()
        self._names: set[str] = set()
        store.subscribe(self._take)

    def _take(self, _old: JSON | None, new: JSON | None) -> None:
        with self._changed:
            self._names |= {new["metadata"]["name"]} if new else set()
            self._changed.notify_all()

    def wait_for(self, name: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: name in self._names, SECONDS), self._names


@pytest.mark.parametrize("version", DRA_VERSIONS)
def test_every_cache_follows_an_api_server_that_was_restored(version: str) -> None:
    api, metrics, stop = MemoryApi(version), Metrics(), threading.Event()
    kinds = DRA_VERSIONS[version]
    caches = Caches(api, FAKE, kinds, SYSTEM, metrics)
    stores = caches.watched
    seen = {resource: Seen(store) for resource, store in stores.items()}

    def everywhere(name: str) -> None:
        for resource in stores:
            api.put(resource, named(resource, name))

    threads = [threading.Thread(target=body) for _, body in caches.threads(stop)]
    for thread in threads:
        thread.start()
    try:
        backup = Backup.of(api._storage)
        for number in range(10):
            everywhere(f"lost{number}")
        for each in seen.values():
            each.wait_for("lost9")
        backup.restore(api._storage, *stores)
        everywhere("new")
        for each in seen.values():
            each.wait_for("new")
    finally:
        stop.set()
        caches.stop()
        for thread in threads:
            thread.join(SECONDS)
    assert {names(store) for store in stores.values()} == {("new",)}
    counted = metrics.registry.get_sample_value(
        "fake_dra_watch_failures_total", {"error": "WentBack"}
    )
    assert counted == len(stores)


def named(resource: Resource, name: str) -> JSON:
    place = {STATES: SYSTEM}.get(resource, NAMESPACE)
    scope = {"namespace": place} if resource.namespaced else {}
    return {"metadata": {"name": name, "uid": f"{name}-uid", **scope}, "spec": {}}


def names(store: Store) -> tuple[str, ...]:
    return tuple(obj["metadata"]["name"] for obj in store.list())
