"""The claims of a pod with all that decides on them, from the caches of the scheduler.

There is one view for each kind of claims; `devcluster.clusterview` has one of them.
"""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from allocation.allocator import World
from allocation.gates import Gates
from allocation.inuse import InUse
from allocation.published import Published
from allocation.selectors import Selectors
from allocation.taints import with_rules
from api.claims.v1alpha2 import ResourceClass
from api.claims.view import ClaimView
from api.objects import JSON, Key, object_key
from api.pods import Pod, PodSchedulingContext
from api.resources import TAINT_RULES, Resource
from devcluster.caches import Caches
from devcluster.claimapi import CLASSIC, STRUCTURED
from devcluster.dynamicresources import DriverClaims, join_uses
from devcluster.schedulingcycle import Claims
from devcluster.structuredclaims import StructuredClaims
from kube.cache import Indexer

Indexers = Mapping[Resource, Mapping[str, Indexer]]
PodClaims = Sequence[tuple[str, ClaimView]]
"""Claims of a pod by their names within it."""


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
        gates: Gates,
        share_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """Look into caches that were made with STRUCTURED_INDEXERS, perhaps with TAINT_RULES.

        Args:
            caches: of the scheduler.
            gates: of the scheduler; it never waits for binding conditions.
            share_id: makes the uid of a share of a device.
        """
        self._caches = caches
        self._gates = replace(gates, binding_conditions=False)
        self._share_id = share_id
        self._selectors = Selectors()
        self._published = Published((), self._gates)
        self._outdated = threading.Event()
        self._rules = [caches[TAINT_RULES]] if TAINT_RULES in caches else []
        for store in (caches[STRUCTURED.slices], *self._rules):
            store.subscribe(lambda _old, _new: self._outdated.set())

    def claims_of(self, pod: Pod, claims: PodClaims) -> StructuredClaims:
        """Take a picture of the cluster; allocations that were just written are in it."""
        raw = [claim for _, claim in claims]
        return StructuredClaims(pod, raw, self._world(any_pending(raw)), self._share_id)

    def _world(self, needed: bool) -> World:
        if not needed:
            return World(self._published, {}, InUse(), self._selectors)
        if self._outdated.is_set():
            self._outdated.clear()
            rules = [rule for store in self._rules for rule in store.list()]
            slices = with_rules(self._caches[STRUCTURED.slices].list(), rules)
            self._published = Published(slices, self._gates)
        classes: dict[str, JSON] = {
            each["metadata"]["name"]: each for each in self._caches[STRUCTURED.classes].list()
        }
        in_use = InUse.of(self._caches[STRUCTURED.claims].list(), self._gates)
        return World(self._published, classes, in_use, self._selectors)


def any_pending(claims: Sequence[ClaimView]) -> bool:
    """Tell whether a claim has to be allocated."""
    return any(claim.allocation is None for claim in claims)
