"""From what a pool offers to its slices, in the shape of v1.

At most 64 devices a slice: the API allows no more once one has a taint, and a taint may come at any
time. Where counters are kept in slices of their own (1.35 and later), those come last: a pool is
complete only when they are stored, and by then it is known that no device has lost what it
consumes. Kubernetes 1.33 and 1.34 want counter sets and the devices that use them in one slice.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from fractions import Fraction
from itertools import islice
from typing import Final, TypeAlias

from api.limits import MAX_ADVANCED_DEVICES, MAX_COUNTER_SETS, MAX_DEVICES, MAX_TAINTS
from api.objects import JSON
from api.quantities import quantity
from dra.errors import LimitExceeded
from dra.inventory import Capacity, Device, Effect, Pool, RequestPolicy, Taint, attribute_json

SHARED: Final = "allowMultipleAllocations"
"""Field of a device."""

_Amounts: TypeAlias = Mapping[tuple[str, str], Fraction]


class Style(Enum):
    """Where counters are."""

    APART = auto()
    """In slices without devices, from Kubernetes 1.35 on."""

    TOGETHER = auto()
    """In the slices of the devices that use them, in 1.33 and 1.34."""

    NONE = auto()
    """Nowhere: the API server does not store them, so no two devices may overlap."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A pool in the shape of the API.

    Attributes:
        node: of the slices; None if each device has its own selection.
        devices: in order.
        sets: counter sets.
    """

    node: str | None
    devices: tuple[JSON, ...] = ()
    sets: tuple[JSON, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether devices overlap, so that counters decide which of them are free."""
        return any("consumesCounters" in each for each in self.devices)


def offered(pool: Pool, node: str) -> Offer:
    """Return what a pool offers."""
    selecting = any(each.node_selector for each in pool.devices)
    sets = tuple({"name": each.name, "counters": _values(each.counters)} for each in pool.counters)
    own = node if selecting else None
    devices = tuple(_device(each, own) for each in pool.devices)
    return Offer(None if selecting else node, devices, sets)


def retained(offer: Offer, stored: Sequence[JSON], allocated: Collection[str], key: str) -> Offer:
    """Return an offer with the allocated devices that are published and not offered any more.

    They keep what they consume, since the scheduler takes a device that is not published for free,
    and get a taint. So do the counter sets that they consume, and what other devices took of these:
    a driver may have ceased to divide a card of which somebody has a part.

    Args:
        offer: of the driver.
        stored: slices of the pool, and what else is known of devices; the last one counts.
        allocated: names of devices.
        key: of the taint.
    """
    left = set(allocated) - {each["name"] for each in offer.devices}
    found: dict[str, JSON] = {}
    for each in _all(stored, "devices"):
        # where counters are not stored, what is stored has lost them
        found[each["name"]] = {**found.get(each["name"], {}), **each}
    kept = {name: _leaving(each, key) for name, each in found.items() if name in left}
    known = {each["name"] for each in offer.sets}
    needed = {name for each in kept.values() for name in _consumed(each)} - known
    sets = {each["name"]: each for each in _all(stored, "sharedCounters") if each["name"] in needed}
    taken = {
        name: each["consumesCounters"]
        for name, each in found.items()
        if needed & set(_consumed(each))
    }
    devices = (
        {**each, "consumesCounters": taken[each["name"]]}
        if each["name"] in taken and not _consumed(each)
        else each
        for each in offer.devices
    )
    return replace(offer, devices=(*devices, *kept.values()), sets=(*offer.sets, *sets.values()))


def still_shared(
    offer: Offer, allocated: Collection[str], shares: Collection[str], key: str
) -> Offer:
    """Return an offer in which devices of which claims have shares are shared still, and leave.

    A scheduler takes a device that is not shared for free as long as nobody has all of it. Before
    1.36.3 none counts what shares consume, so nothing else of their counter sets is offered; what
    is allocated of these stays, since it may consume of others too.

    Args:
        offer: of the driver.
        allocated: names of devices.
        shares: names of those of which claims have shares.
        key: of the taint that devices get which are only published as long as they are allocated.
    """
    held = {
        each["name"]: _consumed(each)
        for each in offer.devices
        if each["name"] in shares and not each.get(SHARED)
    }
    used = frozenset(name for names in held.values() for name in names)
    devices: list[JSON] = []
    for each in offer.devices:
        if each["name"] in held:
            devices.append({**_uncounted(_leaving(each, key)), SHARED: True})
        elif used.isdisjoint(_consumed(each)):
            devices.append(each)
        elif each["name"] in allocated:
            devices.append(_leaving(each, key))
    return replace(offer, devices=tuple(devices))


def without_counters(offer: Offer, allocated: Collection[str]) -> Offer:
    """Return the devices of an offer that do not overlap, and no counters.

    In their order, each that fits beside the allocated ones and those before it.
    """
    held = [each["name"] for each in offer.devices if each["name"] in allocated]
    left = {
        (each["name"], name): quantity(value["value"])
        for each in offer.sets
        for name, value in each["counters"].items()
    }
    for each in offer.devices:
        if each["name"] in held:
            left |= _less(left, _taken(each))
    fitting = []
    for each in offer.devices:
        rest = _less(left, _taken(each))
        if each["name"] in held:
            fitting.append(each)
        elif all(amount >= 0 for amount in rest.values()):
            left |= rest
            fitting.append(each)
    return replace(offer, devices=tuple(map(_uncounted, fitting)), sets=())


def _uncounted(device: JSON) -> JSON:
    return {name: value for name, value in device.items() if name != "consumesCounters"}


def _less(left: _Amounts, taken: _Amounts) -> _Amounts:
    """Return what is left of the counters that are taken of."""
    return {at: left.get(at, Fraction()) - amount for at, amount in taken.items()}


def _taken(device: JSON) -> _Amounts:
    """Return what a device consumes of each counter, by counter set and name."""
    return {
        (consumed["counterSet"], name): quantity(value["value"])
        for consumed in device.get("consumesCounters") or []
        for name, value in consumed["counters"].items()
    }


def contents(offer: Offer, style: Style) -> tuple[JSON, ...]:
    """Return what is in the slices of a pool, without driver and pool, in their order.

    Raises:
        LimitExceeded: more devices share a counter set than a slice can have.
    """
    place: JSON = {"nodeName": offer.node} if offer.node else {"perDeviceNodeSelection": True}
    parts = _together(offer) if style is Style.TOGETHER else _apart(offer)
    return tuple({**place, **part} for part in parts)


def _apart(offer: Offer) -> Iterator[JSON]:
    for devices in _parts(offer.devices, MAX_ADVANCED_DEVICES):
        yield {"devices": devices}
    used = {name for each in offer.devices for name in _consumed(each)}
    for sets in _parts((each for each in offer.sets if each["name"] in used), MAX_COUNTER_SETS):
        yield {"sharedCounters": sets}


def _together(offer: Offer) -> Iterator[JSON]:
    sets = {each["name"]: each for each in offer.sets}
    for names, devices in _groups(offer.devices):
        if len(devices) > MAX_DEVICES:
            problem = (
                f"{len(devices)} devices use the counter set {min(names)!r}, at most "
                f"{MAX_DEVICES} can on Kubernetes 1.33 and 1.34"
            )
            raise LimitExceeded((problem,))
        yield {"sharedCounters": [sets[name] for name in sorted(names)], "devices": devices}
    free = [each for each in offer.devices if not _consumed(each)]
    for part in _parts(free, MAX_ADVANCED_DEVICES):
        yield {"devices": part}


def _groups(devices: Sequence[JSON]) -> list[tuple[set[str], list[JSON]]]:
    """Return devices that share counter sets, directly or by others, with those sets."""
    groups: list[tuple[set[str], list[JSON]]] = []
    for each in devices:
        names, members = set(_consumed(each)), [each]
        if not names:
            continue
        apart = []
        for group in groups:
            if group[0] & names:
                names, members = names | group[0], [*group[1], *members]
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return groups


def _parts(items: Iterable[JSON], size: int) -> Iterator[list[JSON]]:
    rest = iter(items)
    while part := [*islice(rest, size)]:
        yield part


def _consumed(device: JSON) -> list[str]:
    return [each["counterSet"] for each in device.get("consumesCounters") or []]


def _all(stored: Sequence[JSON], field: str) -> Iterator[JSON]:
    for each in stored:
        yield from each["spec"].get(field) or []


def _leaving(device: JSON, key: str) -> JSON:
    taint = {"key": key, "effect": Effect.NO_SCHEDULE.value}
    others = [each for each in device.get("taints") or [] if each["key"] != key]
    return {**device, "taints": [*others[: MAX_TAINTS - 1], taint]}


def _device(device: Device, own_node: str | None) -> JSON:
    fields: JSON = {
        "attributes": {name: attribute_json(value) for name, value in device.attributes.items()},
        "capacity": {name: _capacity(value) for name, value in device.capacity.items()},
        "consumesCounters": [
            {"counterSet": each.counter_set, "counters": _values(each.counters)}
            for each in device.consumes
        ],
        "taints": [_taint(each) for each in device.taints],
        SHARED: device.shared,
        "nodeSelector": device.node_selector,
        "nodeName": None if device.node_selector else own_node,
        "bindingConditions": [*device.binding_conditions],
        "bindingFailureConditions": [*device.binding_failure_conditions],
    }
    return {"name": device.name, **{name: value for name, value in fields.items() if value}}


def _capacity(given: Capacity | str) -> JSON:
    if isinstance(given, str):
        return {"value": given}
    if given.policy is None:
        return {"value": given.value}
    return {"value": given.value, "requestPolicy": _policy(given.policy)}


def _policy(policy: RequestPolicy) -> JSON:
    limits = {"min": policy.minimum, "max": policy.maximum, "step": policy.step}
    fields: JSON = {
        "default": policy.default,
        "validValues": [*policy.valid_values],
        "validRange": {name: value for name, value in limits.items() if value},
    }
    return {name: value for name, value in fields.items() if value}


def _taint(taint: Taint) -> JSON:
    fields = {
        "key": taint.key,
        "value": taint.value,
        "effect": taint.effect.value,
        "timeAdded": taint.time_added,
    }
    return {name: value for name, value in fields.items() if value}


def _values(amounts: Mapping[str, str]) -> JSON:
    return {name: {"value": value} for name, value in amounts.items()}
