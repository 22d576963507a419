"""Objects by key, and by the values that index functions give; the lookup table of a cache."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from api.objects import JSON, Key

Indexer: TypeAlias = Callable[[JSON], Iterable[str]]
"""Tells under which values an object is found."""

_Place: TypeAlias = tuple[str, str]


class Index:
    """Keeps objects and finds them; not thread-safe.

    Finding costs as much as the result, never as much as the table.
    """

    def __init__(self, indexers: Mapping[str, Indexer]) -> None:
        """Find objects by `indexers`, name to function."""
        self._indexers = dict(indexers)
        self._objects: dict[Key, JSON] = {}
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
        return [self._objects[key] for key in self._keys.get((index, value), ())]

    def put(self, key: Key, obj: JSON | None) -> None:
        """Replace an object; None removes it."""
        if self._objects.get(key) is obj:
            return
        self._forget(key)
        if obj is not None:
            self._objects[key] = obj
            self._places[key] = [*self._places_of(obj)]
            for place in self._places[key]:
                self._keys.setdefault(place, {})[key] = None

    def _forget(self, key: Key) -> None:
        self._objects.pop(key, None)
        for place in self._places.pop(key, ()):
            keys = self._keys[place]
            keys.pop(key)
            if not keys:
                del self._keys[place]

    def _places_of(self, obj: JSON) -> set[_Place]:
        return {(name, value) for name, indexer in self._indexers.items() for value in indexer(obj)}
