"""Counters of a pool: what allocated devices leave of them.

Source: k8s.io/dynamic-resource-allocation structured/internal/incubating/allocator_incubating.go,
checkAvailableCounters.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TypeAlias

from allocation.inuse import InUse
from allocation.pools import Pool
from api.objects import JSON
from api.quantities import quantity

Counter: TypeAlias = tuple[str, str]
"""Name of the set, and of the counter in it."""


def available(pool: Pool, in_use: InUse) -> dict[Counter, Fraction]:
    """Return what is left of each counter of a pool; it may be less than nothing.

    Only devices that are published now are counted: one that is allocated and was taken away
    leaves its counters to others.
    """
    left = {
        (name, counter): quantity(value)
        for name, counters in pool.counters.items()
        for counter, value in counters.items()
    }
    for name in in_use.by_pool.get((pool.driver, pool.name), ()):
        for counter, amount in consumption(pool.by_name.get(name, {})):
            if counter in left:
                left[counter] -= amount
    return left


def consumption(device: JSON) -> Iterator[tuple[Counter, Fraction]]:
    """Yield what a device takes of each counter."""
    for each in device.get("consumesCounters") or ():
        for name, counter in (each.get("counters") or {}).items():
            yield (each["counterSet"], name), quantity(counter["value"])


def overbooked(left: Mapping[Counter, Fraction]) -> Counter | None:
    """Return a counter of which more is allocated than there is: it blocks the whole pool."""
    return next((counter for counter, amount in left.items() if amount < 0), None)


def short(left: Mapping[Counter, Fraction], drawn: Iterable[tuple[Counter, Fraction]]) -> str:
    """Return of which counter more is drawn than there is, empty if of none."""
    for counter, amount in drawn:
        if left[counter] < amount:
            told = f"counter {counter[1]} of {counter[0]}"
            return f"{told}: {amount} wanted, {max(left[counter], Fraction(0))} left"
    return ""
