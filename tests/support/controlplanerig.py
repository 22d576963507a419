"""Scheduler or claim controller on a MemoryApi, one queue key at a time and without real time."""

import contextlib
from collections.abc import Callable
from random import Random
from typing import Any, Protocol
from unittest.mock import Mock

from api.objects import JSON
from api.resources import DRA_V1ALPHA2, NODES, PODS, DraResources, Resource
from devcluster.apiserver.resourceapi import CLASSIC, structured
from devcluster.caches import Caches
from devcluster.claimapi import RULES, STRUCTURED, ClaimApi
from devcluster.claimcontroller import ClaimController
from devcluster.claimsview import Features
from devcluster.deviceeviction import DeviceEviction
from devcluster.scheduler import Scheduler
from kube.events import EventRecorder
from kube.workqueue import WorkQueue
from testing.apiserver import MemoryApi


def resources_of(known: ClaimApi) -> dict[str, Resource]:
    """Return what a control plane works with, by kind."""
    own = known.contexts if isinstance(known, DraResources) else known.slices
    found = [PODS, NODES, known.claims, known.templates, known.classes, own]
    if known is STRUCTURED:
        found.append(RULES)
    return {resource.kind: resource for resource in found}


class Part(Protocol):
    """A part of the control plane."""

    caches: Caches
    queue: WorkQueue

    def process(self, key: str) -> None: ...


class ControlRig:
    """A part of the control plane whose API server holds the given objects, seen by its caches."""

    part: Part

    def __init__(
        self,
        make: Callable[["ControlRig"], Part],
        *objects: JSON,
        known: ClaimApi = DRA_V1ALPHA2,
    ) -> None:
        self.known = known
        self.resources = resources_of(known)
        self.api = MemoryApi(api=CLASSIC if known is DRA_V1ALPHA2 else structured(37))
        self.time = 1000.0
        self.events = Mock(spec_set=EventRecorder)
        self.part = make(self)
        for obj in objects:
            self.put(obj)
        self.sync()

    def put(self, obj: JSON) -> JSON:
        """Store what another writer wrote, with a new resourceVersion."""
        meta = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
        return self.api.put(self.resources[obj["kind"]], {**obj, "metadata": meta})

    def sync(self) -> None:
        """Let every cache see what the API server has."""
        for resource in self.resources.values():
            with contextlib.suppress(KeyError):  # not every part caches every resource
                self.part.caches[resource].replace(self.api.all(resource), self.api.version())

    def due(self) -> list[str]:
        """Drain and return the keys that are due now."""
        queue, keys = self.part.queue, []
        queue.add("")  # so that `get` never blocks
        while len(queue):
            key = queue.get()
            assert key is not None
            queue.done(key)
            keys.append(key)
        return sorted(filter(None, keys))

    def settle(self, rounds: int = 20) -> None:
        """Process keys and let the caches see the writes until nothing is due."""
        for _ in range(rounds):
            keys = self.due()
            if not keys:
                return
            for key in keys:
                self.part.process(key)
            self.sync()
        raise AssertionError(f"no rest after {rounds} rounds: {keys}")

    def claim(self, name: str = "claim") -> JSON:
        return self.api.find(self.known.claims, name, "default")

    def pod(self, name: str = "pod") -> JSON:
        return self.api.find(PODS, name, "default")

    def context(self, name: str = "pod") -> JSON:
        return self.api.find(DRA_V1ALPHA2.contexts, name, "default")

    def has(self, resource: Resource) -> bool:
        return bool(self.api.all(resource))

    def node_of(self, name: str = "pod") -> str | None:
        node: str | None = self.pod(name)["spec"].get("nodeName")
        return node

    def told(self, method: str = "warning") -> list[tuple[str, str]]:
        """Return reason and message of every event."""
        calls = getattr(self.events, method).call_args_list
        return [(call.args[1], call.args[2]) for call in calls]


def scheduler_rig(*objects: JSON, seed: int = 0, known: ClaimApi = DRA_V1ALPHA2) -> ControlRig:
    def make(rig: ControlRig) -> Part:
        client: Any = rig.api
        return Scheduler(
            client,
            events=rig.events,
            features=Features() if known is STRUCTURED else None,
            clock=lambda: rig.time,
            now=lambda: rig.time,
            chance=Random(seed),
        )

    return ControlRig(make, *objects, known=known)


def claim_rig(*objects: JSON, known: ClaimApi = DRA_V1ALPHA2) -> ControlRig:
    def make(rig: ControlRig) -> Part:
        client: Any = rig.api
        return ClaimController(client, events=rig.events, known=known, clock=lambda: rig.time)

    return ControlRig(make, *objects, known=known)


def eviction_rig(*objects: JSON) -> ControlRig:
    def make(rig: ControlRig) -> Part:
        client: Any = rig.api
        return DeviceEviction(client, events=rig.events, now=lambda: rig.time)

    return ControlRig(make, *objects, known=STRUCTURED)
