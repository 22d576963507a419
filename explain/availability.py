"""Which devices of a pool nobody can have now who tolerates nothing, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from allocation.counters import Counter, available, consumption, overbooked, short
from allocation.inuse import DeviceID, InUse
from allocation.pools import Pool
from allocation.taints import prevents, taint_text
from allocation.verdicts import Rule
from api.objects import JSON
from explain.holders import Holder, holders
from explain.seen import Seen


@dataclass(frozen=True, slots=True)
class Taken:
    """Why a device can't be had."""

    rule: Rule
    text: str


class Availability:
    """What is free in a cluster."""

    def __init__(self, seen: Seen) -> None:
        """Look at who holds what."""
        self._now = seen.now
        self._in_use = InUse.of(seen.claims, seen.features.gates)
        self._held: Mapping[DeviceID, Sequence[Holder]] = holders(seen.claims)

    def counters(self, pool: Pool) -> dict[Counter, str]:
        """Return what is left of each counter of a pool, and how much there is."""
        left = available(pool, self._in_use)
        return {(s, c): f"{amount} of {pool.counters[s][c]}" for (s, c), amount in left.items()}

    def taken(self, pool: Pool) -> dict[str, Taken]:
        """Return the devices of a pool that can't be had, by name."""
        return dict(self._taken(pool)) if not pool.problem else {}

    def _taken(self, pool: Pool) -> Iterator[tuple[str, Taken]]:
        left = available(pool, self._in_use)
        blocked = overbooked(left)
        for device in (placed.device for placed in pool.placed):
            taint = prevents(device.get("taints") or (), ())
            if text := self._holders(pool, device):
                yield device["name"], Taken(Rule.IN_USE, f"held by {text}")
            elif taint is not None:
                yield device["name"], Taken(Rule.TAINT, taint_text(taint))
            elif blocked and device.get("consumesCounters"):
                told = f"counter {blocked[1]} of {blocked[0]} is overbooked"
                yield device["name"], Taken(Rule.COUNTERS, told)
            elif text := short(left, consumption(device)):
                yield device["name"], Taken(Rule.COUNTERS, text)

    def _holders(self, pool: Pool, device: JSON) -> str:
        """Return who has a device for itself, empty if nobody has."""
        held = self._held.get((*pool.id, device["name"]), ())
        whole = [each for each in held if not each.admin and not each.share]
        return ", ".join(each.told(self._now) for each in whole)
