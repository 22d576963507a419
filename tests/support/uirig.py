"""What the page shows of a cluster in this process, without threads and sockets."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from api.contract import FAKE
from api.objects import JSON
from explain.features import features
from explain.reading import Reading
from testing.apiserver import MemoryApi
from ui.board import Board, Place
from ui.caches import CachedApi, Caches, taint_rules
from ui.details import Details
from ui.explaining import Explaining
from ui.lives import Lives
from ui.marks import Marks
from ui.picture import Picture
from ui.rows import Rows

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class UiRig:
    """The page of a cluster, refreshed when it is looked at."""

    def __init__(self, api: MemoryApi, version: str = "v1", namespace: str = "") -> None:
        self.caches = Caches(api, version, namespace, taint_rules(api))
        self.board = Board()
        self.marks, self.rows = Marks(self.caches), Rows(self.caches, FAKE)
        self.now = NOW
        self.clock: Callable[[], str] = lambda: f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        self._lives = Lives(self.caches, self.rows, FAKE, self.clock)
        self._picture = Picture(
            self.caches, self.marks, self.rows, self._lives, self.board, {"kind": "any"}
        )
        self.details = Details(self.caches, self.rows, FAKE, features(37, {}, {}))
        cached = CachedApi(api, self.caches)
        self.explaining = Explaining(lambda: Reading(cached, {}, lambda: self.now), FAKE)
        self.number = -1

    def look(self) -> dict[Place, JSON]:
        """Let all watches bring what is new, and return everything that is shown then."""
        for reflector in self.caches._reflectors.values():
            reflector._step(_Stopped())  # type: ignore[arg-type]
            reflector._state.version = None
        self._picture.refresh()
        return self.shown()

    def shown(self) -> dict[Place, JSON]:
        """Return everything that is shown."""
        delta = self.board.since(-1, 0, lambda: False)
        entries = delta.entries.items() if delta else ()
        return {place: json.loads(text) for place, text in entries if text}

    def news(self) -> dict[Place, JSON | None]:
        """Let watches bring what is new; return what a page is told that knows what was before."""
        self.look()
        delta = self.board.since(self.number, 0, lambda: False)
        if delta is None:
            return {}
        self.number = delta.number
        entries = delta.entries.items()
        return {place: json.loads(text) if text else None for place, text in entries}

    def of(self, kind: str) -> dict[str, JSON]:
        """Return what is shown of a kind, by key."""
        return {key: entry for (each, key), entry in self.look().items() if each == kind}

    def cards(self, row: str) -> dict[str, list[JSON]]:
        """Return the parts of the cards of a row, by the cards' names."""
        pools = self.of("node")[row].get("pools", ())
        return {card["n"]: card.get("p", []) for pool in pools for card in pool["cards"]}


class _Stopped:
    """The event of a reflector that is to take one step."""

    def is_set(self) -> bool:
        return False
