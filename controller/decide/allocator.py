"""Which devices of one node serve which claims: a pure, deterministic, all-or-nothing decision.

A claim has one request or more, each with its own class and parameters; the devices of a claim are
in the order of its requests. Called for every potential node of a pod with all pending claims of
the pod, and again right before the decision is written. Devices are preferred in the order of the
node's state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from api.nas import AllocatedDevice, Device
from api.objects import ClaimUID, NodeName
from api.parameters import ClaimParameters, ClassParameters
from api.texts import counted, listed

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node cannot serve a pod's claims.

    Attributes:
        reason: CamelCase word of a small fixed set, for metrics.
        message: for people, without the node's name.
    """

    reason: str
    message: str


Plan: TypeAlias = Mapping[ClaimUID, tuple[AllocatedDevice, ...]]


def plan(
    free: Sequence[Device],
    held: Mapping[ClaimUID, tuple[AllocatedDevice, ...]],
    requests: Sequence[DeviceRequest],
    offered: Sequence[Device],
) -> Plan | Refusal:
    """Give every request its devices, or say why that is impossible.

    Args:
        free: devices that no claim holds, in order of preference.
        held: what claims hold on this node already; a claim in it keeps just that.
        requests: of all pending claims of one pod.
        offered: all devices of the node, which tell what is impossible for ever.

    Returns:
        The devices of every claim, or the refusal when any request cannot be served.
    """
    open_requests = [r for r in requests if r.claim not in held]
    chosen = {r.claim: held[r.claim] for r in requests if r.claim in held}
    matched = _match(free, open_requests)
    if matched is None:
        own = {device.id for devices in held.values() for device in devices}
        return _refusal(open_requests, [d for d in offered if d.id not in own])
    for request, devices in zip(open_requests, matched, strict=True):
        split = request.wanted.split if request.wanted.split > 1 else 0
        given = tuple(AllocatedDevice(d.id, split) for d in devices)
        chosen[request.claim] = (*chosen.get(request.claim, ()), *given)
    return chosen


def served(free: Sequence[Device], requests: Sequence[DeviceRequest]) -> int:
    """Return how many devices can be given to requests that may not all be served."""
    eligible = _eligible(free, requests)
    if len(requests) == 1:
        return min(requests[0].wanted.count, len(eligible[0]))
    owner: dict[int, int] = {}
    wanted = (number for number, each in enumerate(requests) for _ in range(each.wanted.count))
    return sum(_take(number, eligible, owner) for number in wanted)


def described_requests(requests: Sequence[DeviceRequest]) -> str:
    """Return what is asked for, for people."""
    return listed([_devices(group) for group in _grouped(requests)], _SHOWN_GROUPS)


def described(node: NodeName, devices: Sequence[AllocatedDevice]) -> str:
    """Return what a claim got, for people."""
    names = [f"{d.id} split in {d.split}" if d.split > 1 else d.id for d in devices]
    return f"{counted(len(devices), 'device')} of node {node}: {listed(names, _SHOWN_DEVICES)}"


def _match(free: Sequence[Device], requests: Sequence[DeviceRequest]) -> list[list[Device]] | None:
    """Return the devices of each request, None if they cannot all be served."""
    if sum(r.wanted.count for r in requests) > len(free):
        return None
    eligible = _eligible(free, requests)
    if len(requests) == 1:
        # it competes with no other, so the first devices will do
        count = requests[0].wanted.count
        return [[free[i] for i in eligible[0][:count]]] if len(eligible[0]) >= count else None
    owner: dict[int, int] = {}
    by_scarcity = sorted(range(len(requests)), key=lambda n: (len(eligible[n]), n))
    for number in by_scarcity:
        for _ in range(requests[number].wanted.count):
            if not _take(number, eligible, owner):
                return None
    return [
        [free[i] for i in sorted(owner) if owner[i] == number] for number in range(len(requests))
    ]


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


def _take(number: int, eligible: Sequence[Sequence[int]], owner: dict[int, int]) -> bool:
    """Give request `number` one more device, moving other requests' devices where that helps.

    One augmenting path of bipartite matching: breadth first over devices that would have to change
    hands, so a solution is found whenever there is one.
    """
    cause: dict[int, tuple[int, int | None]] = {}
    frontier: list[tuple[int, int | None]] = [(number, None)]
    for request, lost in frontier:
        for device in eligible[request]:
            if device in cause:
                continue
            cause[device] = (request, lost)
            if device not in owner:
                _hand_over(device, cause, owner)
                return True
            if owner[device] != request:
                frontier.append((owner[device], device))
    return False


def _hand_over(
    free_device: int, cause: Mapping[int, tuple[int, int | None]], owner: dict[int, int]
) -> None:
    device: int | None = free_device
    while device is not None:
        request, lost = cause[device]
        owner[device] = request
        device = lost


def _refusal(requests: Sequence[DeviceRequest], offered: Sequence[Device]) -> Refusal:
    """Say what a node lacks: for ever if not even all of its devices would do, else for now.

    The text changes with what is asked and offered only, not with what is free: an event that
    repeats is counted as long as its text is the same.
    """
    wanted = _grouped(requests)
    asked = f"asked for {described_requests(requests)}"
    if sum(group.count for group in wanted) > len(offered):
        return Refusal("TooFewDevices", f"{asked}, which can never fit on a node of {len(offered)}")
    if _match(offered, requests) is not None:
        return Refusal("TooFewFree", f"{asked}, not free at present")
    told = f"{asked}, which can never fit together"
    eligible = _eligible(offered, [group.request for group in wanted])
    for group, there in zip(wanted, map(len, eligible), strict=True):
        if there < group.count:
            told = f"asked for {_devices(group)}, the node has {there or 'none'}"
            break
    models = listed(sorted({device.model for device in offered}), _SHOWN_MODELS)
    return Refusal("NoMatchingModel", f"{told} (its models: {models})")


@dataclass(frozen=True, slots=True)
class _Group:
    """Requests for the same devices: one of them, and how many devices they want together."""

    request: DeviceRequest
    count: int


def _grouped(requests: Sequence[DeviceRequest]) -> list[_Group]:
    groups: dict[tuple[str | None, ClassParameters], _Group] = {}
    for request in requests:
        key = (request.wanted.model, request.offered_by_class)
        before = groups[key].count if key in groups else 0
        groups[key] = _Group(request, before + request.wanted.count)
    return list(groups.values())


def _devices(group: _Group) -> str:
    model = group.request.wanted.model
    any_of_all = all(selector.name == "*" for selector in group.request.offered_by_class.selectors)
    return (
        f"{counted(group.count, 'device')}"
        f"{'' if model is None else f' of model {model}'}"
        f"{'' if any_of_all else ' that the class offers'}"
    )
