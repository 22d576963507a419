"""One watcher's queue: filled by the storage under its lock, emptied by the watcher's thread."""

import queue
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_BACKLOG: Final = 50_000
"""A watcher that is this far behind is cut off; it comes back from its last resourceVersion."""


class Closed(Exception):
    """No more events will come."""


class Subscription(Generic[T]):
    """Events of one resource, in order.

    Attributes:
        namespace: empty for events of all namespaces.
        since: the revision up to which the watcher knows everything.
        wants: tells whether the watcher is to see an event. Asked by the thread of the writer: to
            wake a thread for each of many nodes, only to find that it looks at another pod, takes
            far longer than the write.
    """

    def __init__(
        self, namespace: str = "", since: int = 0, wants: Callable[[T], bool] = lambda _: True
    ) -> None:
        self.namespace = namespace
        self.since = since
        self.wants = wants
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._closed = threading.Event()

    def put(self, event: T) -> None:
        """Queue an event; never blocks."""
        if self._queue.qsize() >= MAX_BACKLOG:
            self.close()
        else:
            self._queue.put(event)

    def get(self, timeout: float) -> T | None:
        """Return the next event, or None when `timeout` seconds pass without one.

        Raises:
            Closed: the server ends the watch.
        """
        if self._closed.is_set():
            raise Closed
        try:
            event = self._queue.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None
        if event is None:
            raise Closed
        return event

    def close(self) -> None:
        """End the watch at once, whatever is still queued."""
        self._closed.set()
        self._queue.put(None)
