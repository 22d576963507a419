"""Keeps a Store like the API server: lists a resource, then watches it, for as long as it runs.

ReflectorState holds the rules without clock or threads: after which errors the watch goes on where
it was, after which the resource has to be listed again, and for how long to pause before that.
Reflector carries them out, in a thread of its own.

Two things that an API server does not say are found out. A watch from a resourceVersion that a
restored etcd has not reached is accepted and brings nothing (kubernetes/kubernetes#107457), so the
server is asked how far it is before a watch goes on; after a refused connection even that cannot
tell, since it may have overtaken us. And a connection that something on the way has forgotten stays
open and silent, so a watch is renewed when two bookmarks, which come once a minute, are overdue. It
brings none before its resource is past the version that it began at, which may take long.

Source: client-go tools/cache Reflector, ListAndWatch; apiserver pkg/storage/cacher cacheWatcher.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from api.resources import Resource
from kube.backoff import Backoff
from kube.client import Client, WatchEvent, WatchStream
from kube.errors import (
    ApiError,
    Gone,
    KubeError,
    ReadTimeout,
    TooManyRequests,
    TransportError,
    WatchSilent,
    WentBack,
)
from kube.pages import Transform, whole
from kube.store import Store
from kube.transport import SILENT_SECONDS

_BACKOFF: Final = Backoff(first=0.8, longest=30.0)
_SHORTEST_WATCH: Final = 300
_HEALTHY_SECONDS: Final = 1.0

_LOG: Final = logging.getLogger("reflector")


class ReflectorState:
    """Where a reflector is in the history of its resource; not thread-safe, times are given.

    Attributes:
        version: resourceVersion from which to watch on; None if a list has to come first.
        certain: whether the server has got as far as that; else it has to be asked first.
        bookmarked: whether the watch has had a bookmark, so that more have to come.
    """

    def __init__(self, rand: Callable[[], float]) -> None:
        """Begin with a list; `rand` is uniform in [0, 1), for jitter."""
        self.version: str | None = None
        self.certain = False
        self.bookmarked = False
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
        self.certain = True

    def asked(self, *, went_back: bool) -> None:
        """Take in whether the server is behind what was seen of it."""
        self.certain = not went_back
        if went_back:
            self.version = None

    def opened(self, now: float) -> None:
        """Take in that a watch was accepted."""
        self._opened = now
        self.bookmarked = False

    def seen(self, version: str, *, bookmark: bool = False) -> None:
        """Take in that the watch has reported everything up to a resourceVersion."""
        self.version = version
        self.bookmarked = self.bookmarked or bookmark
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

        A watch that is lost and 429 say nothing of the resourceVersion, so the watch goes on from
        it. After any other refusal, also of a connection, the next step is a list; at once if a
        resourceVersion is too old for the first time, because then nothing is out of order. So it
        is with a watch that went silent. A server that asks for a longer pause gets it.
        """
        lost = self._opened is not None and isinstance(error, TransportError)
        self._has_worked(now)
        if not lost and not isinstance(error, TooManyRequests):
            self.version = None
        first = self._failures == 0
        pause = self._back_off()
        if isinstance(error, ApiError):
            pause = max(pause, error.retry_after or 0.0)
        return 0.0 if first and isinstance(error, Gone | WatchSilent) else pause

    def _has_worked(self, now: float) -> bool:
        """Close the watch, if there is one, and tell whether it was of use."""
        opened, self._opened = self._opened, None
        self.certain = False
        if opened is None or now - opened < _HEALTHY_SECONDS:
            return False
        self._failures = 0
        return True

    def _back_off(self) -> float:
        self._failures += 1
        return _BACKOFF.jittered(self._failures, self._rand())


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
        transform: Transform = whole,
        on_error: Callable[[KubeError], None] | None = None,
        silent_seconds: float = SILENT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Reflect a resource, once `run` is called.

        Args:
            client: the API server.
            resource: what to list and watch.
            store: what to fill; of this reflector alone.
            namespace: see Client.list, as the selectors.
            field_selector: e.g. `spec.nodeName=x`.
            label_selector: e.g. `app=x`.
            transform: makes of each object what is stored.
            on_error: hears of each failure, which is always followed by another try.
            silent_seconds: without an event or bookmark after which a watch is renewed.
            clock: seconds, monotonic.
            sleep: waits some seconds, less if the event is set.
            rand: in [0, 1), for jitter.
        """
        self._client = client
        self._resource = resource
        self._store = store
        self._namespace = namespace
        self._field_selector, self._label_selector = field_selector, label_selector
        self._transform = transform
        self._on_error = on_error
        self._silent_seconds = silent_seconds
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
        try:
            if self._state.version is not None and not self._state.certain:
                self._ask()
            version = self._state.version
            if version is None:
                self._list()
                return 0.0
            self._watch(version, stop)
            return self._state.ended(self._clock())
        except KubeError as error:
            if not stop.is_set():
                self._report(error)
            return self._state.failed(error, self._clock())

    def _report(self, error: KubeError) -> None:
        if isinstance(error, WatchSilent) and not self._state.bookmarked:
            # as it may be where nothing happens
            _LOG.info("watch renewed", extra={"keys": {"reason": str(error)}})
        elif self._on_error is not None:
            self._on_error(error)

    def _ask(self) -> None:
        """Ask the server how far it is."""
        known = self._store.newest()
        by_name = (self._field_selector or "").startswith("metadata.name=")
        current = self._client.current_version(
            self._resource,
            namespace=self._namespace,
            # any other makes the server search its storage for an object that fits
            field_selector=self._field_selector if by_name else None,
        )
        self._state.asked(went_back=current < known)

    def _list(self) -> None:
        known = self._store.newest()
        found = self._client.list(
            self._resource,
            namespace=self._namespace,
            field_selector=self._field_selector,
            label_selector=self._label_selector,
            transform=self._transform,
        )
        version = found.resource_version
        restored = int(version) < known
        if restored:
            self._report(
                WentBack(
                    f"list {self._resource.plural}: the API server went back from resourceVersion "
                    f"{known} to {version}, as after a restore of etcd; what it has now is taken"
                )
            )
        self._store.replace(found.items, version, restored=restored)
        self._state.listed(version)

    def _watch(self, version: str, stop: threading.Event) -> None:
        with self._client.watch(
            self._resource,
            resource_version=version,
            namespace=self._namespace,
            field_selector=self._field_selector,
            label_selector=self._label_selector,
            timeout_seconds=self._state.watch_seconds(),
            silent_seconds=self._silent_seconds,
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
        try:
            for event in stream:
                self._take(event)
        except ReadTimeout as error:
            raise WatchSilent(
                f"watch {self._resource.plural}: no event or bookmark for "
                f"{self._silent_seconds:g} s, renewed from resourceVersion {self._state.version}"
            ) from error

    def _show(self, stream: WatchStream | None) -> None:
        """Let `stop()` see the watch; when it sees none, it does not touch a stream being freed."""
        with self._lock:
            self._stream = stream

    def _take(self, event: WatchEvent) -> None:
        version = str(event.object["metadata"]["resourceVersion"])
        if event.type == "BOOKMARK":
            self._store.bookmark(version)
        elif event.type == "DELETED":
            self._store.remove(self._transform(event.object))
        else:
            self._store.apply(self._transform(event.object))
        self._state.seen(version, bookmark=event.type == "BOOKMARK")
