"""One lock per claim, so that two workers never write for the same claim at a time.

The queue keeps workers apart by key, but a claim is met under several: its own, and those of all
the pods that share it. Held by controller.claims while it allocates and deallocates.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from weakref import WeakValueDictionary

from api.objects import ClaimUID


class ClaimLocks:
    """Thread-safe; knows only the locks that somebody holds or waits for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[ClaimUID, threading.Lock] = WeakValueDictionary()

    @contextmanager
    def holding(self, claims: Iterable[ClaimUID]) -> Iterator[None]:
        """Hold the locks of some claims, taken in one order so that nobody waits in a circle."""
        with self._guard:
            locks = [self._locks.setdefault(uid, threading.Lock()) for uid in sorted(set(claims))]
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            yield
