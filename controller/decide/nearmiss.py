"""The nearest miss: which node lacks least for a pod, and who holds what it lacks.

What is told changes with the state of one node only, and names times instead of ages: an event that
repeats is counted as long as its text is the same.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeVar

from api.claims.view import consumers
from api.nas import AllocatedClaim, AllocatedDevice, Device, NodeAllocationState
from api.objects import JSON, ClaimUID, DeviceID, NodeName, key_of
from api.texts import counted, listed
from controller.decide.allocator import (
    DeviceRequest,
    Plan,
    described_requests,
    fits,
    served,
)
from controller.decide.timeslices import SharedDevice, at_hand

ClaimOf = Callable[[ClaimUID, AllocatedClaim], JSON | None]
"""Returns the object of a claim that has devices, None if it is not known."""

_SHOWN: Final = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Miss:
    """A node that would serve a pod if others gave devices back.

    Attributes:
        serves: how many of the devices, or shares, it could give now.
        wanted: how many there have to be.
        asked: what is wanted, in words.
        holders: claims that are in the way: they hold devices which would do.
        reserved: what other pods are about to get of these.
    """

    node: NodeName
    serves: int
    wanted: int
    asked: str
    holders: Mapping[ClaimUID, AllocatedClaim]
    reserved: Sequence[AllocatedDevice] = ()

    @property
    def missing(self) -> int:
        """How many devices it lacks."""
        return self.wanted - self.serves

    def told(self, claim_of: ClaimOf) -> str:
        """Return it for people."""
        held = [_holder(uid, entry, claim_of(uid, entry)) for uid, entry in self.holders.items()]
        if self.reserved:
            held.append(f"other pods that are about to get {_amount(self.reserved)}")
        rest = f"; the rest is held by {listed(held, _SHOWN)}" if held else ""
        return f"nearest is {self.node}, with {self.serves} of {self.asked} free{rest}"


@dataclass(frozen=True, slots=True)
class Supply:
    """What a node has.

    Attributes:
        state: of the node.
        free: devices that nobody has, or is about to get.
        shared: devices that are shared, or about to be, and that nobody has alone.
        reserved: what claims of other pods are about to get.
    """

    state: NodeAllocationState
    free: Sequence[Device]
    shared: Sequence[SharedDevice] = ()
    reserved: Plan = field(default_factory=lambda: MappingProxyType({}))

    def open(self, requests: Sequence[DeviceRequest]) -> list[DeviceRequest]:
        """Return the requests of claims that have no devices here."""
        return [each for each in requests if each.claim not in self.state.holders]

    def missing(self, requests: Sequence[DeviceRequest]) -> int:
        """Return how many devices, or shares, it lacks at present."""
        asked = self.open(requests)
        return _wanted(asked) - served(self.free, self.shared, asked)[0]


def nearest(supplies: Iterable[Supply], requests: Sequence[DeviceRequest]) -> Miss | None:
    """Return the miss that lacks least; ties go by name, so that it stays the same.

    Args:
        supplies: of the nodes that don't serve a pod.
        requests: of all pending claims of the pod.
    """
    ordered = sorted(supplies, key=lambda each: (each.missing(requests), each.state.node))
    return next(filter(None, (_miss(each, requests) for each in ordered)), None)


def _miss(supply: Supply, requests: Sequence[DeviceRequest]) -> Miss | None:
    """Return what a node lacks, None if it lacks nothing, or would never serve the pod."""
    asked, state = supply.open(requests), supply.state
    own = {each.claim for each in requests}
    others = {uid: entry for uid, entry in state.holders.items() if uid not in own}
    serves, shared = served(supply.free, supply.shared, asked)
    if serves == _wanted(asked) or fits(supply.free, supply.shared, asked):
        return None
    if not _possible(state, others, asked):
        return None
    useful = _useful(state.allocatable, shared, asked)
    holders = {
        uid: entry
        for uid, entry in others.items()
        if any(device.id in useful for device in entry.devices)
    }
    about = [
        device
        for uid, given in supply.reserved.items()
        for device in given
        if uid not in others and device.id in useful
    ]
    told = described_requests(asked)
    return Miss(state.node, serves, _wanted(asked), told, holders, about)


def _useful(
    offered: Sequence[Device], shared: Sequence[SharedDevice], requests: Sequence[DeviceRequest]
) -> set[DeviceID]:
    """Return the devices that would serve a request if those who have them gave them back.

    Args:
        offered: all of the node.
        shared: devices that are shared once the requests have got what there is.
        requests: that are not all served.
    """
    known = {each.device.id: each for each in shared}

    def is_at_hand(device: Device, request: DeviceRequest) -> bool:
        if request.max_clients is None or device.id not in known:
            return False
        each = known[device.id]
        return request.claim in each.planned or each.clients.room(request.max_clients) > 0

    return {
        device.id
        for device in offered
        if any(each.admits(device) and not is_at_hand(device, each) for each in requests)
    }


def _possible(
    state: NodeAllocationState,
    others: Mapping[ClaimUID, AllocatedClaim],
    requests: Sequence[DeviceRequest],
) -> bool:
    """Tell whether a node would serve requests if others gave back all they have."""
    without = replace(
        state,
        allocated=_but(others, state.allocated),
        in_claims=_but(others, state.in_claims),
        prepared=_but(others, state.prepared),
    )
    return all(each.recordable(state) for each in requests) and fits(*at_hand(without), requests)


def _but(others: Container[ClaimUID], held: Mapping[ClaimUID, T]) -> Mapping[ClaimUID, T]:
    return {uid: what for uid, what in held.items() if uid not in others}


def _wanted(requests: Sequence[DeviceRequest]) -> int:
    return sum(each.wanted.count for each in requests)


def _amount(devices: Sequence[AllocatedDevice]) -> str:
    """Return how many devices, and how many shares, these are."""
    shares = sum(device.share is not None for device in devices)
    alone = counted(len(devices) - shares, "device")
    if not shares:
        return alone
    shared = counted(shares, "share")
    return shared if shares == len(devices) else f"{alone} and {shared}"


def _holder(uid: ClaimUID, entry: AllocatedClaim, claim: JSON | None) -> str:
    if claim is None:
        return f"claim {entry.namespace}/{entry.name}" if entry.name else f"the claim of uid {uid}"
    whom = ", ".join(consumers(claim)) or "reserved for nobody"
    since = claim["metadata"].get("creationTimestamp")
    return f"claim {key_of(claim)} ({whom}){f' since {since}' if since else ''}"
