"""What is known of the objects of one resource, from a watch and from our own writes; no threads.

The API server numbers the writes to a resource with a rising resourceVersion, and a watch delivers
them in that order. So the answer to a write of ours is worth showing as long as its resourceVersion
is above everything that the watch has shown, and obsolete from then on: also if the object is not
there by then, because the watch has passed that point of history. No comparison of two copies of an
object is needed, and a late answer cannot bring back what was deleted since.

Source: kubernetes KEP-5504 (resourceVersions compare as integers); client-go tools/cache
MutationCache, which this replaces.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from api.objects import JSON, Key, key_of, uid_of

Indexer: TypeAlias = Callable[[JSON], Iterable[str]]
"""Tells under which values an object is found."""

_Place: TypeAlias = tuple[str, str]

Change: TypeAlias = tuple[JSON | None, JSON | None]
"""An object before and after: (None, new) added, (old, None) deleted."""


def revision(obj: JSON) -> int:
    """Return the resourceVersion of an object as a number, 0 if it was never stored."""
    return int(obj["metadata"].get("resourceVersion") or 0)


class Index:
    """Keeps objects and finds them; not thread-safe.

    Finding costs as much as the result and what was put since the last time, never as much as the
    table: objects are put several times for each time that one is looked for.
    """

    def __init__(self, indexers: Mapping[str, Indexer]) -> None:
        """Find objects by `indexers`, name to function."""
        self._indexers = dict(indexers)
        self._objects: dict[Key, JSON] = {}
        self._unindexed: dict[Key, None] = {}
        self._places: dict[Key, list[_Place]] = {}
        self._keys: dict[_Place, dict[Key, None]] = {}

    def get(self, key: Key) -> JSON | None:
        """Return an object."""
        return self._objects.get(key)

    def all(self) -> list[JSON]:
        """Return every object."""
        return list(self._objects.values())

    def find(self, index: str, value: str) -> list[JSON]:
        """Return the objects for which the indexer `index` gave `value`.

        Raises:
            KeyError: there is no such indexer.
        """
        if index not in self._indexers:
            raise KeyError(f"no index {index!r}; there are {sorted(self._indexers)}")
        for key in self._unindexed:
            self._forget(key)
            self._remember(key, self._objects[key])
        self._unindexed.clear()
        return [self._objects[key] for key in self._keys.get((index, value), ())]

    def put(self, key: Key, obj: JSON | None) -> None:
        """Replace an object; None removes it."""
        if self._objects.get(key) is obj:
            return
        if obj is None:
            del self._objects[key]
            self._unindexed.pop(key, None)
            self._forget(key)
            return
        self._objects[key] = obj
        if self._indexers:
            self._unindexed[key] = None

    def _forget(self, key: Key) -> None:
        for place in self._places.pop(key, ()):
            keys = self._keys[place]
            keys.pop(key)
            if not keys:
                del self._keys[place]

    def _remember(self, key: Key, obj: JSON) -> None:
        places = {
            (name, value) for name, indexer in self._indexers.items() for value in indexer(obj)
        }
        self._places[key] = [*places]
        for place in places:
            self._keys.setdefault(place, {})[key] = None


@dataclass(frozen=True, slots=True)
class _Write:
    obj: JSON
    expires: float


class Cache:
    """The freshest copy of each object, and what listeners have to be told; not thread-safe.

    Each method that takes in news returns the changes that follow from it. Listeners hear of every
    resourceVersion at most once, never of an older one after a newer one, and of an object that was
    deleted and created anew as two changes. When an own write expires unseen by the watch, readers
    get the copy of the watch again, and listeners hear nothing: they go on from what they know.
    """

    def __init__(self, indexers: Mapping[str, Indexer], write_seconds: float) -> None:
        """Start empty.

        Args:
            indexers: name to function.
            write_seconds: how long an own write is shown when the watch does not get that far.
        """
        self.shown = Index(indexers)
        self._write_seconds = write_seconds
        self._watched: dict[Key, JSON] = {}
        self._told: dict[Key, JSON] = {}
        self._progress = 0
        self._newest = 0
        self._writes: dict[Key, _Write] = {}
        self._by_revision: list[tuple[int, Key]] = []

    @property
    def newest(self) -> int:
        """The highest resourceVersion that was seen, by the watch or in the answer to a write."""
        return max(self._newest, self._progress)

    def write(self, obj: JSON, now: float) -> list[Change]:
        """Take in the answer of the API server to a write of ours at the time `now`."""
        key, number = key_of(obj), revision(obj)
        self._newest = max(self._newest, number)
        pending = self._writes.get(key)
        if number <= self._progress or (pending and number <= revision(pending.obj)):
            return []
        # Taken out first, so that the order of the dict is the order of expiry.
        self._writes.pop(key, None)
        self._writes[key] = _Write(obj, now + self._write_seconds)
        heapq.heappush(self._by_revision, (number, key))
        return self._settle(key)

    def apply(self, obj: JSON) -> list[Change]:
        """Take in an object that the watch reports as added or modified."""
        key = key_of(obj)
        self._watched[key] = obj
        return [*self.advance(revision(obj)), *self._settle(key)]

    def remove(self, obj: JSON) -> list[Change]:
        """Take in an object that the watch reports as deleted."""
        key = key_of(obj)
        self._watched.pop(key, None)
        pending = self._writes.get(key)
        if pending and uid_of(pending.obj) == uid_of(obj):
            del self._writes[key]
        return [*self.advance(revision(obj)), *self._settle(key)]

    def advance(self, number: int) -> list[Change]:
        """Take in that the watch has shown everything up to a resourceVersion."""
        self._progress = max(self._progress, number)
        return [change for key in self._obsolete() for change in self._settle(key)]

    def replace(
        self, items: Iterable[JSON], number: int, *, restored: bool = False
    ) -> list[Change]:
        """Take in a full list of a resourceVersion; what is missing in it was deleted.

        Args:
            items: the objects.
            number: the resourceVersion.
            restored: whether the API server has lost all that was seen above `number`; without a
                word it is taken to have lost that if the watch was further.
        """
        restored = restored or number < self._progress
        # an object in the list that is older than one of a lower number is so by a restore, too
        valid = self.newest if restored else number
        if restored:
            self._writes.clear()
            self._by_revision.clear()
            self._newest = number
        self._progress = number
        self._watched = {key_of(obj): obj for obj in items}
        self._obsolete()
        keys = [*self._told, *(key for key in self._watched if key not in self._told)]
        return [change for key in keys for change in self._settle(key, valid)]

    def expire(self, now: float) -> None:
        """Stop showing own writes that are too old; to be called before each reading."""
        while self._writes:
            key, oldest = next(iter(self._writes.items()))
            if now < oldest.expires:
                return
            del self._writes[key]
            self.shown.put(key, self._watched.get(key))

    def _obsolete(self) -> list[Key]:
        """Drop the own writes that the watch has reached; return their keys."""
        dropped = []
        while self._by_revision and self._by_revision[0][0] <= self._progress:
            _, key = heapq.heappop(self._by_revision)
            pending = self._writes.get(key)
            if pending and revision(pending.obj) <= self._progress:
                del self._writes[key]
                dropped.append(key)
        return dropped

    def _settle(self, key: Key, valid: int = 0) -> list[Change]:
        """Return what to tell of an object; older than what was told only up to `valid`."""
        pending = self._writes.get(key)
        new = pending.obj if pending else self._watched.get(key)
        self.shown.put(key, new)
        old = self._told.get(key)
        changes = _changes(old, new, valid)
        if changes:
            if new is None:
                del self._told[key]
            else:
                self._told[key] = new
        return changes


def _changes(old: JSON | None, new: JSON | None, valid: int) -> list[Change]:
    """Return what to tell a listener that knows `old`."""
    if old is None or new is None:
        return [] if old is new else [(old, new)]
    if uid_of(old) != uid_of(new):
        return [(old, None), (None, new)]
    behind = revision(new) < revision(old) > valid
    return [] if behind or revision(new) == revision(old) else [(old, new)]
