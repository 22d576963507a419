"""Claims with their lives: what is known of the times, also of some that are deleted."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.contract import Contract
from api.objects import JSON, ClaimUID, Key, uid_of
from ui import classic, entries, timeline
from ui.caches import CLAIM, Caches
from ui.entries import ClaimState, Device
from ui.rows import Rows
from ui.timeline import Station

MOST_RELEASED: Final = 200


@dataclass(slots=True)
class _Life:
    """What is remembered of a claim."""

    uid: str
    line: tuple[Station, ...] | None
    entry: JSON = field(default_factory=dict)


class Lives:
    """Remembers claims; for one thread.

    Attributes:
        begun: whether claims that come now are new ones, and not those of the first look.
    """

    def __init__(
        self, caches: Caches, rows: Rows, contract: Contract, clock: Callable[[], str]
    ) -> None:
        """Show what is in caches; `clock` returns RFC 3339."""
        self.begun = False
        self._caches = caches
        self._rows = rows
        self._contract = contract
        self._clock = clock
        self._lives: dict[str, _Life] = {}
        self._released: OrderedDict[str, None] = OrderedDict()

    def entry(self, key: str) -> JSON | None:
        """Return a claim as it is shown; None if there is none, or none any more."""
        claim, life = self._caches.claims.get(Key(key)), self._lives.get(key)
        if claim is None:
            return self._gone(key, life) if life is not None else None
        if life is None or life.uid != uid_of(claim):
            known = () if self.begun else None
            life = self._lives[key] = _Life(uid_of(claim), known)
            self._released.pop(key, None)
        pods = self._caches.pods.by_index(CLAIM, key)
        devices, prepared = self._devices(claim)
        now = timeline.reached(claim, pods, prepared=prepared)
        life.line = timeline.line(life.line, now, self._clock())
        state = entries.claim_state(claim, pods)
        life.entry = entries.claim_entry(claim, state, pods, life.line, devices)
        return life.entry

    def forgotten(self) -> list[str]:
        """Return claims that were deleted long ago, and remember them no more."""
        found = []
        while len(self._released) > MOST_RELEASED:
            key, _ = self._released.popitem(last=False)
            del self._lives[key]
            found.append(key)
        return found

    def _gone(self, key: str, life: _Life) -> JSON:
        life.line = timeline.gone(life.line or (), self._clock())
        self._released[key] = None
        line = entries.stations(life.line)
        return {**life.entry, "state": ClaimState.RELEASED, "line": line}

    def _devices(self, claim: JSON) -> tuple[list[Device], bool]:
        """Return the devices of a claim, and whether its driver says that they are prepared."""
        found, prepared = entries.results(claim), False
        uid = ClaimUID(uid_of(claim))
        for raw in self._caches.states_of(claim):
            for state in self._rows.states(raw["metadata"]["name"]):
                if isinstance(state, str):
                    continue
                prepared = prepared or uid in state.prepared
                given = classic.devices_of(state, uid)
                found += [(self._contract.driver_name, state.node, each.id) for each in given]
        return list(dict.fromkeys(found)), prepared
