"""What allocated claims hold: devices for themselves, and shares of devices.

Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources/allocateddevices.go.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from allocation.gates import Gates
from api.claims.view import results_of
from api.objects import JSON
from api.quantities import quantity

DeviceID: TypeAlias = tuple[str, str, str]
"""Driver, pool and name of a device."""

Amounts: TypeAlias = Mapping[str, Fraction]
"""Quantities by the name of a capacity."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What is taken.

    Attributes:
        holders: `namespace/name` of the claim that has a device for itself.
        shared: what the shares of a device consume together; without an entry it has no share.
        by_pool: names of all these devices, by driver and pool.
    """

    holders: Mapping[DeviceID, str] = field(default_factory=dict)
    shared: Mapping[DeviceID, Amounts] = field(default_factory=dict)
    by_pool: Mapping[tuple[str, str], Collection[str]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Index the devices."""
        found: dict[tuple[str, str], set[str]] = {}
        for held in (self.holders, self.shared):
            for driver, pool, device in held:
                found.setdefault((driver, pool), set()).add(device)
        object.__setattr__(self, "by_pool", found)

    @classmethod
    def of(cls, claims: Iterable[JSON], gates: Gates) -> "InUse":
        """Return what these claims hold; admin access holds nothing."""
        holders: dict[DeviceID, str] = {}
        shared: dict[DeviceID, dict[str, Fraction]] = {}
        for claim in claims:
            for result in results_of(claim):
                if result.get("adminAccess"):
                    continue
                device = device_id(result)
                if result.get("shareID") and gates.consumable_capacity:
                    _add(shared.setdefault(device, {}), result.get("consumedCapacity") or {})
                else:
                    holders.setdefault(device, _name(claim))
        return cls(holders, shared)


def device_id(result: JSON) -> DeviceID:
    """Return which device a claim is allocated by one of its results."""
    return result["driver"], result["pool"], result["device"]


def _add(held: dict[str, Fraction], consumed: Mapping[str, object]) -> None:
    for name, value in consumed.items():
        held[name] = held.get(name, Fraction(0)) + quantity(value)


def _name(claim: JSON) -> str:
    meta = claim["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"
