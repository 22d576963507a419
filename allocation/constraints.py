"""Constraints of a claim: attributes that its devices must have in common, or each its own.

Source: k8s.io/dynamic-resource-allocation structured/internal/incubating.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from allocation.requests import Request
from api.objects import JSON

Attribute: TypeAlias = tuple[str, Hashable]
"""Type and value: an int is never equal to a string, and versions are compared as texts."""

_KINDS: Final = ("string", "int", "bool", "version")
_LISTS: Final = ("strings", "ints", "bools", "versions")


@dataclass(slots=True, eq=False)
class Constraint:
    """A constraint with the values that were taken under it so far.

    Attributes:
        distinct: whether values must differ; if not they must be the same.
        requests: names of requests and alternatives; empty for all.
    """

    attribute: str
    distinct: bool
    requests: frozenset[str]
    taken: list[Attribute] = field(default_factory=list)

    @classmethod
    def of(cls, raw: JSON) -> "Constraint | None":
        """Return a constraint of a claim, None for one of an unknown kind."""
        requests = frozenset(raw.get("requests") or ())
        if raw.get("matchAttribute") is not None:
            return cls(raw["matchAttribute"], distinct=False, requests=requests)
        if raw.get("distinctAttribute") is not None:
            return cls(raw["distinctAttribute"], distinct=True, requests=requests)
        return None

    def applies(self, request: Request) -> bool:
        """Tell whether it is about a request."""
        return not self.requests or bool(self.requests & {request.base, request.name})

    def violated(self, request: Request, driver: str, device: JSON) -> str:
        """Return why a device can't be added for a request; empty if it can."""
        if not self.applies(request):
            return ""
        value = looked_up(self.attribute, driver, device)
        if value is None:
            return f"it has no attribute {self.attribute}"
        if self.distinct:
            clashes = value in self.taken or (value[0] == "" and self.taken)
            return f"{self.attribute} is {value[1]!r}, as of another device" if clashes else ""
        if not self.taken or (value[0] and value == self.taken[0]):
            return ""
        return f"{self.attribute} is {value[1]!r}, not {self.taken[0][1]!r} as of the others"

    def add(self, request: Request, driver: str, device: JSON) -> None:
        """Take a device that does not violate it."""
        if self.applies(request):
            value = looked_up(self.attribute, driver, device)
            assert value is not None, device
            self.taken.append(value)

    def remove(self, request: Request) -> None:
        """Give back the device that was added last."""
        if self.applies(request):
            self.taken.pop()

    def most(self, request: Request, devices: Sequence[tuple[str, JSON]]) -> int:
        """Return how many of these devices, with their drivers, a request can have at most."""
        if not self.applies(request):
            return len(devices)
        values = Counter(looked_up(self.attribute, *each) for each in devices)
        return len(values) if self.distinct else max(values.values(), default=0)

    @property
    def state(self) -> Hashable:
        """What decides on devices to come."""
        return frozenset(self.taken) if self.distinct else tuple(self.taken[:1])


def looked_up(attribute: str, driver: str, device: JSON) -> Attribute | None:
    """Return an attribute by its full name, or by the bare one if its domain is the driver.

    The value of a list has no type: without the gate for lists it equals nothing.
    """
    attributes = device.get("attributes") or {}
    found = attributes.get(attribute)
    domain, slash, name = attribute.partition("/")
    if found is None and slash and domain == driver:
        found = attributes.get(name)
    if found is None:
        return None
    for kind in _KINDS:
        if found.get(kind) is not None:
            return kind, found[kind]
    return "", str(next((found[kind] for kind in _LISTS if kind in found), None))
