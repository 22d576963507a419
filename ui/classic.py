"""The same cards out of NodeAllocationStates, where the driver's controller allocates. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from api.nas import AllocatedDevice, Device, NodeAllocationState, Share
from api.objects import JSON, ClaimUID, DeviceID
from kube.store import Store
from ui.caches import UID
from ui.cards import Card, Part, State


@dataclass(frozen=True, slots=True)
class _Held:
    claim: str
    uid: ClaimUID
    split: int
    share: Share | None


def cards(state: NodeAllocationState, left: Collection[str]) -> Sequence[Card]:
    """Return the devices of a node as cards.

    Args:
        state: of the node.
        left: `namespace/name` of claims that hold devices and that nobody uses.
    """
    held = holders(state)
    occupied = state.occupied()
    return [
        Card(each.id, 1, tuple(_parts(each, held.get(each.id, ()), state, left, occupied)))
        for each in state.allocatable
    ]


def holders(state: NodeAllocationState) -> Mapping[DeviceID, Sequence[_Held]]:
    """Return which claims have each device that is in use, by their numbers if they share it."""
    found: dict[DeviceID, list[_Held]] = {}
    for uid, claim in state.holders.items():
        for device in claim.devices:
            held = _Held(f"{claim.namespace}/{claim.name}", uid, device.split, device.share)
            found.setdefault(device.id, []).append(held)
    return {device: sorted(each, key=_number) for device, each in found.items()}


def _number(held: _Held) -> int:
    return held.share.client if held.share else 0


def named(state: NodeAllocationState, claims: Store) -> NodeAllocationState:
    """Return a state that names all claims that are known, as not all writers do."""
    found = {}
    for uid, held in state.allocated.items():
        meta: JSON = next((each["metadata"] for each in claims.by_index(UID, uid)), {})
        names = {"namespace": meta.get("namespace", ""), "name": meta.get("name", uid)}
        found[uid] = held if held.name else replace(held, **names)
    return replace(state, allocated=found)


def notes(state: NodeAllocationState, *, local: bool) -> Iterator[str]:
    """Yield what is the matter with a node.

    Args:
        state: of the node.
        local: whether claims of one namespace only are known.
    """
    if not state.ready:
        yield f"the driver's plugin says {state.status}"
    if state.unreadable:
        yield state.unreadable
    if state.writer and local:
        yield "claims of other namespaces, which are not shown, may have more of its devices"


def devices_of(state: NodeAllocationState, uid: ClaimUID) -> Sequence[AllocatedDevice]:
    """Return what a claim has of a node."""
    claim = state.holders.get(uid)
    return claim.devices if claim else ()


def children(state: NodeAllocationState, device: DeviceID, uid: ClaimUID) -> Sequence[DeviceID]:
    """Return the parts of a device that containers of a claim see; none until it is prepared."""
    return [each.id for each in state.prepared.get(uid, ()) if each.parent == device]


def _parts(
    device: Device,
    held: Sequence[_Held],
    state: NodeAllocationState,
    left: Collection[str],
    occupied: Collection[DeviceID],
) -> Iterator[Part]:
    if not held:
        yield Part(device.id, State.BUSY if device.id in occupied else State.FREE)
        return
    places = max(_places(held), len(held))
    for index, each in enumerate(held):
        how = State.LEFT if each.claim in left else State.USED
        number = max(each.split, 1)
        names = [*children(state, device.id, each.uid)]
        for part in range(number):
            name = names[part] if len(names) == number else device.id
            start = (index + part / number) / places
            yield Part(name, how, start, 1 / number / places, (each.claim,))
    if places > len(held):
        yield Part(device.id, State.FREE, len(held) / places, 1 - len(held) / places)


def _places(held: Sequence[_Held]) -> int:
    """Return how many claims may have a device: as many as the smallest promise says."""
    return min(each.share.max_clients if each.share else 1 for each in held)
