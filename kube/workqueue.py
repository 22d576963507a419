"""Keys to work on: each once, never by two workers at a time, and later again after a failure.

The semantics are those of client-go's util/workqueue: a key that is added while a worker has it is
handed out again after `done`; `add_after` keeps the earliest time; shutting down lets the workers
drain what is queued. QueueState holds the rules without clock or threads; WorkQueue adds both.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from kube.backoff import Backoff
from kube.ratelimit import TokenBucket

_BACKOFF: Final = Backoff(first=0.005, longest=1000.0)
_RETRIES_PER_SECOND: Final = 10.0
_RETRIES_BURST: Final = 100


class QueueObserver(Protocol):
    """Hears what happens to the keys of a queue, for metrics; called under its lock."""

    def added(self, key: str) -> None:
        """Take note that a key waits for a worker from now on."""

    def started(self, key: str) -> None:
        """Take note that a worker took a key."""

    def finished(self, key: str) -> None:
        """Take note that a worker is done with a key."""

    def retried(self) -> None:
        """Take note that a key is to be added again, with back-off."""


class QueueState:
    """Which keys are ready, in work, or due later; not thread-safe, times come from outside."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._dirty: set[str] = set()
        self._processing: set[str] = set()
        self._due: dict[str, float] = {}
        self._by_time: list[tuple[float, str]] = []

    def add(self, key: str) -> bool:
        """Have a key worked on; tell whether it became ready by this."""
        if key in self._dirty:
            return False
        self._dirty.add(key)
        if key in self._processing:
            return False
        self._ready.append(key)
        return True

    def add_at(self, key: str, due: float) -> None:
        """Have a key worked on at a time; of several times the earliest counts."""
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._by_time, (due, key))

    def take_due(self, now: float) -> list[str]:
        """Make the keys ready whose time has come; return those that became ready."""
        found = []
        while self._by_time and self._by_time[0][0] <= now:
            due, key = heapq.heappop(self._by_time)
            if self._due.get(key) == due:
                del self._due[key]
                if self.add(key):
                    found.append(key)
        return found

    def drop_due(self) -> None:
        """Forget the keys that are due later."""
        self._due.clear()
        self._by_time.clear()

    def next_due(self) -> float | None:
        """Return the time at which `take_due` has to be called next."""
        return self._by_time[0][0] if self._by_time else None

    def take(self) -> str | None:
        """Hand out the key that is ready for longest; None if none is."""
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: str) -> bool:
        """Take a key back; tell whether it became ready again, because it was added meanwhile."""
        self._processing.discard(key)
        if key not in self._dirty:
            return False
        self._ready.append(key)
        return True

    def __len__(self) -> int:
        return len(self._ready)


class WorkQueue:
    """Thread-safe queue of keys with back-off per key."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        limiter: TokenBucket | None = None,
        observer: QueueObserver | None = None,
    ) -> None:
        """Start empty.

        Args:
            clock: seconds, monotonic.
            limiter: slows down the retries of all keys together; 10 a second with a burst of 100 by
                default, as in client-go's DefaultControllerRateLimiter.
            observer: hears of what happens.
        """
        self._clock = clock
        self._limiter = limiter or TokenBucket(_RETRIES_PER_SECOND, _RETRIES_BURST, clock=clock)
        self._observer = observer
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._due = threading.Condition(self._lock)
        self._idle = 0
        self._watched = False
        self._state = QueueState()
        self._failures: dict[str, int] = {}
        self._shut = False

    def add(self, key: str) -> None:
        """Have a key worked on; of no effect if it waits already, or after `shutdown`."""
        with self._lock:
            if not self._shut and self._state.add(key):
                self._note_ready(key)

    def add_after(self, key: str, seconds: float) -> None:
        """Have a key worked on after a time; of several times the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        with self._lock:
            if not self._shut:
                before = self._state.next_due()
                self._state.add_at(key, self._clock() + seconds)
                if before != self._state.next_due():
                    self._due.notify()

    def add_rate_limited(self, key: str) -> None:
        """Have a key worked on after its back-off: 5 ms, doubled by each failure, up to 1000 s."""
        with self._lock:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            if self._observer is not None:
                self._observer.retried()
        self.add_after(key, max(_BACKOFF.pause(failures), self._limiter.reserve()))

    def forget(self, key: str) -> None:
        """Start the back-off of a key anew."""
        with self._lock:
            self._failures.pop(key, None)

    def retries(self, key: str) -> int:
        """Return how often a key was added with back-off since it was last forgotten."""
        with self._lock:
            return self._failures.get(key, 0)

    def get(self) -> str | None:
        """Block for a key; `done` must follow. None means shut down and drained."""
        with self._lock:
            while True:
                self._take_due()
                key = self._state.take()
                if key is not None:
                    self._note_started(key)
                    if not self._watched:
                        self._wake_idle()
                    return key
                if self._shut:
                    return None
                self._wait()

    def done(self, key: str) -> None:
        """Give a key back; it is handed out again if it was added in the meantime."""
        with self._lock:
            self._note_finished(key)
            if self._state.done(key):
                self._note_ready(key)

    def shutdown(self) -> None:
        """Take no more keys, drop those that are due later, and let workers drain the others."""
        with self._lock:
            self._shut = True
            self._state.drop_due()
            self._idle = 0
            self._ready.notify_all()
            self._due.notify_all()

    def __len__(self) -> int:
        with self._lock:
            return len(self._state)

    def _take_due(self) -> None:
        """Make keys ready whose time has come; the caller takes one, others the rest."""
        for number, key in enumerate(self._state.take_due(self._clock())):
            self._note_added(key)
            if number:
                self._wake_idle()

    def _note_ready(self, key: str) -> None:
        self._note_added(key)
        if not self._wake_idle():
            self._due.notify()

    def _note_added(self, key: str) -> None:
        if self._observer is not None:
            self._observer.added(key)

    def _wait(self) -> None:
        """Wait for a key; one worker watches the clock for all, so that no other wakes in vain."""
        if self._watched:
            self._idle += 1
            self._ready.wait()
        else:
            self._watched = True
            self._due.wait(self._until_due())
            self._watched = False

    def _wake_idle(self) -> bool:
        """Wake a worker that waits without a look at the clock; tell whether there is one."""
        if not self._idle:
            return False
        # counted down here, since it takes a while until the worker is awake
        self._idle -= 1
        self._ready.notify()
        return True

    def _note_started(self, key: str) -> None:
        if self._observer is not None:
            self._observer.started(key)

    def _note_finished(self, key: str) -> None:
        if self._observer is not None:
            self._observer.finished(key)

    def _until_due(self) -> float | None:
        """Return the seconds until a delayed key is due, None if there is none."""
        due = self._state.next_due()
        return None if due is None else max(0.0, due - self._clock())
