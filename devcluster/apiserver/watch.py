"""One watch: which changes of which objects a client gets to see, with bookmarks, until its end.

Knows nothing of HTTP: an iterator of changes, for one thread, made by
`devcluster.apiserver.views.watching`.
Source: Kubernetes API concepts, "Efficient detection of changes" and "Watch bookmarks"; apiserver
pkg/storage/cacher.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from api.objects import JSON
from devcluster.apiserver.errors import Expired
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.listing import parse_revision
from devcluster.apiserver.selectors import Selector
from devcluster.apiserver.storage import (
    ADDED,
    BOOKMARK,
    DELETED,
    MODIFIED,
    Event,
    HistoryLost,
    Storage,
)
from devcluster.apiserver.subscription import Closed, Subscription

ERROR: Final = "ERROR"


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What to watch.

    Attributes:
        selector: None for all objects.
        revision: changes after it; empty or `0` begins with all objects that exist.
        seconds: after which the watch ends.
        bookmarks: whether the client takes them.
    """

    selector: Selector | None = None
    revision: str = ""
    seconds: float = 1800.0
    bookmarks: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch.

    Attributes:
        type: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
        obj: shared; of a bookmark one with a resourceVersion only, of an error a Status.
        data: `obj` as JSON, when that is at hand.
    """

    type: str
    obj: JSON
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a watch does something without an event.

    Attributes:
        bookmark: seconds between bookmarks.
        poll: seconds after which the consumer gets a turn at the latest.
        clock: seconds, monotonic.
    """

    bookmark: float = 20.0
    poll: float = 2.0
    clock: Callable[[], float] = field(default=time.monotonic)


class Watch:
    """Iterates over changes, and None now and then, so that the consumer can look around."""

    def __init__(
        self,
        storage: Storage,
        kind: Kind,
        namespace: str,
        options: WatchOptions,
        *,
        pace: Pace | None = None,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare a watch.

        Args:
            storage: of the objects.
            kind: what to watch.
            namespace: empty for all namespaces.
            options: of the request.
            pace: for tests.
            ended: whether the server stops.

        Raises:
            BadRequest: the revision is not a number.
        """
        self._storage = storage
        self._kind = kind
        self._namespace = namespace
        self._options = options
        self._pace = pace or Pace()
        self._ended = ended
        self._since = parse_revision(options.revision) or None
        self._deadline = self._pace.clock() + options.seconds
        self._bookmark_at = self._pace.clock() + self._pace.bookmark

    def __iter__(self) -> Iterator[Change | None]:
        resource = self._kind.resource_id
        try:
            subscription = self._storage.subscribe(
                resource, self._namespace, self._since, self._wants
            )
        except HistoryLost as error:
            yield _too_old(self._since or 0, error.oldest)
            return
        try:
            yield from self._follow(subscription)
        except Closed:
            return
        finally:
            self._storage.unsubscribe(resource, subscription)

    def _follow(self, subscription: Subscription[Event]) -> Iterator[Change | None]:
        while not self._ended():
            left = self._deadline - self._pace.clock()
            if left <= 0:
                yield from self._farewell(subscription)
                return
            yield self._next(subscription, left)

    def _next(self, subscription: Subscription[Event], left: float) -> Change | None:
        if self._options.bookmarks and self._pace.clock() >= self._bookmark_at:
            self._bookmark_at = self._pace.clock() + self._pace.bookmark
            self._storage.bookmark(self._kind.resource_id, subscription)
        event = subscription.get(min(left, self._pace.poll))
        return self._change_of(event) if event is not None else None

    def _farewell(self, subscription: Subscription[Event]) -> Iterator[Change | None]:
        """End with a bookmark, so that the next watch goes on from here."""
        if not self._options.bookmarks:
            return
        self._storage.bookmark(self._kind.resource_id, subscription)
        while (event := subscription.get(0)) is not None:
            yield self._change_of(event)

    def _change_of(self, event: Event) -> Change | None:
        if event.type == BOOKMARK or event.stored is None:
            return self._bookmark(event.revision)
        before, now = self._selected(event)
        if event.type == DELETED or (before and not now):
            return self._departure(event) if before else None
        if not now:
            return None
        kind = MODIFIED if before else ADDED
        shown = self._kind.served(event.stored.obj)
        return Change(kind, shown, event.stored.data if shown is event.stored.obj else None)

    def _wants(self, event: Event) -> bool:
        return self._options.selector is None or any(self._selected(event))

    def _selected(self, event: Event) -> tuple[bool, bool]:
        """Tell whether the watch was to see the object before the event, and is to after it."""
        before = event.previous.obj if event.previous else None
        now = event.stored.obj if event.stored and event.type != DELETED else None
        passes = self._options.selector or (lambda _: True)
        return before is not None and passes(before), now is not None and passes(now)

    def _departure(self, event: Event) -> Change | None:
        """Return the deletion, or for an object that leaves the selection its last state in it."""
        shown = event.stored if event.type == DELETED else event.previous
        if shown is None:
            return None
        obj = self._kind.served(shown.obj)
        meta = {**obj["metadata"], "resourceVersion": str(event.revision)}
        return Change(DELETED, {**obj, "metadata": meta})

    def _bookmark(self, revision: int) -> Change:
        meta = {"resourceVersion": str(revision), "creationTimestamp": None}
        kind, version = self._kind.kind, self._kind.api_version
        return Change(BOOKMARK, {"kind": kind, "apiVersion": version, "metadata": meta})


def _too_old(asked: int, oldest: int) -> Change:
    return Change(ERROR, Expired(f"too old resource version: {asked} ({oldest})").body())
