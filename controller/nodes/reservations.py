"""Devices that pods are about to be given: hints, each with an owner and an expiry.

Kept by the ledger of nodes, which asks for every node that it plans on; so a node without
reservations costs one look into a dictionary, whatever is reserved elsewhere.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.objects import DeviceID, NodeName

RESERVATION_SECONDS: Final = 10.0

_NONE: Final[frozenset[DeviceID]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Reservation:
    owner: str
    node: NodeName
    devices: frozenset[DeviceID]
    expires: float


class Reservations:
    """Thread-safe; at most one reservation for each owner."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start empty; `clock` gives monotonic seconds."""
        self._clock = clock
        self._guard = threading.Lock()
        self._by_owner: dict[str, _Reservation] = {}
        self._by_node: dict[NodeName, tuple[_Reservation, ...]] = {}

    def reserve(self, owner: str, node: NodeName, devices: frozenset[DeviceID]) -> None:
        """Reserve devices of a node for a while; replaces the owner's former reservation."""
        now = self._clock()
        with self._guard:
            expired = [r.owner for r in self._by_owner.values() if r.expires <= now]
            for former in {*expired, owner}:
                self._drop(former)
            made = _Reservation(owner, node, devices, now + RESERVATION_SECONDS)
            self._by_owner[owner] = made
            self._by_node[node] = (*self._by_node.get(node, ()), made)

    def release(self, owner: str) -> NodeName | None:
        """Drop the reservation of an owner; return the node it was on."""
        with self._guard:
            dropped = self._drop(owner)
        return dropped.node if dropped else None

    def of_others(self, node: NodeName, owner: str) -> frozenset[DeviceID]:
        """Return the devices of a node that somebody else than `owner` has reserved."""
        here = self._by_node.get(node)
        if not here:
            return _NONE
        now = self._clock()
        others = [r.devices for r in here if r.owner != owner and r.expires > now]
        return _NONE.union(*others)

    def _drop(self, owner: str) -> _Reservation | None:
        dropped = self._by_owner.pop(owner, None)
        if dropped is not None:
            rest = tuple(r for r in self._by_node[dropped.node] if r.owner != owner)
            if rest:
                self._by_node[dropped.node] = rest
            else:
                del self._by_node[dropped.node]
        return dropped
