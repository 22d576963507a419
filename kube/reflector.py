"""Keeps a Store like the API server: lists a resource, then watches it, for as long as it runs.

ReflectorState holds the rules without clock or threads: after which errors the watch goes on where
it was, after which the resource has to be listed again, and for how long to pause before that.
Reflector carries them out, in a thread of its own.

Source: client-go tools/cache Reflector, ListAndWatch.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import Final

from kube.client import Client, WatchEvent, WatchStream
from kube.errors import ApiError, Gone, KubeError, TooManyRequests
from kube.resources import Resource
from kube.store import Store

_FIRST_PAUSE: Final = 0.8
_LONGEST_PAUSE: Final = 30.0
_SHORTEST_WATCH: Final = 300
_HEALTHY_SECONDS: Final = 1.0


class ReflectorState:
    """Where a reflector is in the history of its resource; not thread-safe, times are given.

    Attributes:
        version: resourceVersion from which to watch on; None if a list has to come first.
    """

    def __init__(self, rand: Callable[[], float]) -> None:
        """Begin with a list; `rand` is uniform in [0, 1), for jitter."""
        self.version: str | None = None
        self._rand = rand
        self._failures = 0
        self._opened: float | None = None

    def watch_seconds(self) -> int:
        """Return how long the next watch is to last: 5 to 10 minutes, so that many spread out."""
        return int(_SHORTEST_WATCH * (1 + self._rand()))

    def listed(self, version: str) -> None:
        """Take in that a list succeeded.

        The back-off goes on until a watch works, since a server may list and yet refuse to watch.
        """
        self.version = version

    def opened(self, now: float) -> None:
        """Take in that a watch was accepted."""
        self._opened = now

    def seen(self, version: str) -> None:
        """Take in that the watch has reported everything up to a resourceVersion."""
        self.version = version
        # However short this watch will be, it was of use.
        self._opened = float("-inf")

    def ended(self, now: float) -> float:
        """Take in that the watch ended without an error; return the seconds to pause.

        A watch that ends at once and without events counts as a failure: a server or proxy that
        does so each time would otherwise be asked without end.
        """
        return 0.0 if self._has_worked(now) else self._back_off()

    def failed(self, error: KubeError, now: float) -> float:
        """Take in that a list or a watch failed; return the seconds to pause.

        A lost connection and 429 say nothing of the resourceVersion, so the watch goes on from it.
        After any other refusal the next step is a list; at once if a resourceVersion is too old for
        the first time, because then nothing is out of order. A server that asks for a longer pause
        gets it.
        """
        self._has_worked(now)
        first = self._failures == 0
        pause = self._back_off()
        if isinstance(error, ApiError):
            if not isinstance(error, TooManyRequests):
                self.version = None
            pause = max(pause, error.retry_after or 0.0)
        return 0.0 if first and isinstance(error, Gone) else pause

    def _has_worked(self, now: float) -> bool:
        """Close the watch, if there is one, and tell whether it was of use."""
        opened, self._opened = self._opened, None
        if opened is None or now - opened < _HEALTHY_SECONDS:
            return False
        self._failures = 0
        return True

    def _back_off(self) -> float:
        # Capped, since a float overflows long after the longest pause is reached.
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return longest * (1 + self._rand()) / 2


class Reflector:
    """Fills one store from one resource."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        store: Store,
        *,
        namespace: str | None = None,
        field_selector: str | None = None,
        label_selector: str | None = None,
        on_error: Callable[[KubeError], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Reflect a resource, once `run` is called.

        Args:
            client: the API server.
            resource: what to list and watch.
            store: what to fill; of this reflector alone.
            namespace: None is all namespaces.
            field_selector: e.g. `spec.nodeName=x`.
            label_selector: e.g. `app=x`.
            on_error: hears of each failure, which is always followed by another try.
            clock: seconds, monotonic.
            sleep: waits some seconds, less if the event is set.
            rand: uniform in [0, 1), for jitter.
        """
        self._client = client
        self._resource = resource
        self._store = store
        self._namespace = namespace
        self._field_selector = field_selector
        self._label_selector = label_selector
        self._on_error = on_error
        self._clock = clock
        self._sleep = sleep
        self._state = ReflectorState(rand)
        self._lock = threading.Lock()
        self._stream: WatchStream | None = None

    def run(self, stop: threading.Event) -> None:
        """List and watch until `stop` is set; to return at once `stop()` has to be called too."""
        while not stop.is_set():
            pause = self._step(stop)
            if pause > 0:
                self._sleep(stop, pause)

    def stop(self) -> None:
        """Close the open watch, if there is one; call it after the event of `run` is set."""
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def _step(self, stop: threading.Event) -> float:
        """List, or watch until the watch ends; return the seconds to pause."""
        version = self._state.version
        try:
            if version is None:
                self._list()
                return 0.0
            self._watch(version, stop)
            return self._state.ended(self._clock())
        except KubeError as error:
            if self._on_error is not None and not stop.is_set():
                self._on_error(error)
            return self._state.failed(error, self._clock())

    def _list(self) -> None:
        found = self._client.list(
            self._resource,
            namespace=self._namespace,
            field_selector=self._field_selector,
            label_selector=self._label_selector,
        )
        self._store.replace(found.items, found.resource_version)
        self._state.listed(found.resource_version)

    def _watch(self, version: str, stop: threading.Event) -> None:
        with self._client.watch(
            self._resource,
            resource_version=version,
            namespace=self._namespace,
            field_selector=self._field_selector,
            label_selector=self._label_selector,
            timeout_seconds=self._state.watch_seconds(),
        ) as stream:
            self._state.opened(self._clock())
            self._show(stream)
            try:
                # Only now can `stop()` close it; an event set before that has to be seen here.
                if not stop.is_set():
                    self._follow(stream)
            finally:
                self._show(None)

    def _follow(self, stream: WatchStream) -> None:
        for event in stream:
            self._take(event)

    def _show(self, stream: WatchStream | None) -> None:
        """Let `stop()` see the watch; when it sees none, it does not touch a stream being freed."""
        with self._lock:
            self._stream = stream

    def _take(self, event: WatchEvent) -> None:
        version = str(event.object["metadata"]["resourceVersion"])
        if event.type == "BOOKMARK":
            self._store.bookmark(version)
        elif event.type == "DELETED":
            self._store.remove(event.object)
        else:
            self._store.apply(event.object)
        self._state.seen(version)
