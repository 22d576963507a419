"""Which claims share which devices of a node, beside claims that want devices alone: pure.

Devices that are shared already come first, so that others stay whole; of these the ones whose
clients were promised the same, since the smallest promise counts for a device. When that leaves
somebody without, other choices are tried. Called by the allocator for pods that want shares.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from api.nas import AllocatedDevice, Device, NodeAllocationState
from api.objects import ClaimUID, DeviceID
from api.sharing import Clients

MOST_TRIES: Final = 300
"""Choices that are tried for a pod on a node, so that an answer takes no longer than a tenth of a
second. A pod whose claims, of several classes, want most of a node may need more; it is refused."""

Given = tuple[AllocatedDevice, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SharedDevice:
    """A device that nobody has alone.

    Attributes:
        device: of the node.
        clients: who shares it.
        planned: claims of the pod that are about to share it, each at most once.
    """

    device: Device
    clients: Clients = field(default_factory=Clients)
    planned: frozenset[ClaimUID] = frozenset()


@dataclass(frozen=True, slots=True)
class SharesRequest:
    """What is asked for.

    Attributes:
        claim: that the shares are for.
        count: of different devices.
        max_clients: most claims that may share each of them.
        models: of the devices that will do.
    """

    claim: ClaimUID
    count: int
    max_clients: int
    models: frozenset[str]

    def fits(self, each: SharedDevice) -> bool:
        """Tell whether the claim may get a share of a device."""
        return (
            each.clients.room(self.max_clients) > 0
            and self.claim not in each.planned
            and each.device.model in self.models
        )


def serve(
    requests: Sequence[SharesRequest],
    devices: Sequence[SharedDevice],
    rest: Callable[[Sequence[Device]], T | None],
) -> tuple[list[Given], T] | None:
    """Give every request its shares so that the rest can be served too, or tell that none can.

    Args:
        requests: of one pod.
        devices: that nobody has alone, those without clients included.
        rest: serves who wants devices alone, with the devices that are left without clients.
    """
    return _serve(requests, tuple(devices), rest, iter(range(MOST_TRIES)))


def serve_some(
    requests: Sequence[SharesRequest], devices: Sequence[SharedDevice]
) -> tuple[int, Sequence[SharedDevice]]:
    """Give requests shares of the first devices that fit; return how many, and who shares then."""
    count = 0
    for request in requests:
        chosen = [n for n, each in enumerate(devices) if request.fits(each)][: request.count]
        count += len(chosen)
        _, devices = _joined(request, chosen, devices)
    return count, devices


def at_hand(state: NodeAllocationState) -> tuple[tuple[Device, ...], tuple[SharedDevice, ...]]:
    """Return the devices that nobody has, and those that are shared and nobody has alone."""
    return parted(state.allocatable, state.occupied(), state.clients())


def parted(
    offered: Sequence[Device], taken: Container[DeviceID], clients: Mapping[DeviceID, Clients]
) -> tuple[tuple[Device, ...], tuple[SharedDevice, ...]]:
    """Return those of some devices that are free, and those that are shared."""
    free = tuple(d for d in offered if d.id not in taken)
    if not clients:
        return free, ()
    return free, tuple(SharedDevice(d, clients[d.id]) for d in offered if d.id in clients)


def _serve(
    requests: Sequence[SharesRequest],
    devices: tuple[SharedDevice, ...],
    rest: Callable[[Sequence[Device]], T | None],
    tries: Iterator[int],
) -> tuple[list[Given], T] | None:
    if not requests:
        left = rest([each.device for each in devices if not each.clients.count])
        return None if left is None else ([], left)
    for chosen in _choices(requests[0], devices):
        if next(tries, None) is None:
            return None
        given, joined = _joined(requests[0], chosen, devices)
        found = _serve(requests[1:], joined, rest, tries)
        if found is not None:
            return [given, *found[0]], found[1]
    return None


def _joined(
    request: SharesRequest, chosen: Iterable[int], devices: Sequence[SharedDevice]
) -> tuple[Given, tuple[SharedDevice, ...]]:
    """Return what a claim gets of the devices with these indexes, and all devices afterwards."""
    given = {n: _share(request, devices[n]) for n in chosen}
    after = tuple(given[n][1] if n in given else each for n, each in enumerate(devices))
    return tuple(made for made, _ in given.values()), after


def _share(request: SharesRequest, each: SharedDevice) -> tuple[AllocatedDevice, SharedDevice]:
    """Return what the claim gets of a device, and the device afterwards."""
    share = each.clients.next_share(request.max_clients)
    planned = each.planned | {request.claim}
    after = replace(each, clients=each.clients.having(share), planned=planned)
    return AllocatedDevice(each.device.id, 0, share), after


def _choices(request: SharesRequest, devices: Sequence[SharedDevice]) -> Iterator[list[int]]:
    """Yield the choices of devices that differ by more than names, the preferred one first."""
    alike: dict[object, list[int]] = {}
    ranks: dict[object, int] = {}
    for number, each in enumerate(devices):
        if request.fits(each):
            clients = each.clients
            kind = (each.device.model, clients.count, clients.limit, each.planned)
            alike.setdefault(kind, []).append(number)
            ranks[kind] = _rank(request, clients)
    kinds = sorted(alike, key=lambda kind: ranks[kind])
    for counts in _parts(request.count, [len(alike[kind]) for kind in kinds]):
        taken = zip(kinds, counts, strict=True)
        yield [number for kind, count in taken for number in alike[kind][:count]]


def _rank(request: SharesRequest, clients: Clients) -> int:
    if not clients.count:
        return 2
    return 0 if clients.limit == request.max_clients else 1


def _parts(total: int, sizes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield how many to take of each size so that it is `total`, as many as can be of the first."""
    if not sizes:
        if total == 0:
            yield ()
        return
    least = max(0, total - sum(sizes[1:]))
    for count in range(min(total, sizes[0]), least - 1, -1):
        for others in _parts(total - count, sizes[1:]):
            yield (count, *others)
