"""Watch cache of one resource that also shows our own writes before the watch does.

A reflector feeds it, the code above reads it, and whoever writes an object hands the answer of the
API server to `written`. Without that, a reconcile that follows at once would decide on the object
as it was before its own write. What is fresh and who has to hear of it is decided in cache.py; this
module adds the lock, the clock and the delivery to handlers.

Handlers run in one thread, that of the reflector, and never in the stack of a writer, as in
client-go. None of our writes is lost to them, since the watch always gets as far as that.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from api.objects import JSON, Key, object_key
from api.resources import Resource
from kube.cache import Cache, Change, Indexer, revision
from kube.client import Client
from kube.errors import NotFound

Handler: TypeAlias = Callable[[JSON | None, JSON | None], None]
"""Gets an object before and after a change: (None, new) added, (old, None) deleted."""

_Objects: TypeAlias = list[JSON]


class Store:
    """Thread-safe cache; the objects in it are shared and must not be changed."""

    def __init__(
        self,
        indexers: Mapping[str, Indexer] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        overlay_seconds: float = 60.0,
    ) -> None:
        """Start empty and not synced.

        Args:
            indexers: name of an index to the function that gives the values of an object.
            clock: seconds, monotonic.
            overlay_seconds: how long an own write is shown if the watch does not get that far.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._cache = Cache(indexers or {}, overlay_seconds)
        self._handlers: list[Handler] = []
        self._undelivered: deque[Change] = deque()
        self._synced = threading.Event()

    def get(self, key: Key) -> JSON | None:
        """Return the freshest copy of an object, None if it does not exist."""
        with self._lock:
            self._cache.expire(self._clock())
            return self._cache.shown.get(key)

    def list(self) -> _Objects:
        """Return the freshest copies of all objects, in no particular order."""
        with self._lock:
            self._cache.expire(self._clock())
            return self._cache.shown.all()

    def by_index(self, index: str, value: str) -> _Objects:
        """Return the objects for which an indexer gives `value`.

        Raises:
            KeyError: the store has no such index.
        """
        with self._lock:
            self._cache.expire(self._clock())
            return self._cache.shown.find(index, value)

    def written(self, obj: JSON) -> None:
        """Show an object as the API server returned it for a write of ours.

        Handlers hear of it with what the watch reports next, and not again when that reports the
        same resourceVersion.
        """
        with self._lock:
            self._undelivered += self._cache.write(obj, self._clock())

    def subscribe(self, handler: Handler) -> None:
        """Call `handler` for every later change.

        It is called outside the lock and in the order of the changes, by the one thread that takes
        in what the watch reports. It must be quick and must not raise.
        """
        with self._lock:
            self._handlers.append(handler)

    def has_synced(self) -> bool:
        """Tell whether the handlers have heard of all objects of a first list."""
        return self._synced.is_set()

    def wait_synced(self, timeout: float) -> bool:
        """Wait for the first list, `timeout` seconds at most; tell whether it is there."""
        return self._synced.wait(timeout)

    def newest(self) -> int:
        """Return the highest resourceVersion that was seen so far, also of own writes."""
        with self._lock:
            return self._cache.newest

    def replace(
        self, items: Iterable[JSON], resource_version: str = "", *, restored: bool = False
    ) -> None:
        """Take in a list of all objects; those that are missing in it were deleted.

        Args:
            items: the objects.
            resource_version: of the list; that of the youngest object if empty.
            restored: whether the API server has lost what was seen above that.
        """
        items = [*items]
        number = int(resource_version or max(map(revision, items), default=0))
        with self._lock:
            self._undelivered += self._cache.replace(items, number, restored=restored)
        self.deliver()
        self._synced.set()

    def apply(self, obj: JSON) -> None:
        """Take in an object that the watch reports as added or modified."""
        with self._lock:
            self._undelivered += self._cache.apply(obj)
        self.deliver()

    def remove(self, obj: JSON) -> None:
        """Take in an object that the watch reports as deleted."""
        with self._lock:
            self._undelivered += self._cache.remove(obj)
        self.deliver()

    def bookmark(self, resource_version: str) -> None:
        """Take in that the watch has reported everything up to a resourceVersion."""
        with self._lock:
            self._undelivered += self._cache.advance(int(resource_version))
        self.deliver()

    def deliver(self) -> None:
        """Call the handlers for what they have not heard of; for the thread that feeds the store.

        Taking in something of the watch does so already.
        """
        while (change := self._next_change()) is not None:
            for handler in tuple(self._handlers):
                handler(*change)

    def _next_change(self) -> Change | None:
        with self._lock:
            return self._undelivered.popleft() if self._undelivered else None


class ReadThrough:
    """Finds single objects: looks into a store, and asks the API server before it says no."""

    def __init__(self, client: Client, resource: Resource, store: Store) -> None:
        """Find objects of `resource`, which `store` caches."""
        self._client = client
        self._resource = resource
        self._store = store

    def get(self, name: str, namespace: str | None) -> JSON | None:
        """Return the object, None when the API server does not have it either."""
        cached = self._store.get(object_key(namespace, name))
        if cached is not None:
            return cached
        try:
            return self._client.get(self._resource, name, namespace)
        except NotFound:
            return None
