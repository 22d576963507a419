"""The ledger of nodes: what each one offers now, from the watch cache of NodeAllocationStates.

Answers come from memory. A reservation says that a pod is about to be allocated on a node, so that
answers to other pods leave its devices out; it is a hint with an owner and an expiry, and the
allocation itself never trusts it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from api.errors import MalformedState
from api.nas import Device, NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID, DeviceID, Key, NodeName, object_key
from controller.decide.allocator import DeviceRequest, Plan, Refusal, plan
from controller.nodes.heartbeats import Heartbeats
from controller.nodes.reservations import Reservations
from kube.store import Store

HOLDERS_INDEX = "allocated-claim"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node that takes claims: its state, and the devices that no claim occupies."""

    state: NodeAllocationState
    free: tuple[Device, ...]

    def plan(
        self, requests: Sequence[DeviceRequest], reserved: frozenset[DeviceID] = frozenset()
    ) -> Plan | Refusal:
        """Plan requests on this node, leaving reserved devices out."""
        free = tuple(d for d in self.free if d.id not in reserved) if reserved else self.free
        allocated = self.state.allocated
        held = {r.claim: allocated[r.claim].devices for r in requests if r.claim in allocated}
        return plan(free, held, requests, self.state.allocatable)


@dataclass(frozen=True, slots=True)
class _Known:
    """What one version of a NAS was read as; a malformed one has no state, only its refusal."""

    version: str
    spec: object
    state: NodeAllocationState | Refusal
    view: NodeView | Refusal


def view_of(state: NodeAllocationState | None) -> NodeView | Refusal:
    """Return what a node in this state offers, or why it takes no claims."""
    if state is None:
        return Refusal("NotPublished", "no plugin has published its devices")
    if not state.ready:
        return Refusal("NotReady", f"its plugin reports status {state.status}")
    occupied = state.occupied()
    return NodeView(state, tuple(d for d in state.allocatable if d.id not in occupied))


def holders_index(obj: JSON) -> Iterable[str]:
    """Index a NAS by the uids of the claims that it holds devices for."""
    spec = obj.get("spec")
    allocated = spec.get("allocatedClaims") if isinstance(spec, dict) else None
    return list(allocated) if isinstance(allocated, dict) else []


class Ledger:
    """Views of all nodes, and reservations.

    Attributes:
        heartbeats: of all nodes.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        device_key: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read from `store`, a cache of the NAS objects of `namespace` with holders_index."""
        self._store = store
        self._namespace = namespace
        self._device_key = device_key
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

    def plan(self, node: NodeName, requests: Sequence[DeviceRequest], owner: str) -> Plan | Refusal:
        """Plan on a node as the pod `owner` may see it: without what others have reserved."""
        view = self.view(node)
        if isinstance(view, Refusal):
            return view
        return view.plan(requests, self._reservations.of_others(node, owner))

    def reserve(self, owner: str, node: NodeName, planned: Plan) -> None:
        """Note that pod `owner` is being allocated on `node`; replaces its former reservation."""
        devices = frozenset(d.id for given in planned.values() for d in given)
        self._reservations.reserve(owner, node, devices)

    def release(self, owner: str) -> NodeName | None:
        """Drop the reservation of a pod; return the node it was on."""
        return self._reservations.release(owner)

    def holders(self, claim: ClaimUID) -> list[NodeName]:
        """Return the nodes whose NAS holds devices for a claim, sorted."""
        found = self._store.by_index(HOLDERS_INDEX, claim)
        return sorted(NodeName(obj["metadata"]["name"]) for obj in found)

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
        if known is None or known.version != version:
            known = self._known[node] = _read(version, obj, known, self._device_key)
            if isinstance(known.state, NodeAllocationState):
                self.heartbeats.saw(node, known.state.heartbeat)
        return known


def _read(version: str, obj: JSON, before: _Known | None, key: str) -> _Known:
    """Read a NAS; most versions differ from the one before in their heartbeat only."""
    spec = obj.get("spec")
    try:
        if before is None or isinstance(before.state, Refusal) or before.spec != spec:
            state = parse_nas(obj, key)
        else:
            state = parse_nas({**obj, "spec": None}, key).with_spec_of(before.state)
    except MalformedState as error:
        malformed = Refusal("Malformed", str(error))
        return _Known(version, spec, malformed, malformed)
    return _Known(version, spec, state, view_of(state))
