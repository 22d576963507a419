"""The nearest miss: which node lacks least for a pod, and who holds what it lacks.

What is told changes with the state of one node only, and names times instead of ages: an event that
repeats is counted as long as its text is the same.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.claims.view import consumers
from api.nas import AllocatedClaim, Device, NodeAllocationState
from api.objects import JSON, ClaimUID, DeviceID, NodeName, key_of
from api.texts import counted, listed
from controller.decide.allocator import DeviceRequest, described_requests, served

ClaimOf = Callable[[ClaimUID, AllocatedClaim], JSON | None]
"""Returns the object of a claim that has devices, None if it is not known."""

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Miss:
    """A node that would serve a pod if others gave devices back.

    Attributes:
        serves: how many of the devices it could give now.
        wanted: how many there have to be.
        asked: what is wanted, in words.
        holders: claims that hold devices which would do.
        reserved: how many of these are about to be given to other pods.
    """

    node: NodeName
    serves: int
    wanted: int
    asked: str
    holders: Mapping[ClaimUID, AllocatedClaim]
    reserved: int = 0

    @property
    def missing(self) -> int:
        """How many devices it lacks."""
        return self.wanted - self.serves

    def told(self, claim_of: ClaimOf) -> str:
        """Return it for people."""
        held = [_holder(uid, entry, claim_of(uid, entry)) for uid, entry in self.holders.items()]
        if self.reserved:
            held.append(f"other pods that are about to get {counted(self.reserved, 'device')}")
        rest = f"; the rest is held by {listed(held, _SHOWN)}" if held else ""
        return f"nearest is {self.node}, with {self.serves} of {self.asked} free{rest}"


@dataclass(frozen=True, slots=True)
class Supply:
    """What a node has.

    Attributes:
        state: of the node.
        free: devices that no claim has.
        reserved: those of them that other pods are about to get.
    """

    state: NodeAllocationState
    free: Sequence[Device]
    reserved: Collection[DeviceID] = ()

    def open(self, requests: Sequence[DeviceRequest]) -> list[DeviceRequest]:
        """Return the requests of claims that have no devices here."""
        return [each for each in requests if each.claim not in self.state.allocated]

    def serves(self, requests: Sequence[DeviceRequest]) -> int:
        """Return how many devices it could give now."""
        at_hand = [each for each in self.free if each.id not in self.reserved]
        return served(at_hand, requests)

    def missing(self, requests: Sequence[DeviceRequest]) -> int:
        """Return how many devices it lacks at present."""
        asked = self.open(requests)
        return sum(each.wanted.count for each in asked) - self.serves(asked)


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
    others = {uid: entry for uid, entry in state.allocated.items() if uid not in own}
    taken = {each.id for entry in others.values() for each in entry.devices}
    possible = [*supply.free, *(each for each in state.allocatable if each.id in taken)]
    wanted, serves = sum(each.wanted.count for each in asked), supply.serves(asked)
    if serves == wanted or served(possible, asked) < wanted:
        return None
    useful = {d.id for d in state.allocatable if any(r.admits(d) for r in asked)}
    holders = {
        uid: entry
        for uid, entry in others.items()
        if any(device.id in useful for device in entry.devices)
    }
    about = len(useful & {*supply.reserved})
    return Miss(state.node, serves, wanted, described_requests(asked), holders, about)


def _holder(uid: ClaimUID, entry: AllocatedClaim, claim: JSON | None) -> str:
    if claim is None:
        return f"claim {entry.namespace}/{entry.name}" if entry.name else f"the claim of uid {uid}"
    whom = ", ".join(consumers(claim)) or "reserved for nobody"
    since = claim["metadata"].get("creationTimestamp")
    return f"claim {key_of(claim)} ({whom}){f' since {since}' if since else ''}"
