"""The objects and their history, in memory: what etcd is to a real API server.

Every write takes the next number of one counter, the resourceVersion. Objects are immutable once
stored, so readers need no lock and never see half a write; writers name the revision that they
replace and lose when another came first. A bounded history serves watches and paged lists.
Called by `devcluster.apiserver.store`, which knows the rules of objects; this module knows none.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from api.objects import JSON
from devcluster.apiserver.subscription import Subscription

ResourceID = tuple[str, str]
"""API group and plural name."""

ADDED, MODIFIED, DELETED, BOOKMARK = "ADDED", "MODIFIED", "DELETED", "BOOKMARK"


class RevisionLost(Exception):
    """The revision to replace is not the current one any more."""


class HistoryLost(Exception):
    """The revision asked for is older than the history; `oldest` can still be served."""

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class Stored:
    """One revision of one object.

    Attributes:
        obj: shared by all readers; never changed.
        data: the same as JSON, serialised once.
    """

    obj: JSON
    revision: int
    data: bytes

    def copy(self) -> JSON:
        """Return an object that the caller may change."""
        copied: JSON = json.loads(self.data)
        return copied


@dataclass(frozen=True, slots=True)
class Event:
    """One write, or a bookmark without objects.

    Attributes:
        stored: the new revision; of a deletion the last one, under the deletion's revision.
        previous: what it replaced.
    """

    type: str
    revision: int
    resource: ResourceID
    stored: Stored | None = None
    previous: Stored | None = None


Listener = Callable[[Event], None]
"""Called for every write in order, under the lock: must neither block nor write."""


@dataclass(slots=True)
class _Collection:
    objects: dict[str, dict[str, Stored]] = field(default_factory=dict)
    history: deque[Event] = field(default_factory=deque)
    compacted: int = 0
    subscriptions: set[Subscription[Event]] = field(default_factory=set)


class Storage:
    """Thread-safe.

    Args:
        history: how many writes per resource are kept for watches.
        lock: held while a write is kept and told; by default one of its own.
    """

    def __init__(
        self, history: int = 10_000, *, lock: AbstractContextManager[object] | None = None
    ) -> None:
        self._history = history
        self._lock = lock or threading.Lock()
        self._revision = 0
        self._collections: dict[ResourceID, _Collection] = {}
        self._listeners: list[Listener] = []

    @property
    def revision(self) -> int:
        """The number of the latest write."""
        return self._revision

    def listen(self, listener: Listener) -> None:
        """Call `listener` for every write from now on."""
        with self._lock:
            self._listeners.append(listener)

    def get(self, resource: ResourceID, namespace: str, name: str) -> Stored | None:
        """Return the current revision; the namespace of a cluster object is empty."""
        collection = self._collections.get(resource)
        if collection is None:
            return None
        return collection.objects.get(namespace, {}).get(name)

    def snapshot(
        self, resource: ResourceID, namespace: str = "", at: int | None = None
    ) -> tuple[list[Stored], int]:
        """Return the objects in the order of namespace and name, and their revision.

        Args:
            resource: whose objects.
            namespace: empty for those of all namespaces.
            at: an earlier revision to go back to.

        Raises:
            HistoryLost: `at` is older than the history.
        """
        with self._lock:
            found = dict(self._walk(resource, namespace))
            if at is not None:
                self._rewind(resource, namespace, found, at)
            revision = self._revision if at is None else at
        return [found[key] for key in sorted(found)], revision

    def create(self, resource: ResourceID, obj: JSON) -> Stored:
        """Store a new object, which belongs to the storage from now on.

        Raises:
            RevisionLost: the name is taken.
        """
        return self._commit(ADDED, resource, obj, None)

    def replace(self, resource: ResourceID, obj: JSON, previous: Stored) -> Stored:
        """Store the next revision of an object.

        Raises:
            RevisionLost: `previous` is not the current revision.
        """
        return self._commit(MODIFIED, resource, obj, previous)

    def remove(self, resource: ResourceID, obj: JSON, previous: Stored) -> Stored:
        """Delete an object, whose last state was `obj`.

        Raises:
            RevisionLost: `previous` is not the current revision.
        """
        return self._commit(DELETED, resource, obj, previous)

    def subscribe(
        self,
        resource: ResourceID,
        namespace: str = "",
        since: int | None = None,
        wants: Callable[[Event], bool] = lambda _: True,
    ) -> Subscription[Event]:
        """Return the writes after a revision and all later ones.

        Args:
            resource: whose writes.
            namespace: empty for those of all namespaces.
            since: None starts with an ADDED event for every object that exists now. One that was
                never given out is silent until the writes have passed it, as Kubernetes has it.
            wants: tells which writes; called under the lock: must neither block nor write.

        Raises:
            HistoryLost: `since` is older than the history.
        """
        subscription: Subscription[Event] = Subscription(namespace, since or 0, wants)
        with self._lock:
            collection = self._collections.setdefault(resource, _Collection())
            for event in self._replay(resource, collection, since):
                if namespace in ("", _namespace_of(event)) and wants(event):
                    subscription.put(event)
            collection.subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, resource: ResourceID, subscription: Subscription[Event]) -> None:
        """Send no more events to a subscription."""
        with self._lock:
            self._collections[resource].subscriptions.discard(subscription)

    def bookmark(self, resource: ResourceID, subscription: Subscription[Event]) -> None:
        """Queue a bookmark: all writes up to its revision are queued before it."""
        with self._lock:
            if self._revision >= subscription.since:
                subscription.put(Event(BOOKMARK, self._revision, resource))

    def compact(self) -> None:
        """Forget the history: watches and pages from before now are refused."""
        with self._lock:
            for collection in self._collections.values():
                collection.history.clear()
                collection.compacted = self._revision

    def close_subscriptions(self, resource: ResourceID | None = None) -> None:
        """End the watches of one resource, or all of them."""
        with self._lock:
            for name, collection in self._collections.items():
                if resource in (None, name):
                    for subscription in collection.subscriptions:
                        subscription.close()

    def _commit(
        self, event_type: str, resource: ResourceID, obj: JSON, previous: Stored | None
    ) -> Stored:
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        with self._lock:
            collection = self._collections.setdefault(resource, _Collection())
            objects = collection.objects.setdefault(namespace, {})
            if objects.get(name) is not previous:
                raise RevisionLost
            self._revision += 1
            meta["resourceVersion"] = str(self._revision)
            data = json.dumps(obj, separators=(",", ":")).encode()
            stored = Stored(obj, self._revision, data)
            if event_type == DELETED:
                del objects[name]
            else:
                objects[name] = stored
            self._publish(collection, Event(event_type, self._revision, resource, stored, previous))
        return stored

    def _publish(self, collection: _Collection, event: Event) -> None:
        collection.history.append(event)
        if len(collection.history) > self._history:
            collection.compacted = collection.history.popleft().revision
        namespace = _namespace_of(event)
        for subscription in collection.subscriptions:
            due = subscription.namespace in ("", namespace) and event.revision > subscription.since
            if due and subscription.wants(event):
                subscription.put(event)
        for listener in self._listeners:
            listener(event)

    def _walk(
        self, resource: ResourceID, namespace: str
    ) -> Iterator[tuple[tuple[str, str], Stored]]:
        collection = self._collections.get(resource)
        if collection is None:
            return
        for place, objects in collection.objects.items():
            if namespace in ("", place):
                yield from (((place, name), stored) for name, stored in objects.items())

    def _rewind(
        self,
        resource: ResourceID,
        namespace: str,
        found: dict[tuple[str, str], Stored],
        at: int,
    ) -> None:
        collection = self._collections.setdefault(resource, _Collection())
        if at < collection.compacted:
            raise HistoryLost(collection.compacted)
        for event in reversed(collection.history):
            if event.revision <= at:
                return
            place = _namespace_of(event)
            if namespace not in ("", place) or event.stored is None:
                continue
            key = (place, event.stored.obj["metadata"]["name"])
            if event.previous is None:
                found.pop(key, None)
            else:
                found[key] = event.previous

    def _replay(
        self, resource: ResourceID, collection: _Collection, since: int | None
    ) -> Iterator[Event]:
        if since is None:
            for _, stored in sorted(self._walk(resource, ""), key=lambda item: item[0]):
                yield Event(ADDED, stored.revision, resource, stored)
            return
        if since < collection.compacted:
            raise HistoryLost(collection.compacted)
        yield from (event for event in collection.history if event.revision > since)


def _namespace_of(event: Event) -> str:
    if event.stored is None:
        return ""
    return str(event.stored.obj["metadata"].get("namespace", ""))
