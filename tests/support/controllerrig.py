"""The whole controller on a MemoryApi, one reconcile at a time."""

import itertools
import time
from collections.abc import Callable
from typing import Final
from unittest.mock import Mock

from api.claims.versions import read_claim
from api.contract import FAKE
from api.handles import with_claims
from api.nas import parse_nas
from api.objects import JSON
from api.resources import DRA_V1ALPHA2, DRA_VERSIONS, NODES, STATES
from controller.decide.nodehealth import trimmed
from controller.wiring import Controller, Site, build
from kube.events import EventRecorder
from kube.store import Store
from ops.communication import Communication
from ops.metrics import Metrics
from testing.apiserver import MemoryApi
from tests.support.build import SYSTEM, node

RESOURCES = DRA_V1ALPHA2

_IDENTITIES: Final = itertools.count(1)


class Rig:
    """A controller whose API server holds the given objects and whose caches have seen them."""

    def __init__(
        self,
        *objects: JSON,
        api: MemoryApi | None = None,
        version: str = "v1alpha2",
        clock: Callable[[], float] = time.monotonic,
        begun: bool = True,
        with_nodes: bool = True,
        communication: Communication = Communication.NAS,
    ) -> None:
        """Make it; `with_nodes` adds a good Node for each node state."""
        self.api = api or MemoryApi()
        self.version = version
        self.communication = communication
        self.resources = DRA_VERSIONS[version]
        self.events = Mock(spec_set=EventRecorder)
        self.metrics = Metrics()
        self.controller: Controller = build(
            self.api,
            FAKE,  # type: ignore[arg-type]
            self.events,
            self.metrics,
            Site(version, SYSTEM, 60.0, communication, f"{next(_IDENTITIES):05}"),
            clock=clock,
        )
        if begun:
            self.controller.begin()
        by_kind = {each.kind: each for each in (NODES, *self.controller.caches.watched)}
        nodes = [node(obj["metadata"]["name"]) for obj in objects if obj["kind"] == STATES.kind]
        for obj in (*(nodes if with_nodes else ()), *objects):
            self.api.put(by_kind[obj["kind"]], obj)
        self.resync()

    def see(self, obj: JSON) -> None:
        """Let somebody else write a Node or a NAS, and the watch report it."""
        if obj["kind"] == NODES.kind:
            self.cache("nodes").apply(trimmed(self.api.put(NODES, obj)))
        else:
            self.cache("states").apply(self.api.put(STATES, obj))

    def resync(self) -> None:
        """Let every cache see what the API server has."""
        for resource, store in self.controller.caches.watched.items():
            found = self.api.all(resource)
            listed = map(trimmed, found) if resource == NODES else found
            store.replace(listed, self.api.version())

    def cache(self, name: str) -> Store:
        """Return a cache by its attribute, or by the kind of the parameters in it."""
        caches = self.controller.caches
        if name in caches.parameters:
            return caches.parameters[name]
        store: Store = getattr(caches, name)
        return store

    def handle(self, key: str) -> str:
        """Reconcile one key; return the result that was counted for it."""
        before = self._results(key)
        self.controller.reconciler.handle(key)
        (result,) = [r for r, n in self._results(key).items() if n != before.get(r, 0)]
        return result

    def claim(self, name: str = "claim") -> JSON:
        return self.api.find(self.resources.claims, name, "default")

    def scheduling(self, name: str = "pod") -> JSON:
        return self.api.find(self.resources.contexts, name, "default")

    def nas(self, name: str = "node-1") -> JSON:
        return self.api.find(STATES, name, SYSTEM)

    def allocated(self, name: str = "node-1") -> dict[str, list[str]]:
        """Return the device ids of every claim in a NAS."""
        claims = self.nas(name)["spec"].get("allocatedClaims") or {}
        return {uid: [d["uuid"] for d in c["fake"]["devices"]] for uid, c in claims.items()}

    def held(self, name: str = "node-1") -> dict[str, list[str]]:
        """Return the device ids of every claim on a node, wherever that is written."""
        claims = map(read_claim, self.api.all(self.resources.claims))
        state = with_claims(parse_nas(self.nas(name), FAKE.device_key), claims, FAKE)
        return {str(uid): [d.id for d in c.devices] for uid, c in state.holders.items()}

    def told(self) -> list[tuple[str, str, str]]:
        """Return kind of object, reason and message of every Warning event."""
        calls = self.events.warning.call_args_list
        return [(c.args[0]["kind"], c.args[1], c.args[2]) for c in calls]

    def queued(self) -> list[str]:
        """Drain and return the keys that are due now, once the handlers know of own writes."""
        for store in self.controller.caches.watched.values():
            store.deliver()
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
        # of this family only: to show all of a program takes longer than what is counted here
        shown = self.metrics.registry.restricted_registry([name]).collect()
        counts = (sample for family in shown for sample in family.samples)
        return {c.labels["result"]: c.value for c in counts if c.labels["kind"] == kind}
