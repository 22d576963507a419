"""One look at a claim by itself: free it, or allocate it when it does not wait for a pod.

Source: k8s.io/dynamic-resource-allocation controller.go, syncClaim (release-1.30).
"""

from typing import Protocol

from api.claims import Claim
from api.invariants import ClaimFacts
from api.objects import JSON, Key, NodeName
from api.selectors import selects
from controller.allocator import Refusal
from controller.claims import ClaimWriter, PendingClaim
from controller.dialect import Demand, Dialect, NotOurs, Unusable
from controller.errors import NoSuitableNode
from controller.negotiation import explain
from controller.nodes import Ledger
from controller.outcome import After, Again, Blocked, Done, Outcome
from controller.waiting import Topic
from kube.errors import NotFound
from kube.store import Store

ANY_NODE = Topic("node", "")
"""Woken with every change of any node."""


class Nodes(Protocol):
    """Finds Node objects."""

    def get(self, name: str, namespace: str | None) -> JSON | None:
        """Return the Node, None when it does not exist."""
        ...


class ClaimSync:
    """Brings one ResourceClaim up to date."""

    def __init__(
        self,
        cache: Store,
        dialect: Dialect,
        nodes: Nodes,
        ledger: Ledger,
        writer: ClaimWriter,
    ) -> None:
        """Work on the claims in `cache`."""
        self._cache = cache
        self._dialect = dialect
        self._nodes = nodes
        self._ledger = ledger
        self._writer = writer

    def sync(self, key: Key) -> Outcome:
        """Free the claim if nobody needs it, allocate it if it is Immediate.

        Raises:
            StaleWorld: try again soon.
            KubeError: a request failed.
        """
        raw = self._cache.get(key)
        if raw is None:
            return Done()
        claim = Claim(raw)
        if rests(claim):
            return Done()
        if claim.deleting or claim.deallocation_requested:
            return self._free(claim)
        return self._allocate(claim)

    def _free(self, claim: Claim) -> Outcome:
        try:
            busy = self._writer.deallocate(claim)
        except NotFound:
            return Done()
        if busy is None:
            return Done()
        return After(busy.seconds_left, frozenset({Topic("node", busy.node)}))

    def _allocate(self, claim: Claim) -> Outcome:
        reading = self._dialect.read(claim)
        if isinstance(reading, NotOurs):
            return Again(reading.topics)
        if isinstance(reading, Unusable):
            return Blocked(reading.error, (claim.raw,), reading.topics)
        waiting = PendingClaim(claim, reading)
        refusals: dict[NodeName, Refusal] = {}
        for node in self._candidates(waiting):
            planned = self._ledger.plan(node, reading.requests, claim.uid)
            refusal = (
                planned
                if isinstance(planned, Refusal)
                else self._writer.allocate([waiting], node, None)
            )
            if refusal is None:
                return Done()
            refusals[node] = refusal
        told = explain(refusals, len(refusals)) if refusals else "no node offers devices"
        return Blocked(NoSuitableNode(told), (claim.raw,), frozenset({ANY_NODE}))

    def _candidates(self, waiting: PendingClaim) -> list[NodeName]:
        """Return the nodes to try: one that holds the claim's devices, then those with most free.

        The order is deterministic: ties go by name.
        """
        holding = self._ledger.holders(waiting.claim.uid)

        def rank(node: NodeName) -> tuple[bool, int, str]:
            view = self._ledger.view(node)
            return (node not in holding, 0 if isinstance(view, Refusal) else -len(view.free), node)

        nodes = sorted(self._ledger.nodes(), key=rank)
        return [node for node in nodes if self._selected(waiting.demand, node)]

    def _selected(self, demand: Demand, node: NodeName) -> bool:
        if not demand.node_selectors:
            return True
        found = self._nodes.get(node, None)
        if found is None:
            return False
        labels = found["metadata"].get("labels") or {}
        return all(selects(selector, node, labels) for selector in demand.node_selectors)


def rests(claim: Claim) -> bool:
    """Tell whether there is nothing to do for a claim, whatever else there is."""
    if claim.reserved_for:
        return True
    if claim.deleting or claim.deallocation_requested:
        return not ClaimFacts.of(claim.raw).ours
    return claim.allocation is not None or not claim.immediate
