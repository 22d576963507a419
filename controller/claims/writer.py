"""Allocate and deallocate claims as ordered writes, each of which may be replayed.

Up: finalizer on every claim, one write of the node's NAS for all of them, status of every claim.
Down: NAS, status, finalizer. What was decided before is planned again on the freshest NAS, and the
write carries its resourceVersion, so a decision made on an old state is refused by the API server.
Source: k8s.io/dynamic-resource-allocation controller.go, allocateClaims and
syncClaim (release-1.30).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from api.claims.versions import read_claim
from api.claims.view import ClaimView, with_status
from api.contract import Contract
from api.events import Events
from api.nas import AllocatedClaim, NodeAllocationState
from api.objects import JSON, ClaimUID, NodeName
from api.resources import Resource
from controller.decide.allocator import Refusal, described
from controller.errors import StaleWorld
from controller.nodes.commits import Allocate, Enter, NodeCommits, Tidy, Withdraw
from controller.nodes.infos import NodeInfos
from controller.versions.dialect import ClaimRequests, Dialect
from kube.cache import revision
from kube.client import Client
from kube.keylocks import KeyLocks
from kube.lru import LRU
from kube.store import Store

GONE_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class PendingClaim:
    """A claim to allocate, with what it asks for."""

    claim: ClaimView
    asked: ClaimRequests


@dataclass(frozen=True, slots=True)
class StillPrepared:
    """The claim's devices are in use on a node that has to unprepare them first."""

    node: NodeName
    seconds_left: float


class ClaimWriter:
    """All writes to claims and to `allocatedClaims`."""

    def __init__(
        self,
        client: Client,
        contract: Contract,
        dialect: Dialect,
        claims: Resource,
        commits: NodeCommits,
        cache: Store,
        infos: NodeInfos,
        events: Events,
        *,
        unprepare_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write claims and node states, and feed the answers to the caches.

        Args:
            client: for the writes.
            contract: of the driver.
            dialect: how an allocation is written.
            claims: ResourceClaim in the version that the server has.
            commits: of node states.
            cache: watch cache of the claims.
            infos: the nodes.
            events: told of each allocation that is complete, on the claim.
            unprepare_timeout: seconds that a deallocation waits for a node to unprepare.
            clock: monotonic seconds.
        """
        self._client = client
        self._driver_name = contract.driver_name
        self._finalizer = contract.finalizer
        self._moved_annotation = contract.moved_annotation
        self._dialect = dialect
        self._claims = claims
        self._cache = cache
        self._infos = infos
        self._events = events
        self._commits = commits
        self._unprepare_timeout = unprepare_timeout
        self._clock = clock
        self._waiting_since: dict[ClaimUID, float] = {}
        self._locks = KeyLocks[ClaimUID]()
        self._gone = LRU[ClaimUID, bool](GONE_REMEMBERED)

    def allocate(
        self, pending: Sequence[PendingClaim], node: NodeName, consumer: JSON | None
    ) -> Refusal | None:
        """Allocate all claims on one node, or none of them.

        Args:
            pending: claims without allocation.
            node: where.
            consumer: entry for status.reservedFor, None for Immediate claims.

        Returns:
            None when every claim is allocated, or why the node cannot serve them after all.

        Raises:
            StaleWorld: the node or a claim changed meanwhile.
            UserError: a NAS holds what cannot serve a claim; somebody has to mend it.
            KubeError: a write failed; what was written is found again by the next attempt.
        """
        with self._alone([p.claim for p in pending]), self._commits.announced(node) as announced:
            marked = [PendingClaim(self._own(p.claim, node), p.asked) for p in pending]
            view = self._infos.view(node)
            if isinstance(view, Refusal):
                return view
            requests = [request for p in marked for request in p.asked.requests]
            claims = {p.claim.uid: p.claim for p in marked}
            planned = self._commits.commit(node, Allocate(claims, requests, view), announced)
            if isinstance(planned, Refusal):
                return planned
            for waiting in marked:
                devices = planned[waiting.claim.uid]
                raw = self._dialect.allocated(waiting.claim, waiting.asked, node, devices)
                raw = self._commits.records.told(raw, devices)
                stored = self._write_status(_reserved(raw, consumer) if consumer else raw)
                self._events.normal(stored, "Allocated", described(node, devices))
        return None

    def deallocate(self, claim: ClaimView) -> StillPrepared | None:
        """Free the devices of a claim, then let go of it.

        Returns:
            None when it is done, or the node that still has the devices prepared.

        Raises:
            StaleWorld: the claim or a node changed meanwhile.
            KubeError: a write failed; the next call goes on from there.
        """
        with self._alone([claim]):
            return None if claim.uid in self._gone else self._deallocate(claim)

    @contextmanager
    def _alone(self, claims: Sequence[ClaimView]) -> Iterator[None]:
        """Keep other workers away from some claims, which nobody may have changed since."""
        with self._locks.holding(claim.uid for claim in claims):
            for claim in claims:
                latest = self._cache.get(claim.key)
                if latest is None or revision(latest) != revision(claim.raw):
                    raise StaleWorld(f"claim {claim.key} has changed meanwhile")
            yield

    def _deallocate(self, claim: ClaimView) -> StillPrepared | None:
        holding = self._infos.holders(claim.uid)
        told = claim.told_node(self._driver_name)
        for node in [*holding, *([told] if told and told not in holding else [])]:
            busy = self._still_prepared(claim.uid, node)
            if busy is not None:
                return busy
        for node in holding:
            self.withdraw(claim.uid, node)
        raw = claim.raw
        if claim.allocation is not None or claim.deallocation_requested:
            raw = self._write_status(self._dialect.freed(claim))
        if self._finalizer in claim.finalizers:
            self._write_metadata(raw, _without_finalizer(raw, self._finalizer))
        self._waiting_since.pop(claim.uid, None)
        if claim.deleting:
            self._gone.setdefault(claim.uid, bool)
        return None

    def withdraw(
        self, uid: ClaimUID, node: NodeName, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Take a claim's devices on a node back.

        Args:
            uid: of the claim.
            node: that holds them.
            still: asked once no allocation on the node can be under way; False calls it off.

        Returns:
            Whether there was something to take back.

        Raises:
            StaleWorld: others write the NAS all the time.
            KubeError: it could not be written.
        """
        return self._commits.commit(node, Withdraw(uid, still))

    def enter(
        self,
        claim: ClaimView,
        node: NodeName,
        entry: Callable[[NodeAllocationState], AllocatedClaim | None],
    ) -> bool:
        """Give a claim devices on a node again.

        Args:
            claim: allocated on the node.
            node: that offers them.
            entry: what to enter in this state of the node, decided on nothing newer or older;
                None calls it off.

        Returns:
            Whether it was entered.

        Raises:
            StaleWorld: the claim has changed, or others write the NAS all the time.
            KubeError: it could not be written.
        """
        with self._alone([claim]):
            return self._commits.commit(node, Enter(claim.uid, entry))

    def tidy(self, node: NodeName) -> None:
        """Take those entries from a node's NAS whose claims say themselves what they have.

        Raises:
            StaleWorld: others write the NAS all the time.
            KubeError: it could not be written.
        """
        self._commits.commit(node, Tidy())

    def abandon(self, claim: ClaimView) -> StillPrepared | None:
        """Take back the devices of a claim whose allocation was never completed.

        Returns:
            See `deallocate`.

        Raises:
            StaleWorld: the claim or a node changed meanwhile.
            KubeError: a write failed; the next call goes on from there.
        """
        return self.deallocate(
            read_claim(
                self._write_metadata(claim.raw, _with_move(claim.raw, self._moved_annotation))
            )
        )

    def protect(self, claim: ClaimView) -> None:
        """Put our finalizer on a claim.

        Raises:
            KubeError: it could not be written.
        """
        self._write_metadata(claim.raw, _with_finalizer(claim.raw, self._finalizer))

    def _own(self, claim: ClaimView, node: NodeName) -> ClaimView:
        """Mark the claim as ours, and undo what an attempt on another node left in its NAS.

        An attempt that still runs elsewhere must not store its result afterwards, so the claim is
        written, which makes that result's resourceVersion old, before its devices are taken back.
        """
        others = [other for other in self._infos.holders(claim.uid) if other != node]
        raw = claim.raw
        if self._finalizer not in claim.finalizers:
            raw = self._write_metadata(raw, _with_finalizer(raw, self._finalizer))
        elif others:
            raw = self._write_metadata(raw, _with_move(raw, self._moved_annotation))
        for other in others:
            self.withdraw(claim.uid, other)
        return read_claim(raw)

    def _still_prepared(self, uid: ClaimUID, node: NodeName) -> StillPrepared | None:
        state = self._infos.state(node)
        if state is None or uid not in state.prepared:
            return None
        since = self._waiting_since.setdefault(uid, self._clock())
        left = since + self._unprepare_timeout - self._clock()
        return StillPrepared(node, left) if left > 0 else None

    def _write_status(self, body: JSON) -> JSON:
        return self._stored(self._client.update(self._claims, body, subresource="status"))

    def _write_metadata(self, raw: JSON, changed: JSON) -> JSON:
        """Write some metadata of the claim that was read as `raw`, and nothing else.

        A PUT of the whole claim would be refused where it carries opaque parameters: the API
        server compares them byte by byte, and they may not be spelled here as they were stored.
        """
        meta = raw["metadata"]
        patch = {"metadata": {"resourceVersion": meta.get("resourceVersion"), **changed}}
        return self._stored(
            self._client.patch(self._claims, meta["name"], patch, namespace=meta["namespace"])
        )

    def _stored(self, answer: JSON) -> JSON:
        self._cache.written(answer)
        return answer


def _with_finalizer(raw: JSON, finalizer: str) -> JSON:
    """Return the metadata that add our finalizer, the mark that the claim is ours to free."""
    return {"finalizers": [*(raw["metadata"].get("finalizers") or []), finalizer]}


def _with_move(raw: JSON, annotation: str) -> JSON:
    """Return the metadata that note a move of the allocation, which no earlier write had."""
    return {"annotations": {annotation: str(raw["metadata"].get("resourceVersion", ""))}}


def _without_finalizer(raw: JSON, finalizer: str) -> JSON:
    """Return the metadata that drop our finalizer."""
    return {"finalizers": [f for f in raw["metadata"].get("finalizers") or [] if f != finalizer]}


def _reserved(raw: JSON, consumer: JSON) -> JSON:
    """Return the claim reserved for its first consumer."""
    return with_status(raw, reservedFor=[consumer])
