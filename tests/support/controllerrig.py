"""The whole controller on a FakeApi, one reconcile at a time."""

from unittest.mock import create_autospec

from api.objects import JSON
from controller.wiring import Controller, Resources, build
from kube.events import EventRecorder
from kube.resources import NODES, PODS
from kube.store import Store
from ops.metrics import Metrics
from tests.support.build import SYSTEM
from tests.support.fakeapi import FakeApi

RESOURCES = Resources.of("v1alpha2")
_BY_KIND = {
    "ResourceClaim": (RESOURCES.claims, "claims"),
    "ResourceClass": (RESOURCES.classes, "classes"),
    "PodSchedulingContext": (RESOURCES.contexts, "contexts"),
    "NodeAllocationState": (RESOURCES.states, "states"),
    "FakeClaimParameters": (RESOURCES.claim_parameters, "claim_parameters"),
    "DeviceClassParameters": (RESOURCES.class_parameters, "class_parameters"),
    "Pod": (PODS, "pods"),
    "Node": (NODES, ""),
}


class Rig:
    """A controller whose API server holds the given objects and whose caches have seen them."""

    def __init__(self, *objects: JSON, api: FakeApi | None = None) -> None:
        self.api = api or FakeApi()
        self.events = create_autospec(EventRecorder, instance=True, spec_set=True)
        self.metrics = Metrics()
        self.controller: Controller = build(
            self.api,  # type: ignore[arg-type]
            self.events,
            self.metrics,
            version="v1alpha2",
            namespace=SYSTEM,
            unprepare_timeout=60.0,
        )
        for obj in objects:
            self.api.put(_BY_KIND[obj["kind"]][0], obj)
        self.resync()

    def resync(self) -> None:
        """Let every cache see what the API server has."""
        for resource, name in _BY_KIND.values():
            if name:
                self.cache(name).replace(self.api.all(resource))

    def cache(self, name: str) -> Store:
        store: Store = getattr(self.controller.caches, name)
        return store

    def handle(self, key: str) -> str:
        """Reconcile one key; return the result that was counted for it."""
        before = self._results(key)
        self.controller.reconciler.handle(key)
        (result,) = [r for r, n in self._results(key).items() if n != before.get(r, 0)]
        return result

    def claim(self, name: str = "claim") -> JSON:
        return self.api.find(RESOURCES.claims, name, "default")

    def scheduling(self, name: str = "pod") -> JSON:
        return self.api.find(RESOURCES.contexts, name, "default")

    def nas(self, name: str = "node-1") -> JSON:
        return self.api.find(RESOURCES.states, name, SYSTEM)

    def allocated(self, name: str = "node-1") -> dict[str, list[str]]:
        """Return the device ids of every claim in a NAS."""
        claims = self.nas(name)["spec"].get("allocatedClaims") or {}
        return {uid: [d["uuid"] for d in c["fake"]["devices"]] for uid, c in claims.items()}

    def told(self) -> list[tuple[str, str, str]]:
        """Return kind of object, reason and message of every Warning event."""
        calls = self.events.warning.call_args_list
        return [(c.args[0]["kind"], c.args[1], c.args[2]) for c in calls]

    def queued(self) -> list[str]:
        """Drain and return the keys that are due now."""
        queue = self.controller.queue
        found = []
        while len(queue):
            key = queue.get()
            assert key is not None
            queue.done(key)
            found.append(key)
        return sorted(found)

    def _results(self, key: str) -> dict[str, float]:
        kind = key.partition(":")[0]
        name = "fake_dra_controller_reconcile_duration_seconds_count"
        results = ("done", "waiting", "blocked", "again", "error")
        value = self.metrics.registry.get_sample_value
        return {r: value(name, {"kind": kind, "result": r}) or 0.0 for r in results}
