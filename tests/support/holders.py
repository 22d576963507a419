"""Which claims hold which devices, and what must never be: two holders, or more than a whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

WHOLE_UNITS = 16


@dataclass(frozen=True, slots=True)
class Share:
    """What a device takes of the one that it is, or is a part of.

    Attributes:
        parent: the whole device, its own uuid if it is one.
        units: of the 16 that a whole device has.
    """

    parent: str
    units: int

    @property
    def whole(self) -> bool:
        """Whether nothing can be held beside it."""
        return self.units == WHOLE_UNITS


@dataclass(slots=True)
class Holders:
    """Claims with their devices, at one moment of a history.

    Attributes:
        shares: of all devices that there are, by name.
        held: devices by claim.
    """

    shares: Mapping[str, Share]
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def see(self, claim: str, devices: tuple[str, ...]) -> list[str]:
        """Take in what a claim holds from now on, and return what is wrong with that."""
        self.held.pop(claim, None)
        if not devices:
            return []
        self.held[claim] = devices
        parents = {self.shares[name].parent for name in devices if name in self.shares}
        return [*self._strange(devices), *self._twice(), *self._over(parents)]

    def _strange(self, devices: tuple[str, ...]) -> Iterator[str]:
        yield from (f"{name} is not offered" for name in devices if name not in self.shares)

    def _twice(self) -> Iterator[str]:
        owners: dict[str, list[str]] = {}
        for claim, devices in self.held.items():
            for name in devices:
                owners.setdefault(name, []).append(claim)
        for name, claims in owners.items():
            if len(claims) > 1:
                yield f"{name} is held by {' and '.join(sorted(claims))}"

    def _over(self, parents: set[str]) -> Iterator[str]:
        given = [name for devices in self.held.values() for name in devices]
        for parent in sorted(parents):
            parts = sorted(n for n in given if n in self.shares and self.shares[n].parent == parent)
            units = sum(self.shares[name].units for name in parts)
            beside = any(self.shares[name].whole for name in parts) and len(parts) > 1
            if units > WHOLE_UNITS or beside:
                yield f"{units} units of {parent} are held: {', '.join(parts)}"
