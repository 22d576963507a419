"""What the page asks for when somebody looks closer: a card with its devices."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from allocation.counters import consumption
from allocation.pools import Pool
from api.contract import Contract
from api.objects import JSON
from explain.availability import Availability, Taken
from explain.holders import Holder
from explain.places import where
from explain.seen import Features, Seen
from ui import classic
from ui.caches import POOL, Caches
from ui.cards import groups
from ui.entries import taint_text
from ui.rows import Rows


class Details:
    """Answers of any thread."""

    def __init__(self, caches: Caches, rows: Rows, contract: Contract, features: Features) -> None:
        """Answer out of caches, by the feature gates of the scheduler."""
        self._caches = caches
        self._rows = rows
        self._contract = contract
        self._features = features

    def card(self, driver: str, pool: str, name: str, now: datetime) -> JSON | None:
        """Return a card with its devices, None if there is none of that name."""
        found = self._rows.pool(f"{driver}/{pool}")
        if found is not None and name in (placed := groups(found)):
            claims = tuple(self._caches.claims.by_index(POOL, f"{driver}/{pool}"))
            availability = Availability(Seen(0, self._features, now, claims=claims))
            taken = availability.taken(found)
            holders = self._rows.holding(found).holders
            devices = [
                _device(
                    each.device,
                    taken.get(each.device["name"]),
                    holders.get((*found.id, each.device["name"]), ()),
                )
                for each in placed[name]
            ]
            counters = list(_counters(found, [p.device for p in placed[name]], availability))
            return {
                "where": where(found, placed[name][0]),
                "devices": devices,
                "counters": counters,
            }
        return self._of_state(driver, pool, name)

    def _of_state(self, driver: str, node: str, device: str) -> JSON | None:
        """Return a device of a NodeAllocationState."""
        if driver != self._contract.driver_name:
            return None
        for state in self._rows.states(node):
            if isinstance(state, str):
                continue
            for each in state.allocatable:
                if each.id == device:
                    held = classic.holders(state).get(each.id, ())
                    found = {
                        "name": each.id,
                        "attributes": [["model", each.model]],
                        "holders": [{"claim": one.claim, "split": one.split} for one in held],
                        "parts": [
                            part
                            for one in held
                            for part in classic.children(state, each.id, one.uid)
                        ],
                    }
                    return {"where": state.node, "devices": [found], "counters": []}
        return None


def _device(device: JSON, taken: Taken | None, holders: Sequence[Holder]) -> JSON:
    return {
        "name": device["name"],
        "attributes": [[name, _value(v)] for name, v in _sorted(device.get("attributes"))],
        "capacity": [[name, str(v.get("value"))] for name, v in _sorted(device.get("capacity"))],
        "taints": [taint_text(each) for each in device.get("taints") or ()],
        "draws": [[f"{s} {c}", str(n)] for (s, c), n in consumption(device)],
        "taken": taken.text if taken is not None else "",
        "holders": [_holder(each) for each in holders],
    }


def _holder(holder: Holder) -> JSON:
    return {
        "claim": holder.claim,
        "since": holder.since,
        "admin": holder.admin,
        "consumed": [list(each) for each in holder.consumed] if holder.share else [],
    }


def _counters(
    pool: Pool, devices: Sequence[JSON], availability: Availability
) -> Iterator[Sequence[str]]:
    """Yield the counters that devices draw on, with what is left of each."""
    drawn = {counter for device in devices for counter, _ in consumption(device)}
    for counter, text in availability.counters(pool).items():
        if counter in drawn:
            yield [" ".join(counter), text]


def _value(attribute: Mapping[str, object]) -> str:
    """Return the value of an attribute, whatever its type is."""
    for value in attribute.values():
        if isinstance(value, bool):
            return str(value).lower()
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return ""


def _sorted(values: object) -> list[tuple[str, JSON]]:
    return sorted(values.items()) if isinstance(values, dict) else []
