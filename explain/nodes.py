"""What a node offers, and who has it."""

from collections.abc import Iterator

from allocation.pools import Node, Pool, gather
from allocation.verdicts import Rule
from api.objects import JSON
from api.texts import counted
from explain.availability import Availability
from explain.diagnosis import Offer, Overview
from explain.seen import Seen


def explain_node(raw: JSON, seen: Seen) -> Overview:
    """Say which devices a node can reach, and who or what keeps claims from them."""
    name = raw["metadata"]["name"]
    pools = gather(seen.slices, Node(name, raw["metadata"].get("labels") or {}))
    availability = Availability(seen)
    offers = tuple(_offer(pool, availability) for pool in pools if not pool.problem)
    facts = tuple(line for pool in pools for line in _facts(pool, availability))
    total = sum(each.devices for each in offers)
    free = sum(len(each.free) for each in offers)
    summary = f"offers {counted(total, 'device')}, {free} of them free"
    fits = None if seen.lacks("resourceslices", "resourceclaims") else free > 0
    return Overview(f"node {name}", fits, summary, facts, offers, unread=seen.unread)


def _offer(pool: Pool, availability: Availability) -> Offer:
    taken = availability.taken(pool)
    prefix = "/".join(pool.id)
    names = [each["name"] for each in pool.devices]
    free = tuple(f"{prefix}/{each}" for each in names if each not in taken)
    return Offer(f"pool {prefix}", len(names), tuple(f"{prefix}/{each}" for each in names), free)


def _facts(pool: Pool, availability: Availability) -> Iterator[str]:
    """Yield what keeps claims from devices, and what is left of counters."""
    if pool.problem:
        yield f"nothing is allocated from pool {'/'.join(pool.id)}: {pool.problem}"
    taken = availability.taken(pool)
    for name, each in taken.items():
        if each.rule is not Rule.COUNTERS:
            yield f"{'/'.join(pool.id)}/{name}: {each.text}"
    for (counters, counter), left in availability.counters(pool).items():
        yield f"counter {counter} of {counters}: {left} left"
    if lacking := sum(each.rule is Rule.COUNTERS for each in taken.values()):
        devices = counted(lacking, "device")
        yield f"{devices} of the pool: more of its counters is needed than is left"
