"""Repairs what is wrong between a node's state and the claims, if it stays wrong.

Nobody else would: an entry in `allocatedClaims` whose claim was deleted past our finalizer, or
moved on; a finalizer that somebody removed; a NAS that was deleted and made anew while its devices
are in use. A fault has to be seen for GRACE_SECONDS, in a cache that has synced, and then once more
in claims that are read live. Called by the reconciler some seconds after every change of a NAS, and
every minute.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.contract import Contract
from api.events import Events
from api.handles import with_claims
from api.invariants import Fault, Violation, entry_faults, lost, misplaced, whole
from api.nas import AllocatedClaim, AllocatedDevice, Device, NodeAllocationState
from api.objects import JSON, ClaimUID, Key, NodeName, device_name, uid_of
from api.resources import Resource
from controller.claims.writer import ClaimWriter
from controller.decide.allocator import Refusal
from controller.decide.nodeview import view_of
from controller.nodes.infos import NodeInfos
from controller.outcome import After, Done, Outcome
from controller.versions.dialect import ClaimRequests, Dialect
from kube.client import Client
from kube.store import Store
from ops.logs import get_logger

GRACE_SECONDS: Final = 10.0
ABANDONED_SECONDS: Final = 300.0
"""Until then a pod may still wait for an allocation to be completed on that very node."""

PERIOD_SECONDS: Final = 60.0
UID_INDEX: Final = "uid"
NODE_INDEX: Final = "allocated-node"
NOBODY: Final = ClaimUID("")
"""Has what a plan must not give to any claim."""

REPAIRED: Final = (
    Fault.ORPHANED,
    Fault.MISPLACED,
    Fault.ABANDONED,
    Fault.UNPROTECTED,
    Fault.LOST,
)

_LOG = get_logger("repair")


class Caches(Protocol):
    """What is needed of controller.caches.Caches."""

    claims: Store
    states: Store


class Observer(Protocol):
    """Counts repairs."""

    def repaired(self, kind: str) -> None:
        """Count one repair of a kind of fault."""
        ...


def uid_index(obj: JSON) -> Iterable[str]:
    """Index a claim by its uid."""
    return [uid_of(obj)]


def node_index(contract: Contract, obj: JSON) -> Iterable[str]:
    """Index a claim by the node that we allocated it on."""
    node = read_claim(obj).node(contract.driver_name)
    return [] if node is None else [node]


class StateRepair:
    """Brings one NAS and the claims on its node to agree; implements reconcile.Sync."""

    def __init__(
        self,
        client: Client,
        contract: Contract,
        claims: Resource,
        caches: Caches,
        infos: NodeInfos,
        dialect: Dialect,
        writer: ClaimWriter,
        events: Events,
        observer: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Compare the node states in `caches` with the claims there.

        Args:
            client: reads claims live.
            contract: of the driver.
            claims: ResourceClaim in the version that the server has.
            caches: of claims, with UID_INDEX and NODE_INDEX, and of node states.
            infos: of the nodes.
            dialect: reads what a claim asks for.
            writer: for the repairs.
            events: told of each repair, on the NAS.
            observer: counts them.
            clock: monotonic seconds.
        """
        self._client = client
        self._contract = contract
        self._claims = claims
        self._caches = caches
        self._infos = infos
        self._dialect = dialect
        self._writer = writer
        self._events = events
        self._observer = observer
        self._clock = clock
        self._seen: dict[Key, dict[Violation, float]] = {}

    def sync(self, key: Key) -> Outcome:
        """Repair what has been wrong with one NAS for long enough.

        Raises:
            MalformedState: somebody has to mend the NAS.
            StaleWorld: try again soon.
            KubeError: a request failed.
        """
        raw = self._caches.states.get(key)
        state = self._infos.state(NodeName(raw["metadata"]["name"])) if raw else None
        if raw is None or state is None:
            self._seen.pop(key, None)
            return Done()
        now, before = self._clock(), self._seen.get(key, {})
        seen = {
            fault: before.get(fault, now)
            for fault in faults(self._contract, state, self._cached(state))
        }
        due = [fault for fault, since in seen.items() if now - since >= grace(fault)]
        self._seen[key] = seen | {fault: now + PERIOD_SECONDS - grace(fault) for fault in due}
        if due:
            self._repair(raw, state, due)
        if not state.in_claims.keys().isdisjoint(state.allocated):
            self._writer.tidy(state.node)
        waits = [since + grace(fault) - now for fault, since in self._seen[key].items()]
        return After(min([PERIOD_SECONDS, *waits]))

    def _cached(self, state: NodeAllocationState) -> list[ClaimView]:
        store = self._caches.claims
        on_node = store.by_index(NODE_INDEX, state.node)
        held = [raw for uid in state.allocated for raw in store.by_index(UID_INDEX, uid)]
        return [read_claim(raw) for raw in (*held, *on_node)]

    def _repair(self, raw: JSON, state: NodeAllocationState, due: list[Violation]) -> None:
        live = [read_claim(obj) for obj in self._client.list(self._claims).items]
        still = set(faults(self._contract, state, live))
        by_uid = {claim.uid: claim for claim in live}
        for fault in due:
            claim = by_uid.get(fault.claim)
            if fault not in still:
                continue
            if self._mend(state.node, fault, claim):
                _LOG.warning("repaired", kind=fault.kind, node=state.node, fault=fault.message)
                self._observer.repaired(fault.kind)
                self._events.warning(raw, fault.kind, f"repaired: {fault.message}")
            elif fault.kind == Fault.LOST and claim is not None:
                text = f"{fault.message}; {fault.remedy}"
                self._events.warning(claim.raw, fault.kind, text)

    def _mend(self, node: NodeName, fault: Violation, claim: ClaimView | None) -> bool:
        """Repair one fault; False if it turns out to be none, or one that nobody can repair."""
        if fault.kind in (Fault.ORPHANED, Fault.MISPLACED):
            return self._writer.withdraw(fault.claim, node, lambda: self._unwanted(fault))
        if claim is None or claim.leaving:
            return False
        if fault.kind == Fault.UNPROTECTED:
            self._writer.protect(claim)
            return True
        if fault.kind == Fault.ABANDONED:
            return self._writer.abandon(claim) is None
        return self._writer.enter(claim, node, lambda state: self._entry(state, claim))

    def _entry(self, state: NodeAllocationState, claim: ClaimView) -> AllocatedClaim | None:
        """Return what a claim that was lost had before: as it is prepared, else planned anew.

        What its allocation says counts, so a plan that would change the allocation is none.
        """
        if claim.uid in state.prepared:
            return restored(state, claim)
        view, asked = view_of(state), self._dialect.read(claim)
        if isinstance(view, Refusal) or not isinstance(asked, ClaimRequests):
            return None
        planned = view.plan(asked.requests, {NOBODY: unnamed(claim, state.allocatable)})
        if isinstance(planned, Refusal):
            return None
        devices = planned[claim.uid]
        same = self._dialect.allocated(claim, asked, state.node, devices)["status"]
        if claim.allocation is None or same["allocation"] != claim.allocation.raw:
            return None
        return AllocatedClaim(devices, claim.namespace, claim.name)

    def _unwanted(self, fault: Violation) -> bool:
        """Tell whether the claim of an entry is still not on its node, by our own latest writes."""
        known = self._caches.claims.by_index(UID_INDEX, fault.claim)
        return all(misplaced(read_claim(raw), fault.node, self._contract) for raw in known)


def faults(
    contract: Contract, state: NodeAllocationState, claims: Iterable[ClaimView]
) -> list[Violation]:
    """Return what can be repaired of what is wrong between a node's state and the claims."""
    by_uid = {claim.uid: claim for claim in claims}
    state = with_claims(state, by_uid.values(), contract)
    entries = [
        fault
        for uid, entry in state.holders.items()
        for fault in entry_faults(state.node, uid, entry, by_uid.get(uid), contract)
    ]
    driver = contract.driver_name
    here = [claim for claim in by_uid.values() if claim.node(driver) == state.node]
    return [*entries, *lost({state.node: state}, here, contract)]


def grace(fault: Violation) -> float:
    """Return the seconds that a fault has to last."""
    return ABANDONED_SECONDS if fault.kind == Fault.ABANDONED else GRACE_SECONDS


def unnamed(claim: ClaimView, devices: Iterable[Device]) -> tuple[AllocatedDevice, ...]:
    """Return those devices that an allocation, if it names devices at all, does not name."""
    named = (
        {entry.get("device") for entry in claim.allocation.entries} if claim.allocation else set()
    )
    left = (d.id for d in devices if named and device_name(d.id) not in named)
    return tuple(AllocatedDevice(each) for each in left)


def restored(state: NodeAllocationState, claim: ClaimView) -> AllocatedClaim | None:
    """Return the entry that a claim had before it was lost, as far as that is beyond doubt.

    Its prepared devices tell: all of them have to be offered, and no other claim may hold one.
    """
    devices = whole(state.prepared.get(claim.uid, ()))
    prepared = {uid: given for uid, given in state.prepared.items() if uid != claim.uid}
    others = replace(state, prepared=prepared)
    taken, clients = others.occupied(), others.clients()
    offered = {device.id for device in state.allocatable}
    clear = all(
        d.id in offered
        and (d.id not in taken or (d.id in clients and clients[d.id].may_have(d.share)))
        for d in devices
    )
    return AllocatedClaim(devices, claim.namespace, claim.name) if devices and clear else None
