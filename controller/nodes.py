"""The ledger of nodes: what each one offers now, from the watch cache of NodeAllocationStates.

Answers come from memory. A reservation says that a pod is about to be allocated on a node, so that
answers to other pods leave its devices out; it is a hint with an owner and an expiry, and the
allocation itself never trusts it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from api.errors import MalformedState
from api.nas import Device, NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID, DeviceID, Key, NodeName, object_key
from controller.allocator import DeviceRequest, Plan, Refusal, plan
from kube.store import Store

RESERVATION_SECONDS = 10.0
HOLDERS_INDEX = "allocated-claim"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node that takes claims: its state, and the devices that no claim occupies."""

    state: NodeAllocationState
    free: tuple[Device, ...]

    def plan(
        self, requests: Iterable[DeviceRequest], reserved: frozenset[DeviceID] = frozenset()
    ) -> Plan | Refusal:
        """Plan requests on this node, leaving reserved devices out."""
        free = tuple(d for d in self.free if d.id not in reserved) if reserved else self.free
        wanted = list(requests)
        held = {
            r.claim: self.state.allocated[r.claim].devices
            for r in wanted
            if r.claim in self.state.allocated
        }
        return plan(free, held, wanted)


@dataclass(frozen=True, slots=True)
class _Reservation:
    node: NodeName
    devices: frozenset[DeviceID]
    expires: float


def holders_index(obj: JSON) -> Iterable[str]:
    """Index a NAS by the uids of the claims that it holds devices for."""
    spec = obj.get("spec")
    allocated = spec.get("allocatedClaims") if isinstance(spec, dict) else None
    return list(allocated) if isinstance(allocated, dict) else []


class Ledger:
    """Views of all nodes, reservations, and one lock per node for read-plan-write."""

    def __init__(
        self, store: Store, namespace: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read from `store`, a cache of the NAS objects of `namespace` with holders_index."""
        self._store = store
        self._namespace = namespace
        self._clock = clock
        self._guard = threading.Lock()
        self._views: dict[NodeName, tuple[str, NodeView | Refusal]] = {}
        self._reservations: dict[str, _Reservation] = {}
        self._locks: dict[NodeName, threading.Lock] = {}

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
        obj = self.raw(node)
        if obj is None:
            self._views.pop(node, None)
            return Refusal("NotPublished", "no plugin has published its devices")
        version = str(obj["metadata"].get("resourceVersion", ""))
        cached = self._views.get(node)
        if cached is None or cached[0] != version:
            cached = (version, _view(obj))
            self._views[node] = cached
        return cached[1]

    def state(self, node: NodeName) -> NodeAllocationState | None:
        """Return the state of a node whether it is ready or not, None when there is none.

        Raises:
            MalformedState: somebody else wrote what we cannot read.
        """
        obj = self.raw(node)
        return None if obj is None else parse_nas(obj)

    def plan(self, node: NodeName, requests: Iterable[DeviceRequest], owner: str) -> Plan | Refusal:
        """Plan on a node as the pod `owner` may see it: without what others have reserved."""
        view = self.view(node)
        if isinstance(view, Refusal):
            return view
        return view.plan(requests, self._reserved(node, owner))

    def reserve(self, owner: str, node: NodeName, planned: Plan) -> None:
        """Note that pod `owner` is being allocated on `node`; replaces its former reservation."""
        devices = frozenset(d.id for given in planned.values() for d in given)
        expires = self._clock() + RESERVATION_SECONDS
        with self._guard:
            self._reservations[owner] = _Reservation(node, devices, expires)

    def release(self, owner: str) -> NodeName | None:
        """Drop the reservation of a pod; return the node it was on."""
        with self._guard:
            dropped = self._reservations.pop(owner, None)
        return dropped.node if dropped else None

    def holders(self, claim: ClaimUID) -> list[NodeName]:
        """Return the nodes whose NAS holds devices for a claim, sorted."""
        found = self._store.by_index(HOLDERS_INDEX, claim)
        return sorted(NodeName(obj["metadata"]["name"]) for obj in found)

    def lock(self, node: NodeName) -> AbstractContextManager[bool]:
        """Return the lock that serialises read-plan-write on a node within this process."""
        with self._guard:
            return self._locks.setdefault(node, threading.Lock())

    def written(self, obj: JSON) -> None:
        """Take in the API server's answer to a read or write of a NAS."""
        self._store.written(obj)

    def _reserved(self, node: NodeName, owner: str) -> frozenset[DeviceID]:
        if not self._reservations:
            return frozenset()
        now = self._clock()
        with self._guard:
            self._reservations = {o: r for o, r in self._reservations.items() if r.expires > now}
            others = [r for o, r in self._reservations.items() if o != owner and r.node == node]
        return frozenset(d for r in others for d in r.devices)


def _view(obj: JSON) -> NodeView | Refusal:
    try:
        state = parse_nas(obj)
    except MalformedState as error:
        return Refusal("Malformed", str(error))
    if not state.ready:
        return Refusal("NotReady", f"its plugin reports status {state.status}")
    occupied = state.occupied()
    return NodeView(state, tuple(d for d in state.allocatable if d.id not in occupied))
