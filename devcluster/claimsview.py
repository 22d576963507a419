"""The claims of a pod with all that decides on them, from the caches of the scheduler.

There is one view for each kind of claims; `devcluster.clusterview` has one of them.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from allocation.allocator import World
from allocation.gates import Gates
from allocation.inuse import InUse
from allocation.published import Published
from allocation.selectors import Selectors
from allocation.taints import with_rules
from api.claims.v1alpha2 import ResourceClass
from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import JSON, Key, object_key
from api.pods import Pod, PodSchedulingContext
from api.resources import Resource
from devcluster.caches import Caches
from devcluster.claimapi import CLASSIC, RULES, STRUCTURED
from devcluster.dynamicresources import DriverClaims, join_uses
from devcluster.extendedresources import extended_claim, recorded
from devcluster.schedulingcycle import Claims
from devcluster.structuredclaims import StructuredClaims
from kube.cache import Indexer

Indexers = Mapping[Resource, Mapping[str, Indexer]]
PodClaims = Sequence[tuple[str, ClaimView]]
"""Claims of a pod by their names within it."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a cluster has whose scheduler allocates.

    Attributes:
        gates: of the allocator.
        taint_rules: whether the API server has DeviceTaintRules.
        extended_resources: whether pods may ask for devices as extended resources.
    """

    gates: Gates = Gates()  # noqa: RUF009 - frozen
    taint_rules: bool = True
    extended_resources: bool = True


class ClaimsView(Protocol):
    """Finds what an attempt needs to know about a pod's claims."""

    def claims_of(self, pod: Pod, claims: PodClaims) -> Claims | str:
        """Return the claims for an attempt, or why there can be none yet."""


CLASSIC_INDEXERS: Indexers = {CLASSIC.claims: {}, CLASSIC.classes: {}, CLASSIC.contexts: {}}
STRUCTURED_INDEXERS: Indexers = {
    STRUCTURED.claims: {},
    STRUCTURED.classes: {},
    STRUCTURED.slices: {},
}


class ClassicView:
    """Claims that drivers allocate, with the answers of the drivers."""

    def __init__(self, caches: Caches) -> None:
        """Look into caches that were made with CLASSIC_INDEXERS."""
        self._caches = caches

    def claims_of(self, pod: Pod, claims: PodClaims) -> DriverClaims | str:
        """Join claims with their classes and with what drivers answered."""
        context = self._context_of(pod) if claims else None
        if context is not None and context.owner_uid != pod.uid:
            return f"PodSchedulingContext {context.key} is owned by another pod"
        found = (self._caches[CLASSIC.classes].get(Key(claim.class_name)) for _, claim in claims)
        classes = {c.name: c for c in (ResourceClass(raw) for raw in found if raw is not None)}
        return DriverClaims(pod, join_uses(claims, classes, context), context)

    def _context_of(self, pod: Pod) -> PodSchedulingContext | None:
        """Return the PodSchedulingContext of a pod's name, whoever owns it."""
        raw = self._caches[CLASSIC.contexts].get(object_key(pod.namespace, pod.name))
        return PodSchedulingContext(raw) if raw is not None else None


class StructuredView:
    """Claims that the scheduler allocates, with slices and what is allocated."""

    def __init__(
        self,
        caches: Caches,
        features: Features,
        share_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        now: Callable[[], float] = time.time,
    ) -> None:
        """Look into caches that were made with STRUCTURED_INDEXERS, perhaps with RULES.

        Args:
            caches: of the scheduler.
            features: of the cluster.
            share_id: makes the uid of a share of a device.
            now: seconds since the epoch.
        """
        self._caches = caches
        self._gates = features.gates
        self._now = now
        self._extended = features.extended_resources
        self._share_id = share_id
        self._selectors = Selectors()
        self._published = Published((), self._gates)
        self._outdated = threading.Event()
        self._rules = [caches[RULES]] if RULES in caches else []
        for store in (caches[STRUCTURED.slices], *self._rules):
            store.subscribe(lambda _old, _new: self._outdated.set())

    def claims_of(self, pod: Pod, claims: PodClaims) -> StructuredClaims:
        """Take a picture of the cluster; allocations that were just written are in it."""
        found = [claim for _, claim in claims]
        if self._extended and (extended := self._extended_claim(pod)):
            found.append(extended)
        pending = any(claim.allocation is None for claim in found)
        world = self._world(needed=pending)
        return StructuredClaims(pod, found, world, self._share_id, self._now())

    def _extended_claim(self, pod: Pod) -> ClaimView | None:
        """Return the claim for extended resources; an earlier attempt may have made it."""
        made = recorded(pod)
        raw = made and self._caches[STRUCTURED.claims].get(
            object_key(pod.namespace, made.claim_name or "")
        )
        return read_claim(raw) if raw else extended_claim(pod, self._classes())

    def _classes(self) -> dict[str, JSON]:
        return {each["metadata"]["name"]: each for each in self._caches[STRUCTURED.classes].list()}

    def _world(self, *, needed: bool) -> World:
        if not needed:
            return World(self._published, {}, InUse(), self._selectors)
        if self._outdated.is_set():
            self._outdated.clear()
            rules = [rule for store in self._rules for rule in store.list()]
            slices = with_rules(self._caches[STRUCTURED.slices].list(), rules)
            self._published = Published(slices, self._gates)
        in_use = InUse.of(self._caches[STRUCTURED.claims].list(), self._gates)
        return World(self._published, self._classes(), in_use, self._selectors)
