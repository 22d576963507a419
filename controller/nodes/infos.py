"""What each node offers now, from the watch cache of NodeAllocationStates.

Answers come from memory. A reservation says that a pod is about to be allocated on a node, so that
answers to other pods leave its devices out; it is a hint with an owner and an expiry, and the
allocation itself never trusts it. It is asked for every node that is planned on; so a node without
reservations costs one look into a dictionary, whatever is reserved elsewhere.

A heartbeat says within how many seconds the next one follows. They are counted from the moment when
we saw it, on our own monotonic clock, as in leader election; what the clock of a node says does not
matter. A plugin that never gave a heartbeat, being older, is not silent, and neither is one that
has ended.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from api.claims.versions import read_claim
from api.contract import Contract
from api.errors import MalformedState
from api.handles import with_claims
from api.nas import Heartbeat, NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID, Key, NodeName, object_key
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.decide.nearmiss import Miss, nearest
from controller.decide.nodeview import NONE_RESERVED, NodeView, Verdicts, view_of
from kube.store import Store

HOLDERS_INDEX = "allocated-claim"
HANDLES_INDEX = "handle-node"
RESERVATION_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What one version of a NAS was read as; a malformed one has no state, only its refusal."""

    version: str
    spec: object
    claims: list[JSON]
    state: NodeAllocationState | Refusal
    view: NodeView | Refusal


def holders_index(obj: JSON) -> Iterable[str]:
    """Index a NAS by the uids of the claims that it holds devices for."""
    spec = obj.get("spec")
    allocated = spec.get("allocatedClaims") if isinstance(spec, dict) else None
    return list(allocated) if isinstance(allocated, dict) else []


def handles_index(contract: Contract, obj: JSON) -> Iterable[str]:
    """Index a claim that says itself what it was given by the node that has the devices."""
    node = read_claim(obj).told_node(contract.driver_name)
    return [] if node is None else [node]


@dataclass(frozen=True, slots=True)
class _Heard:
    heartbeat: Heartbeat
    overdue: float


class Heartbeats:
    """The last heartbeat of each node; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know none; `clock` gives monotonic seconds."""
        self._clock = clock
        self._heard: dict[NodeName, _Heard] = {}

    def saw(self, node: NodeName, heartbeat: Heartbeat | None) -> None:
        """Take in the heartbeat in the latest version of a NAS."""
        known = self._heard.get(node)
        if heartbeat is None or heartbeat.seconds is None:
            self._heard.pop(node, None)
        elif known is None or known.heartbeat != heartbeat:
            self._heard[node] = _Heard(heartbeat, self._clock() + heartbeat.seconds)

    def seconds_left(self, node: NodeName) -> float | None:
        """Return the seconds until a node is silent, 0 if it is, None if it never will be."""
        heard = self._heard.get(node)
        return None if heard is None else max(0.0, heard.overdue - self._clock())

    def is_silent(self, node: NodeName) -> bool:
        """Tell whether the plugin of a node has gone silent."""
        return self.seconds_left(node) == 0


@dataclass(frozen=True, slots=True)
class _Reservation:
    owner: str
    node: NodeName
    planned: Plan
    expires: float


class Reservations:
    """Thread-safe; at most one reservation for each owner."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start empty; `clock` gives monotonic seconds."""
        self._clock = clock
        self._guard = threading.Lock()
        self._by_owner: dict[str, _Reservation] = {}
        self._by_node: dict[NodeName, tuple[_Reservation, ...]] = {}

    def reserve(self, owner: str, node: NodeName, planned: Plan) -> None:
        """Reserve devices of a node for a while; replaces the owner's former reservation."""
        now = self._clock()
        with self._guard:
            expired = [r.owner for r in self._by_owner.values() if r.expires <= now]
            for former in {*expired, owner}:
                self._drop(former)
            made = _Reservation(owner, node, planned, now + RESERVATION_SECONDS)
            self._by_owner[owner] = made
            self._by_node[node] = (*self._by_node.get(node, ()), made)

    def release(self, owner: str) -> NodeName | None:
        """Drop the reservation of an owner; return the node it was on."""
        with self._guard:
            dropped = self._drop(owner)
        return dropped.node if dropped else None

    def of_others(self, node: NodeName, owner: str) -> Plan:
        """Return what somebody else than `owner` has reserved on a node."""
        here = self._by_node.get(node)
        if not here:
            return NONE_RESERVED
        now = self._clock()
        others = [r.planned for r in here if r.owner != owner and r.expires > now]
        return {uid: given for planned in others for uid, given in planned.items()}

    def _drop(self, owner: str) -> _Reservation | None:
        dropped = self._by_owner.pop(owner, None)
        if dropped is not None:
            rest = tuple(r for r in self._by_node[dropped.node] if r.owner != owner)
            if rest:
                self._by_node[dropped.node] = rest
            else:
                del self._by_node[dropped.node]
        return dropped


class NodeInfos:
    """Views of all nodes, and reservations.

    Attributes:
        heartbeats: of all nodes.
    """

    def __init__(
        self,
        store: Store,
        claims: Store,
        namespace: str,
        contract: Contract,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what is in caches.

        Args:
            store: of the NAS objects of `namespace`, with holders_index.
            claims: with handles_index.
            namespace: of the NAS objects.
            contract: of the driver.
            clock: monotonic seconds.
        """
        self._store = store
        self._claims = claims
        self._namespace = namespace
        self._contract = contract
        self._known: dict[NodeName, _Known] = {}
        self.heartbeats = Heartbeats(clock)
        self._reservations = Reservations(clock)
        store.subscribe(self._changed)

    def nodes(self) -> list[NodeName]:
        """Return the names of all nodes that published a NAS, sorted."""
        return sorted(NodeName(obj["metadata"]["name"]) for obj in self._store.list())

    def key(self, node: NodeName) -> Key:
        """Return the cache key of a node's NAS."""
        return object_key(self._namespace, node)

    def raw(self, node: NodeName) -> JSON | None:
        """Return the freshest NAS object of a node that we know."""
        return self._store.get(self.key(node))

    def view(self, node: NodeName) -> NodeView | Refusal:
        """Return what a node offers, or why it takes no claims."""
        known = self._look(node)
        return view_of(None) if known is None else known.view

    def state(self, node: NodeName) -> NodeAllocationState | None:
        """Return the state of a node whether it is ready or not, None when there is none.

        Raises:
            MalformedState: somebody else wrote what we cannot read.
        """
        known = self._look(node)
        if known is None:
            return None
        if isinstance(known.state, Refusal):
            raise MalformedState(known.state.message)
        return known.state

    def judge(
        self, requests: Sequence[DeviceRequest], owner: str
    ) -> Callable[[NodeName], Refusal | None]:
        """Return what tells why a node does not serve the requests, as `plan` sees it."""
        verdicts = Verdicts(requests)

        def refusal(node: NodeName) -> Refusal | None:
            view = self.view(node)
            if isinstance(view, Refusal):
                return view
            return verdicts.refusal(view, self._reservations.of_others(node, owner))

        return refusal

    def plan(self, node: NodeName, requests: Sequence[DeviceRequest], owner: str) -> Plan | Refusal:
        """Plan on a node as the pod `owner` may see it: without what others have reserved."""
        view = self.view(node)
        if isinstance(view, Refusal):
            return view
        return view.plan(requests, self._reservations.of_others(node, owner))

    def nearest(
        self, nodes: Iterable[NodeName], requests: Sequence[DeviceRequest], owner: str
    ) -> Miss | None:
        """Return the nearest miss among nodes that don't serve the pod `owner`."""
        supplies = (
            view.supply(self._reservations.of_others(node, owner))
            for node in nodes
            if isinstance(view := self.view(node), NodeView)
        )
        return nearest(supplies, requests)

    def reserve(self, owner: str, node: NodeName, planned: Plan) -> None:
        """Note that pod `owner` is being allocated on `node`; replaces its former reservation."""
        self._reservations.reserve(owner, node, planned)

    def release(self, owner: str) -> NodeName | None:
        """Drop the reservation of a pod; return the node it was on."""
        return self._reservations.release(owner)

    def holders(self, claim: ClaimUID) -> list[NodeName]:
        """Return the nodes whose NAS holds devices for a claim, sorted."""
        found = self._store.by_index(HOLDERS_INDEX, claim)
        return sorted(NodeName(obj["metadata"]["name"]) for obj in found)

    def written_by(self) -> dict[NodeName, tuple[str, str]]:
        """Return in which NAS, and by whom, the allocations of each node were written last."""
        known = ((node, self._look(node)) for node in self.nodes())
        return {
            node: each.state.written
            for node, each in known
            if each is not None and isinstance(each.state, NodeAllocationState)
        }

    def written(self, obj: JSON) -> None:
        """Take in the API server's answer to a read or write of a NAS."""
        self._store.written(obj)

    def _changed(self, old: JSON | None, new: JSON | None) -> None:
        """Read a NAS when it changes, so that no question has to wait for that."""
        self._look(NodeName((new or old or {})["metadata"]["name"]))

    def _look(self, node: NodeName) -> _Known | None:
        obj = self.raw(node)
        if obj is None:
            self._known.pop(node, None)
            self.heartbeats.saw(node, None)
            return None
        known = self._known.get(node)
        version = str(obj["metadata"].get("resourceVersion", ""))
        claims = self._claims.by_index(HANDLES_INDEX, node)
        if known is None or known.version != version or known.claims != claims:
            known = self._known[node] = _read(version, obj, claims, known, self._contract)
            if isinstance(known.state, NodeAllocationState):
                self.heartbeats.saw(node, known.state.heartbeat)
        return known


def _read(
    version: str, obj: JSON, claims: list[JSON], before: _Known | None, contract: Contract
) -> _Known:
    """Read a NAS; most versions differ from the one before in their heartbeat only."""
    spec, key = obj.get("spec"), contract.device_key
    try:
        if before is None or isinstance(before.state, Refusal) or before.spec != spec:
            state = parse_nas(obj, key)
        else:
            state = parse_nas({**obj, "spec": None}, key).with_spec_of(before.state)
    except MalformedState as error:
        malformed = Refusal("Malformed", str(error))
        return _Known(version, spec, claims, malformed, malformed)
    if claims:
        state = with_claims(state, map(read_claim, claims), contract)
    return _Known(version, spec, claims, state, view_of(state))
