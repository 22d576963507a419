"""What a node offers, and who has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from allocation.counters import available, consumption, overbooked, short
from allocation.inuse import DeviceID, InUse
from allocation.pools import Node, Pool, gather
from allocation.taints import prevents
from api.objects import JSON
from api.texts import counted
from explain.diagnosis import Offer, Overview
from explain.holders import Holder, holders
from explain.seen import Seen


def explain_node(raw: JSON, seen: Seen) -> Overview:
    """Say which devices a node can reach, and who or what keeps claims from them."""
    name = raw["metadata"]["name"]
    pools = gather(seen.slices, Node(name, raw["metadata"].get("labels") or {}))
    in_use, held = InUse.of(seen.claims, seen.features.gates), holders(seen.claims)
    looked = [_Looked(pool, seen, in_use, held) for pool in pools]
    offers = tuple(each.offer() for each in looked if not each.pool.problem)
    facts = tuple(line for each in looked for line in each.facts())
    total = sum(each.devices for each in offers)
    free = sum(len(each.free) for each in offers)
    summary = f"offers {counted(total, 'device')}, of which {free} are free"
    fits = None if seen.lacks("resourceslices", "resourceclaims") else free > 0
    return Overview(f"node {name}", fits, summary, facts, offers, unread=seen.unread)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A pool, and who holds what of it."""

    pool: Pool
    seen: Seen
    in_use: InUse
    held: Mapping[DeviceID, Sequence[Holder]]

    def offer(self) -> Offer:
        names = tuple(self._name(each) for each in self.pool.devices)
        refused = dict(self._refused())
        free = tuple(each for each in names if each not in refused)
        return Offer(f"pool {self.pool.driver}/{self.pool.name}", len(names), names, free)

    def facts(self) -> Iterator[str]:
        """Yield what keeps claims from devices, and what is left of counters."""
        if self.pool.problem:
            yield f"nothing is allocated from pool {'/'.join(self.pool.id)}: {self.pool.problem}"
        yield from (f"{device}: {why}" for device, why in self._refused())
        for (name, counter), amount in available(self.pool, self.in_use).items():
            whole = self.pool.counters[name][counter]
            yield f"counter {counter} of {name}: {amount} of {whole} left"

    def _name(self, device: JSON) -> str:
        return "/".join((*self.pool.id, device["name"]))

    def _refused(self) -> Iterator[tuple[str, str]]:
        left = available(self.pool, self.in_use)
        blocked = overbooked(left)
        for device in self.pool.devices:
            holding = self.held.get((*self.pool.id, device["name"]), ())
            by = [each for each in holding if not each.admin]
            taint = prevents(device.get("taints") or (), ())
            if by and not any(each.share for each in by):
                told = ", ".join(each.told(self.seen.now) for each in by)
                yield self._name(device), f"held by {told}"
            elif taint is not None:
                value = f"={taint['value']}" if taint.get("value") else ""
                yield self._name(device), f"taint {taint['key']}{value}:{taint['effect']}"
            elif blocked and device.get("consumesCounters"):
                yield self._name(device), f"counter {blocked[1]} of {blocked[0]} is overbooked"
            elif text := short(left, consumption(device)):
                yield self._name(device), text
