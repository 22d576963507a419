"""One lock for each key, so that two threads never work on the same thing at a time.

Only the locks that somebody holds or waits for are known. Held by the controller for claims and
nodes, and by the kubelet's service and the embedded kubelet for claims.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=str)


class KeyBusy(Exception):
    """Somebody else holds the lock of a key for too long."""


class KeyLocks(Generic[K]):
    """Thread-safe; a thread that holds a key may hold it once more."""

    def __init__(self) -> None:
        """Know no keys."""
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[K, threading.RLock] = WeakValueDictionary()

    @contextmanager
    def holding(self, keys: Iterable[K], seconds: float = -1) -> Iterator[None]:
        """Hold the locks of some keys, taken in one order so that nobody waits in a circle.

        Args:
            keys: to be held.
            seconds: for each, until it is given up; as long as it takes if negative.

        Raises:
            KeyBusy: somebody else holds one.
        """
        with self._guard:
            locks = [self._locks.setdefault(key, threading.RLock()) for key in sorted(set(keys))]
        with ExitStack() as stack:
            for lock in locks:
                if not lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
                    raise KeyBusy
                stack.callback(lock.release)
            yield
