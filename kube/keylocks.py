"""One lock for each key, so that two threads never work on the same thing at a time.

Only the locks that somebody holds or waits for are known. Held by the controller for claims and
nodes, and by the embedded kubelet for claims.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=str)


class KeyLocks(Generic[K]):
    """Thread-safe; a thread that holds a key may hold it once more."""

    def __init__(self) -> None:
        """Know no keys."""
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[K, threading.RLock] = WeakValueDictionary()

    @contextmanager
    def holding(self, keys: Iterable[K]) -> Iterator[None]:
        """Hold the locks of some keys, taken in one order so that nobody waits in a circle."""
        with self._guard:
            locks = [self._locks.setdefault(key, threading.RLock()) for key in sorted(set(keys))]
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            yield
