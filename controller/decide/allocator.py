"""Which devices of one node serve which claims: a pure, deterministic, all-or-nothing decision.

A claim has one request or more, each with its own class and parameters; the devices of a claim are
in the order of its requests. Called for every potential node of a pod with all pending claims of
the pod, and again right before the decision is written. Devices are preferred in the order of the
node's state.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from api.names import TIME_SLICED
from api.nas import AllocatedDevice, Device, NodeAllocationState
from api.objects import ClaimUID, NodeName
from api.parameters import ClaimParameters, ClassParameters
from api.sharing import sharers
from api.texts import counted, listed
from controller.decide.matching import matched
from controller.decide.timeslices import (
    Given,
    SharedDevice,
    SharesRequest,
    parted,
    serve,
    serve_some,
)

_SHOWN_GROUPS: Final = 3
_SHOWN_MODELS: Final = 5
_SHOWN_DEVICES: Final = 8


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What one claim asks of a node, or one part of it.

    Attributes:
        claim: that the devices are for.
        wanted: number and kind of devices.
        offered_by_class: the devices that the class allows.
        name: of the request within its claim; empty where a claim cannot have several.
    """

    claim: ClaimUID
    wanted: ClaimParameters = field(default_factory=ClaimParameters)
    offered_by_class: ClassParameters = field(default_factory=ClassParameters)
    name: str = ""

    def admits(self, device: Device) -> bool:
        """Tell whether the device may serve this request."""
        return self.offered_by_class.admits(device.model) and self.wanted.admits(device.model)

    @property
    def max_clients(self) -> int | None:
        """Most claims that may share each of the devices; None if nobody else may have them."""
        return self.offered_by_class.max_clients

    def recordable(self, state: NodeAllocationState) -> bool:
        """Tell whether the state of a node can say who has the devices, shares included."""
        return self.max_clients is None or TIME_SLICED in state.sharing


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node cannot serve a pod's claims.

    Attributes:
        reason: CamelCase word of a small fixed set, for metrics.
        message: for people, without the node's name.
    """

    reason: str
    message: str


Plan: TypeAlias = Mapping[ClaimUID, Given]


def plan(
    free: Sequence[Device],
    held: Plan,
    requests: Sequence[DeviceRequest],
    offered: Sequence[Device],
    shared: Sequence[SharedDevice] = (),
) -> Plan | Refusal:
    """Give every request its devices, or say why that is impossible.

    Args:
        free: devices that no claim holds, in order of preference.
        held: what claims hold on this node already; a claim in it keeps just that.
        requests: of all pending claims of one pod.
        offered: all devices of the node, which tell what is impossible for ever.
        shared: devices that claims share, and nobody has alone; also those without room for more.

    Returns:
        The devices of every claim, or the refusal when any request cannot be served.
    """
    open_requests = [r for r in requests if r.claim not in held]
    chosen = {r.claim: held[r.claim] for r in requests if r.claim in held}
    found = _serve(free, shared, open_requests)
    if found is None:
        return _refusal(open_requests, *_without_others(held, offered))
    for request, given in zip(open_requests, found, strict=True):
        chosen[request.claim] = (*chosen.get(request.claim, ()), *given)
    return chosen


def fits(
    free: Sequence[Device], shared: Sequence[SharedDevice], requests: Sequence[DeviceRequest]
) -> bool:
    """Tell whether all requests can be served."""
    return _serve(free, shared, requests) is not None


def served(
    free: Sequence[Device], shared: Sequence[SharedDevice], requests: Sequence[DeviceRequest]
) -> tuple[int, Sequence[SharedDevice]]:
    """Return how many devices, or shares, requests can be given, and who shares which then.

    They may not all be served. Where shares are wanted no other choices are tried, so that it may
    be a few more.
    """
    alone = [request for request in requests if request.max_clients is None]
    found = matched([each.wanted.count for each in alone], _eligible(free, alone))
    taken = {number for given in found for number in given}
    if len(alone) == len(requests):
        return len(taken), shared
    devices = [*shared, *(SharedDevice(d) for n, d in enumerate(free) if n not in taken)]
    count, after = serve_some(_sharing(requests, devices), devices)
    return len(taken) + count, after


def described_requests(requests: Sequence[DeviceRequest]) -> str:
    """Return what is asked for, for people."""
    return listed([_devices(group) for group in _grouped(requests)], _SHOWN_GROUPS)


def left_over(
    free: Sequence[Device], shared: Sequence[SharedDevice], request: DeviceRequest
) -> int:
    """Return how many devices, or shares of devices, of what a class offers are left on a node."""
    most = request.max_clients
    models = {device.model for device in (*free, *(each.device for each in shared))}
    offered = {model for model in models if request.offered_by_class.admits(model)}
    whole = sum(device.model in offered for device in free)
    if most is None:
        return whole
    room = (each.clients.room(most) for each in shared if each.device.model in offered)
    return whole * most + sum(room)


def described(node: NodeName, devices: Sequence[AllocatedDevice]) -> str:
    """Return what a claim got, for people."""
    names = [_named(device) for device in devices]
    return f"{counted(len(devices), 'device')} of node {node}: {listed(names, _SHOWN_DEVICES)}"


def _named(device: AllocatedDevice) -> str:
    if device.share is not None:
        client, most = device.share.client, device.share.max_clients
        return f"{device.id} as client {client} of at most {most}"
    return f"{device.id} split in {device.split}" if device.split > 1 else device.id


def _serve(
    free: Sequence[Device], shared: Sequence[SharedDevice], requests: Sequence[DeviceRequest]
) -> list[Given] | None:
    """Return what each request gets, None if they cannot all be served."""
    alone = [request for request in requests if request.max_clients is None]
    if len(alone) == len(requests):
        given = _match(free, alone)
        return None if given is None else [*map(_whole, alone, given)]
    devices = [*shared, *map(SharedDevice, free)]
    found = serve(_sharing(requests, devices), devices, lambda left: _match(left, alone))
    if found is None:
        return None
    shares, whole = iter(found[0]), map(_whole, alone, found[1])
    return [next(whole if r.max_clients is None else shares) for r in requests]


def _sharing(
    requests: Sequence[DeviceRequest], devices: Sequence[SharedDevice]
) -> list[SharesRequest]:
    """Return the requests for shares, with the models that may serve them."""
    offered = [each.device for each in devices]
    return [
        SharesRequest(
            each.claim,
            each.wanted.count,
            each.max_clients,
            frozenset(offered[i].model for i in may),
        )
        for each, may in zip(requests, _eligible(offered, requests), strict=True)
        if each.max_clients is not None
    ]


def _whole(request: DeviceRequest, devices: Sequence[Device]) -> Given:
    split = request.wanted.split if request.wanted.split > 1 else 0
    return tuple(AllocatedDevice(device.id, split) for device in devices)


def _without_others(
    held: Plan, offered: Sequence[Device]
) -> tuple[Sequence[Device], Sequence[SharedDevice]]:
    """Return the devices that would be free, or shared, if only these claims held some."""
    given = [(device.id, uid, device.share) for uid, each in held.items() for device in each]
    return parted(offered, {device for device, _, _ in given}, sharers(given))


def _match(free: Sequence[Device], requests: Sequence[DeviceRequest]) -> list[list[Device]] | None:
    """Return the devices of each request, None if they cannot all be served."""
    counts = [request.wanted.count for request in requests]
    if sum(counts) > len(free):
        return None
    found = matched(counts, _eligible(free, requests))
    if [*map(len, found)] != counts:
        return None
    return [[free[i] for i in given] for given in found]


def _eligible(free: Sequence[Device], requests: Sequence[DeviceRequest]) -> list[list[int]]:
    """Return the indexes of the devices that may serve each request.

    A model is matched once however many devices have it: nodes have many devices of few models.
    """
    by_model = {device.model: device for device in free}
    eligible = []
    for request in requests:
        models = set()
        for model, device in by_model.items():
            if request.admits(device):
                models.add(model)
        eligible.append([i for i, d in enumerate(free) if d.model in models])
    return eligible


def _refusal(
    requests: Sequence[DeviceRequest], free: Sequence[Device], shared: Sequence[SharedDevice]
) -> Refusal:
    """Say what a node lacks: for ever if not even all of its devices would do, else for now.

    The text changes with what is asked and offered only, not with what is free: an event that
    repeats is counted as long as its text is the same.
    """
    wanted = _grouped(requests)
    asked = f"asked for {described_requests(requests)}"
    offered = [*free, *(each.device for each in shared)]
    if _least(wanted) > len(offered):
        return Refusal("TooFewDevices", f"{asked}, which can never fit on a node of {len(offered)}")
    if _serve(free, shared, requests) is not None:
        return Refusal("TooFewFree", f"{asked}, not free at present")
    told = f"{asked}, which can never fit together"
    eligible = _eligible(offered, [group.request for group in wanted])
    for group, there in zip(wanted, map(len, eligible), strict=True):
        if there < group.least:
            told = f"asked for {_devices(group)}, the node has {there or 'none'}"
            break
    models = listed(sorted({device.model for device in offered}), _SHOWN_MODELS)
    return Refusal("NoMatchingModel", f"{told} (its models: {models})")


@dataclass(frozen=True, slots=True)
class _Group:
    """Requests for the same devices.

    Attributes:
        request: one of them.
        count: of devices, or shares, that they want together.
        least: devices that they need at least.
    """

    request: DeviceRequest
    count: int
    least: int


def _least(groups: Sequence[_Group]) -> int:
    """Return how many devices all of them need at least: shares may be of the same devices."""
    alone = sum(group.least for group in groups if group.request.max_clients is None)
    shared = [group.least for group in groups if group.request.max_clients is not None]
    return alone + max(shared, default=0)


def _grouped(requests: Sequence[DeviceRequest]) -> list[_Group]:
    groups: dict[tuple[str | None, ClassParameters], list[DeviceRequest]] = {}
    for request in requests:
        key = (request.wanted.model, request.offered_by_class)
        groups.setdefault(key, []).append(request)
    return [_group(each) for each in groups.values()]


def _group(requests: Sequence[DeviceRequest]) -> _Group:
    counts = [request.wanted.count for request in requests]
    last, total = requests[-1], sum(counts)
    if last.max_clients is None:
        return _Group(last, total, total)
    return _Group(last, total, max(*counts, math.ceil(total / last.max_clients)))


def _devices(group: _Group) -> str:
    model = group.request.wanted.model
    any_of_all = all(selector.name == "*" for selector in group.request.offered_by_class.selectors)
    most = group.request.max_clients
    return (
        f"{counted(group.count, 'device' if most is None else 'share')}"
        f"{'' if most is None else ' of devices with at most ' + counted(most, 'client')}"
        f"{'' if model is None else f' of model {model}'}"
        f"{'' if any_of_all else ' that the class offers'}"
    )
