"""Shares of devices: how much of each capacity a request consumes, and whether that is left.

Source: k8s.io/dynamic-resource-allocation structured/internal/incubating/consumable_capacity.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Final

from api.objects import JSON
from api.quantities import canonical, quantity

_MAX_INT: Final = 2**63 - 1
_MILLI: Final = 1000


def consumed(
    device: JSON, amounts: Mapping[str, Fraction], *, fractional: bool
) -> dict[str, Fraction]:
    """Return what a request takes of each capacity of a device.

    Raises:
        ValueError: Kubernetes can't express the amount, and ends the attempt.
    """
    found = {}
    for name, capacity in (device.get("capacity") or {}).items():
        try:
            found[name] = _amount(amounts.get(name), capacity, fractional=fractional)
        except ValueError as error:
            raise ValueError(f'capacity "{name}": {error}') from error
        if found[name] < 0:
            raise ValueError(f'capacity "{name}": capacity value is negative')
    return found


@dataclass(frozen=True, slots=True)
class Need:
    """What a request takes of a device.

    Attributes:
        problem: why the device can't serve it, whatever is left.
        amounts: what it takes of each capacity.
        wholes: all that there is of each.
    """

    problem: str = ""
    amounts: Mapping[str, Fraction] = field(default_factory=dict)
    wholes: Mapping[str, Fraction] = field(default_factory=dict)

    def lacks(self, held: Iterable[Mapping[str, Fraction]]) -> str:
        """Return why a device has not what it takes while others hold shares; empty if it has."""
        if self.problem or not self.amounts:
            return self.problem
        left = dict(self.wholes)
        for share in held:
            for name in share.keys() & left.keys():
                left[name] -= share[name]
        for name, amount in self.amounts.items():
            if amount > left[name]:
                rest = f"{_told(left[name])} of {_told(self.wholes[name])} left"
                return f"capacity {name}: {_told(amount)} wanted, {rest}"
        return ""


def need(device: JSON, amounts: Mapping[str, Fraction], *, fractional: bool) -> Need:
    """Return what a request takes of a device.

    A key is compared as it was published: `memory` is not found by `gpu.example.com/memory`.

    Args:
        device: with or without `allowMultipleAllocations`: what is asked of one without must be
            there all the same.
        amounts: what is asked for.
        fractional: whether ranges may have fractions.

    Raises:
        ValueError: as `consumed`.
    """
    capacities = device.get("capacity") or {}
    for name in amounts:
        if name not in capacities:
            return Need(f"it has no capacity {name}")
    wanted = consumed(device, amounts, fractional=fractional)
    for name, amount in wanted.items():
        policy = capacities[name].get("requestPolicy") or {}
        if problem := _violated(amount, policy, fractional=fractional):
            return Need(f"capacity {name}: {problem}")
    wholes = {name: quantity(each["value"]) for name, each in capacities.items()}
    return Need("", wanted, wholes)


def texts(
    device: JSON, amounts: Mapping[str, Fraction], given: Mapping[str, str], *, fractional: bool
) -> dict[str, str]:
    """Return what a request takes, as results of an allocation have it."""
    wanted = consumed(device, amounts, fractional=fractional)
    return {
        name: canonical(wanted[name], like=_model(name, capacity, amounts, given))
        for name, capacity in (device.get("capacity") or {}).items()
    }


def _model(
    name: str, capacity: JSON, amounts: Mapping[str, Fraction], given: Mapping[str, str]
) -> str:
    """Return the text of the quantity that an amount comes from: it decides on the suffix."""
    policy = capacity.get("requestPolicy") or {}
    if name not in amounts:
        return str(policy.get("default", capacity["value"]))
    bounds = policy.get("validRange") or {}
    if bounds.get("min") is not None:
        if amounts[name] < quantity(bounds["min"]):
            return str(bounds["min"])
        return str(bounds.get("step", given[name]))
    fitting = (str(v) for v in policy.get("validValues") or () if amounts[name] <= quantity(v))
    return next(fitting, given[name])


def _amount(asked: Fraction | None, capacity: JSON, *, fractional: bool) -> Fraction:
    policy = capacity.get("requestPolicy") or {}
    if asked is None:
        return quantity(policy.get("default", capacity["value"]))
    bounds = policy.get("validRange") or {}
    if bounds.get("min") is not None:
        return _rounded(asked, bounds, fractional=fractional)
    values = map(quantity, policy.get("validValues") or ())
    return next((value for value in values if asked <= value), asked)


def _rounded(asked: Fraction, bounds: JSON, *, fractional: bool) -> Fraction:
    least = quantity(bounds["min"])
    if asked < least:
        return least
    if bounds.get("step") is None:
        return asked
    unit = _unit(bounds, fractional=fractional)
    if unit != 1 and (asked * unit).denominator != 1:
        raise ValueError(
            "capacity request cannot be represented in the device's range arithmetic: "
            "request is not a representable milli value"
        )
    first, step = ceil(least * unit), ceil(quantity(bounds["step"]) * unit)
    steps = -(-(ceil(asked * unit) - first) // step)
    if asked * unit > _MAX_INT or first + steps * step > _MAX_INT:
        raise ValueError(
            "capacity request cannot be represented in the device's range arithmetic: "
            "it exceeds MaxInt64"
        )
    return Fraction(first + steps * step, unit)


def _unit(bounds: JSON, *, fractional: bool) -> int:
    """Return by how much amounts are multiplied before whole numbers are calculated with."""
    numbers = [
        quantity(bounds[key]) for key in ("min", "max", "step") if bounds.get(key) is not None
    ]
    milli = fractional and all((n * _MILLI).denominator == 1 for n in numbers)
    return _MILLI if milli and all(abs(n * _MILLI) <= _MAX_INT for n in numbers) else 1


def _violated(amount: Fraction, policy: JSON, *, fractional: bool) -> str:
    if policy.get("default") is not None and amount == quantity(policy["default"]):
        return ""
    if (bounds := policy.get("validRange")) is not None:
        return _outside(amount, bounds, fractional=fractional)
    values = [quantity(value) for value in policy.get("validValues") or ()]
    if values and amount not in values:
        return f"{_told(amount)} is none of the valid values"
    return ""


def _outside(amount: Fraction, bounds: JSON, *, fractional: bool) -> str:
    if bounds.get("max") is not None and amount > quantity(bounds["max"]):
        return f"{_told(amount)} is more than {bounds['max']}, the maximum"
    if bounds.get("step") is None:
        return ""
    unit = _unit(bounds, fractional=fractional)
    least = ceil(quantity(bounds.get("min", 0)) * unit)
    step = ceil(quantity(bounds["step"]) * unit)
    if (unit != 1 and (amount * unit).denominator != 1) or (ceil(amount * unit) - least) % step:
        return f"{_told(amount)} is no multiple of the step {bounds['step']}"
    return ""


def _told(amount: Fraction) -> str:
    return canonical(amount, like="1Ki" if amount.denominator == 1 and amount % 1024 == 0 else "1")
