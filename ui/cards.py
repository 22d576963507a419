"""Devices as they are drawn: a card for each piece of hardware, what is taken of it inside by size.

Whatever the driver, devices that draw on the same set of counters are parts of one thing, and so
are those that name the same parent. Counters of which there is one each, such as the slices of a
GPU's memory, tell even where in it a part lies. Pure.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from allocation.counters import consumption
from allocation.inuse import DeviceID
from allocation.pools import Placed, Pool
from allocation.taints import prevents
from api.objects import JSON
from api.quantities import quantity
from explain.holders import Holder

_PARENT: Final = "parentUUID"
_UUID: Final = "uuid"
_DIGITS: Final = re.compile(r"(\d+)")


class State(StrEnum):
    """What is the matter with a device."""

    FREE = "free"
    USED = "used"
    LEFT = "left"
    TAINTED = "tainted"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Part:
    """A device, or a share of one.

    Attributes:
        state: LEFT is held by a claim that nobody uses, BUSY is not given back yet.
        start: where in the card it begins, from 0 to 1.
        size: how much of the card it is.
        claims: `namespace/name` of those that hold it.
        ill: whether it has a taint, or is said not to be well.
    """

    device: str
    state: State
    start: float = 0.0
    size: float = 1.0
    claims: tuple[str, ...] = ()
    ill: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A piece of hardware.

    Attributes:
        name: of the device, of the set of counters, or what the names of its parts begin with.
        devices: how many it is offered as.
        parts: what is drawn inside; the rest of it is free.
    """

    name: str
    devices: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """Who holds devices.

    Attributes:
        holders: of each device.
        left: claims that hold devices and that nobody uses.
        ill: devices that a driver or a kubelet says are not well.
    """

    holders: Mapping[DeviceID, Sequence[Holder]]
    left: Collection[str] = ()
    ill: Collection[DeviceID] = ()


def groups(pool: Pool) -> Mapping[str, Sequence[Placed]]:
    """Return the devices of each card of a pool, by the card's name."""
    found: dict[tuple[str, str], list[Placed]] = {}
    wholes = {_text(each.device, _UUID): each for each in pool.placed}
    parents = {parent for each in pool.placed if (parent := _text(each.device, _PARENT))}
    for each in pool.placed:
        found.setdefault(_group(each.device, parents), []).append(each)
    return {_name(group, placed, wholes): placed for group, placed in found.items()}


def cards(pool: Pool, placed: Mapping[str, Sequence[Placed]], holding: Holding) -> Sequence[Card]:
    """Return groups of devices as cards."""
    drawing = _Drawing(pool, holding)
    return [Card(name, len(found), drawing.parts(found)) for name, found in placed.items()]


def natural(text: str) -> list[tuple[int, str]]:
    """Return what sorts names as people do: gpu-2 before gpu-10."""
    return [(int(each), "") if each.isdigit() else (-1, each) for each in _DIGITS.split(text)]


def _group(device: JSON, parents: Collection[str]) -> tuple[str, str]:
    consumes = device.get("consumesCounters") or ()
    if consumes:
        return "counters", str(consumes[0]["counterSet"])
    if parent := _text(device, _PARENT):
        return "parent", parent
    uuid = _text(device, _UUID)
    return ("parent", uuid) if uuid in parents else ("device", str(device["name"]))


def _name(group: tuple[str, str], placed: Sequence[Placed], wholes: Mapping[str, Placed]) -> str:
    kind, name = group
    if len(placed) == 1:
        return str(placed[0].device["name"])
    if kind != "parent":
        return name
    if name in wholes:
        return str(wholes[name].device["name"])
    names = [str(each.device["name"]) for each in placed]
    # of characters, not of path components
    common = os.path.commonprefix(names)  # noqa: RUF071
    return common.rstrip("-") or names[0]


@dataclass(frozen=True, slots=True)
class _Drawing:
    pool: Pool
    holding: Holding

    def parts(self, placed: Sequence[Placed]) -> tuple[Part, ...]:
        devices = [each.device for each in placed]
        if len(devices) == 1:
            return tuple(self._alone(devices[0]))
        if devices[0].get("consumesCounters"):
            return self._of_counters(devices)
        return self._of_parent(devices)

    def _alone(self, device: JSON) -> list[Part]:
        """Return a device that is a card of its own, with its shares if it is shared."""
        shares = [each for each in self._held(device) if each.share]
        if not shares:
            return [self._part(device)]
        found, start = [], 0.0
        for each in shares:
            size = _share(device, each)
            state = State.LEFT if each.claim in self.holding.left else State.USED
            name = str(device["name"])
            found.append(Part(name, state, start, size, (each.claim,), self._is_ill(device)))
            start += size
        return found

    def _of_counters(self, devices: Sequence[JSON]) -> tuple[Part, ...]:
        """Return what is held; the rest of the counters is free."""
        held = [each for each in devices if self._holds(each)]
        if not held:
            parts = [self._part(each) for each in devices]
            tainted = all(each.state is State.TAINTED for each in parts)
            first = parts[0]
            return (Part(first.device, first.state if tainted else State.FREE, ill=tainted),)
        found, end = [], 0.0
        for device in sorted(held, key=lambda each: natural(str(each["name"]))):
            start, size = self._extent(device)
            part = self._part(device, end if start is None else start, size)
            end = part.start + part.size
            found.append(part)
        return tuple(found)

    def _of_parent(self, devices: Sequence[JSON]) -> tuple[Part, ...]:
        """Return parts that lie beside each other, of a parent that is not offered itself."""
        children = [each for each in devices if _text(each, _PARENT)] or devices
        whole = next((each for each in devices if each not in children), None)
        if whole is not None and self._holds(whole):
            return (self._part(whole),)
        weights = [_weight(each) for each in children]
        total, found, start = sum(weights), [], 0.0
        for device, weight in zip(children, weights, strict=True):
            size = float(weight / total)
            found.append(self._part(device, start, size))
            start += size
        return tuple(found)

    def _part(self, device: JSON, start: float = 0.0, size: float = 1.0) -> Part:
        claims = tuple(each.claim for each in self._held(device))
        state = self._state(device)
        return Part(str(device["name"]), state, start, size, claims, self._is_ill(device))

    def _state(self, device: JSON) -> State:
        if holders := self._holds(device):
            left = any(each.claim in self.holding.left for each in holders)
            return State.LEFT if left else State.USED
        tainted = prevents(device.get("taints") or (), ()) is not None
        return State.TAINTED if tainted else State.FREE

    def _held(self, device: JSON) -> Sequence[Holder]:
        return self.holding.holders.get((*self.pool.id, device["name"]), ())

    def _holds(self, device: JSON) -> Sequence[Holder]:
        """Return who keeps others from a device, which access for administration does not."""
        return [each for each in self._held(device) if not each.admin]

    def _is_ill(self, device: JSON) -> bool:
        return bool(device.get("taints")) or (*self.pool.id, device["name"]) in self.holding.ill

    def _extent(self, device: JSON) -> tuple[float | None, float]:
        """Return where a part lies, if that is known, and how much of the whole it is."""
        drawn = {counter: amount for counter, amount in consumption(device) if amount}
        sets = {name for name, _ in drawn}
        totals = {
            (name, counter): quantity(value)
            for name in sets
            for counter, value in self.pool.counters.get(name, {}).items()
        }
        slots = sorted((each for each, total in totals.items() if total == 1), key=_counter_key)
        taken = [index for index, each in enumerate(slots) if each in drawn]
        if len(slots) > 1 and taken:
            return taken[0] / len(slots), len(taken) / len(slots)
        shares = [drawn[each] / total for each, total in totals.items() if each in drawn and total]
        return None, float(min(max(shares, default=Fraction(1)), Fraction(1)))


def _counter_key(counter: tuple[str, str]) -> list[tuple[int, str]]:
    return natural(counter[1])


def _share(device: JSON, holder: Holder) -> float:
    """Return how much of a device a share of it is, by what it takes most of."""
    capacity = device.get("capacity") or {}
    parts = [
        quantity(amount) / total
        for name, amount in holder.consumed
        if (total := quantity((capacity.get(name) or {}).get("value", 0)))
    ]
    return float(min(max(parts, default=Fraction(1)), Fraction(1)))


def _weight(device: JSON) -> Fraction:
    """Return how large a part is beside others, by the first capacity."""
    capacity = device.get("capacity") or {}
    first = min(capacity, default="")
    return quantity(capacity[first]["value"]) if first else Fraction(1)


def _text(device: JSON, name: str) -> str:
    """Return an attribute, of any domain."""
    for key, value in (device.get("attributes") or {}).items():
        if key.rpartition("/")[2] == name:
            return str(value.get("string", ""))
    return ""
