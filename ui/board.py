"""What pages show, by kind and name, and what has changed since any moment.

An entry is JSON text. Each change gets the next number; who has seen everything up to a number is
told the entries that are newer, each once, however often it changed in between: so a page that is
slow gets less, and nothing is kept for it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Place: TypeAlias = tuple[str, str]
"""Kind and key of an entry."""

_MOST_GONE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delta:
    """What a page does not know yet.

    Attributes:
        number: of the last change in it.
        anew: whether these are all entries there are, so that the page forgets what it has.
        entries: JSON by place, None for one that is gone.
    """

    number: int
    anew: bool
    entries: Mapping[Place, str | None]


class Board:
    """Thread-safe."""

    def __init__(self, *, most_gone: int = _MOST_GONE) -> None:
        """Start empty; remember so many entries that are gone."""
        self._changed = threading.Condition()
        self._entries: OrderedDict[Place, tuple[int, str | None]] = OrderedDict()
        self._gone: OrderedDict[Place, None] = OrderedDict()
        self._most_gone = most_gone
        self._number = 0
        self._floor = 0

    def begin(self, number: int) -> None:
        """Count from a number that is above those of all former processes, whose pages come."""
        with self._changed:
            self._number = self._floor = number

    def update(self, entries: Mapping[Place, str | None]) -> int:
        """Take in entries, and return how many are not as they were."""
        with self._changed:
            before = self._number
            for place, text in entries.items():
                self._put(place, text)
            self._forget()
            if self._number > before:
                self._changed.notify_all()
            return self._number - before

    def since(self, number: int, seconds: float, stopped: Callable[[], bool]) -> Delta | None:
        """Return what is newer than a number, None if nothing comes within some seconds.

        Args:
            number: of the last delta; negative for a page that knows nothing.
            seconds: to wait.
            stopped: ends the waiting, see `wake`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number != number or stopped(), seconds)
            if self._number == number or stopped():
                return None
            return self._delta(number)

    def wake(self) -> None:
        """Let everybody who waits look again whether they are to stop."""
        with self._changed:
            self._changed.notify_all()

    def _put(self, place: Place, text: str | None) -> None:
        _, known = self._entries.get(place, (0, None))
        if known == text:
            return
        self._number += 1
        self._entries[place] = (self._number, text)
        self._entries.move_to_end(place)
        self._gone.pop(place, None)
        if text is None:
            self._gone[place] = None

    def _forget(self) -> None:
        while len(self._gone) > self._most_gone:
            place, _ = self._gone.popitem(last=False)
            self._floor, _ = self._entries.pop(place)

    def _delta(self, number: int) -> Delta:
        if number < self._floor or number > self._number or number < 0:
            there = {place: text for place, (_, text) in self._entries.items() if text is not None}
            return Delta(self._number, True, there)
        found: dict[Place, str | None] = {}
        for place in reversed(self._entries):
            changed, text = self._entries[place]
            if changed <= number:
                break
            found[place] = text
        return Delta(self._number, False, found)
