"""Keeps the board like the caches: makes anew what is marked, and tells what differs."""

import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from api.claims.versions import CLASSIC
from api.objects import JSON, Key
from ui import entries
from ui.board import Board, Place
from ui.caches import Caches, claims_named
from ui.lives import Lives
from ui.marks import CLUSTER, Marks
from ui.rows import Rows

GATHER_SECONDS: Final = 0.05
"""In which more may be marked: a burst is one change to a page."""


class Picture:
    """Shows caches on a board; for one thread."""

    def __init__(
        self, caches: Caches, marks: Marks, rows: Rows, lives: Lives, board: Board, about: JSON
    ) -> None:
        """Show what is marked of the caches; `about` is what to tell of the cluster itself."""
        self._caches = caches
        self._marks = marks
        self._rows = rows
        self._lives = lives
        self._board = board
        self._about = about

    def run(self, stop: threading.Event) -> None:
        """Show changes until `stop`, for which the marks have to be woken."""
        while not stop.is_set():
            self._marks.wait(stop)
            stop.wait(GATHER_SECONDS)
            self.refresh()

    def refresh(self) -> None:
        """Show what is marked, once there is something of everything.

        Half of a cluster would show devices as free that are not.
        """
        waiting = self._caches.waiting()
        made = {} if waiting else dict(self._made(self._marks.take()))
        self._board.update({**made, CLUSTER: entries.text(self._cluster(waiting))})
        self._lives.begun = not waiting

    def _made(self, marked: Mapping[str, Collection[str]]) -> Iterator[tuple[Place, str | None]]:
        """Yield entries; pools are drawn before the rows that they are in."""
        rows = dict.fromkeys(marked.get("node", ()))
        for key in marked.get("pool", ()):
            rows.update(dict.fromkeys(self._rows.draw(key)))
        makers = {
            "node": (rows, self._rows.entry),
            "claim": (marked.get("claim", ()), self._lives.entry),
            "pod": (marked.get("pod", ()), self._pod),
            "class": (marked.get("class", ()), self._class),
        }
        for kind, (keys, make) in makers.items():
            for key in keys:
                entry = make(key)
                yield (kind, key), entries.text(entry) if entry is not None else None
        for key in self._lives.forgotten():
            yield ("claim", key), None

    def _cluster(self, waiting: list[str]) -> JSON:
        unread = [str(each) for each in self._caches.unread]
        return {**self._about, "unread": unread, "waiting": waiting}

    def _pod(self, key: str) -> JSON | None:
        pod = self._caches.pods.get(Key(key))
        return entries.pod_entry(pod) if pod is not None and claims_named(pod) else None

    def _class(self, key: str) -> JSON | None:
        raw = self._caches.classes.get(Key(key))
        structured = self._caches.version not in CLASSIC
        return entries.class_entry(raw, structured=structured) if raw is not None else None
