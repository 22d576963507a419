"""Remembers what was used last, within bounds.

Source: k8s.io/utils/lru.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LRU(Generic[K, V]):
    """A dict that forgets the key that was not asked for longest; thread-safe."""

    def __init__(self, size: int) -> None:
        """Remember at most `size` keys."""
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def setdefault(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, made if there is none; the key is the one used last."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                if len(self._values) > self._size:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._values
