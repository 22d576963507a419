"""What a scheduler gives out beside an allocated device, by the counters of its pool."""

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from allocation.pools import readable
from api.objects import JSON
from api.quantities import quantity
from testing.node import Node
from tests.support.slicerig import SLICES

_Amounts: TypeAlias = Mapping[tuple[str, str], Fraction]


def wipe(node: Node) -> None:
    """Delete all slices, as a kubelet does when it starts, and when a plugin is away for 30 s."""
    for each in node.api.peek(SLICES):
        node.api.remove(SLICES, each["metadata"]["name"])


def free(node: Node, allocated: str) -> set[str]:
    """Return the devices that are published and fit beside an allocated one."""
    (pool,) = readable(node.api.peek(SLICES))
    left = {
        (name, counter): quantity(value)
        for name, counters in pool.counters.items()
        for counter, value in counters.items()
    }
    taken = {device["name"]: _taken(device) for device in pool.devices}
    for at, amount in taken.get(allocated, {}).items():
        left[at] -= amount
    return {
        name
        for name, needs in taken.items()
        if name != allocated and all(left[at] >= amount for at, amount in needs.items())
    }


def _taken(device: JSON) -> _Amounts:
    return {
        (each["counterSet"], counter): quantity(value["value"])
        for each in device.get("consumesCounters") or ()
        for counter, value in each["counters"].items()
    }
