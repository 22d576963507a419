"""What a node offers to kube-scheduler: whole devices, and what they may be divided into.

A device has sixteen units, of which a child of a half takes eight and so on: children of any sizes
are given out together as long as they fit, and none beside their whole device. Whole devices come
first, since first fit takes what comes first. Pure; called by `plugin.structured.driver`.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from api import __version__
from dra.inventory import (
    Attribute,
    Capacity,
    Consumption,
    CounterSet,
    Device,
    Inventory,
    RequestPolicy,
    Version,
)
from plugin.devices import MAX_DEVICES, FakeDeviceSource

SIZES: Final = (2, 4, 8, 16)
"""Into how many children a device may be split."""

WHOLE: Final = "whole"
SPLIT: Final = "split"
MEMORY: Final = "memory"

_UNITS: Final = 16
_GIBIBYTES: Final = 16
_SHARE: Final = RequestPolicy(default="1Gi", minimum="1Gi", step="1Gi")


@dataclass(frozen=True, slots=True)
class Division:
    """How the devices of a node may be divided.

    Attributes:
        splits: numbers of children, of SIZES, that a device may be split into.
        static: such a number, and of how many devices, where the API server stores no counters.
        shared: whether claims may have shares of devices; these have no children then.
    """

    splits: tuple[int, ...] = SIZES
    static: tuple[tuple[int, int], ...] = ((2, 4),)
    shared: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the numbers of children that are offered."""
        return () if self.shared else self.splits


@dataclass(frozen=True, slots=True)
class Part:
    """A device as its name tells it.

    Attributes:
        index: of the whole device.
        split: number of children; 1 is the whole device.
        number: which of them.
    """

    index: int
    split: int = 1
    number: int = 0

    def name(self, key: str) -> str:
        """Return the name of the device; `key` is the contract's."""
        whole = f"{key}-{self.index}"
        return whole if self.split == 1 else f"{whole}-split{self.split}-{self.number}"


def part_of(key: str, name: str) -> Part | None:
    """Return the device of a name, None if there never is one.

    It need not be offered: another number of devices, or other splits, may have been set before.
    """
    parts = r"-(\d{1,3})(?:-split(\d{1,2})-(\d{1,2}))?"
    found = re.fullmatch(re.escape(key) + parts, name, re.ASCII)
    if found is None:
        return None
    part = Part(int(found[1]), int(found[2] or 1), int(found[3] or 0))
    there = part.index < MAX_DEVICES and part.split in (1, *SIZES) and part.number < part.split
    return part if there and part.name(key) == name else None


class Offered:
    """The devices of a source, divided."""

    def __init__(self, key: str, source: FakeDeviceSource, division: Division) -> None:
        """Offer devices; `key` is the contract's."""
        self._key = key
        self._source = source
        self._division = division
        self._count = len(source.devices())

    @property
    def parents(self) -> Mapping[str, str]:
        """Names of whole devices by those of their children."""
        return {each.name(self._key): Part(each.index).name(self._key) for each in self._children()}

    def inventory(self) -> Inventory:
        """Return everything there is, which counters keep apart."""
        return self._everything

    @cached_property
    def _everything(self) -> Inventory:
        return self._inventory([*map(Part, range(self._count)), *self._children()])

    def static(self) -> Inventory:
        """Return what does not overlap: the last devices as children, at most half of all."""
        sizes = self._static_sizes()
        first = self._count - len(sizes)
        children = (
            Part(first + at, split, number)
            for at, split in enumerate(sizes)
            for number in range(split)
        )
        return self._inventory([*map(Part, range(first)), *children])

    def former(self, names: Collection[str]) -> Inventory:
        """Return the devices of these names, whatever is set, and their wholes."""
        parts = [part for name in sorted(names) if (part := part_of(self._key, name))]
        wholes = [Part(each.index) for each in parts]
        divided = Offered(self._key, self._source, Division())
        return divided._inventory([*dict.fromkeys([*wholes, *parts])])

    def _children(self) -> Iterator[Part]:
        for index in range(self._count):
            for split in self._division.sizes:
                yield from (Part(index, split, number) for number in range(split))

    def _static_sizes(self) -> Sequence[int]:
        """Return for each device that is offered as children how many these are."""
        wanted = [
            split
            for split, devices in self._division.static
            if split in self._division.sizes
            for _ in range(devices)
        ]
        return wanted[: self._count // 2]

    def _inventory(self, parts: Sequence[Part]) -> Inventory:
        return Inventory.of(*map(self._device, parts), counters=tuple(self._counters(parts)))

    def _counters(self, parts: Sequence[Part]) -> Iterator[CounterSet]:
        if self._division.sizes:
            for index in sorted({part.index for part in parts}):
                yield CounterSet(Part(index).name(self._key), {"units": str(_UNITS)})

    def _device(self, part: Part) -> Device:
        memory = f"{_GIBIBYTES // part.split}Gi"
        shared = self._division.shared
        return Device(
            part.name(self._key),
            self._attributes(part),
            {MEMORY: Capacity(memory, _SHARE) if shared else memory},
            self._consumes(part),
            shared=shared,
        )

    def _consumes(self, part: Part) -> tuple[Consumption, ...]:
        if not self._division.sizes:
            return ()
        units = {"units": str(_UNITS // part.split)}
        return (Consumption(Part(part.index).name(self._key), units),)

    def _attributes(self, part: Part) -> dict[str, Attribute]:
        whole = self._source.device(part.index)
        child = part.split > 1
        return {
            "uuid": identity(self._source, part),
            "model": whole.model,
            "index": part.index,
            "type": SPLIT if child else WHOLE,
            "split": part.split,
            **({"parentUUID": whole.id} if child else {}),
            "driverVersion": Version(__version__),
        }


def identity(source: FakeDeviceSource, part: Part) -> str:
    """Return the uuid of a device or a child."""
    whole = source.device(part.index).id
    return whole if part.split == 1 else source.child(whole, f"{part.split}/{part.number}")
