"""Lists, watches and writes of an API server in memory, for tests that start whole threads."""

import copy
import itertools
import queue
import threading
from collections.abc import Iterator
from typing import Any

from api.objects import JSON, Key, key_of, object_key, uid_of
from kube.client import ListPage, WatchEvent
from kube.errors import AlreadyExists, Conflict, NotFound
from kube.resources import PODS, Resource
from tests.support.fakeapi import merge


class FakeStream:
    """A watch that lasts until it is closed."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[WatchEvent | None] = queue.SimpleQueue()

    def __enter__(self) -> "FakeStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[WatchEvent]:
        return iter(self.events.get, None)

    def close(self) -> None:
        self.events.put(None)


class FakeKube:
    """Stands in for kube.client.Client; `changed` wakes those who wait for a state."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, Key], JSON] = {}
        self.changed = threading.Condition(threading.RLock())
        self._versions = itertools.count(1)
        self._last = 0
        self._streams: list[tuple[str, FakeStream]] = []

    def put(self, resource: Resource, obj: JSON) -> JSON:
        """Create or replace an object."""
        with self.changed:
            place = resource.plural, key_of(obj)
            event = "MODIFIED" if place in self.objects else "ADDED"
            return self._store(resource, copy.deepcopy(obj), event)

    def remove(self, resource: Resource, key: str) -> None:
        """Delete an object at once."""
        with self.changed:
            gone = self.objects.pop((resource.plural, Key(key)))
            gone["metadata"]["resourceVersion"] = str(self._next())
            self._tell(resource, "DELETED", gone)

    def find(self, resource: Resource, key: str) -> JSON | None:
        with self.changed:
            return copy.deepcopy(self.objects.get((resource.plural, Key(key))))

    def wait_for(self, resource: Resource, key: str, test: Any, seconds: float = 15.0) -> JSON:
        """Wait until an object (None if there is none) passes a test."""
        with self.changed:
            assert self.changed.wait_for(lambda: test(self.find(resource, key)), seconds), (
                f"{key} is {self.find(resource, key)}"
            )
            return self.find(resource, key) or {}

    def list(self, resource: Resource, **_: Any) -> ListPage:
        with self.changed:
            items = [o for (plural, _), o in self.objects.items() if plural == resource.plural]
            return ListPage(copy.deepcopy(items), str(self._last))

    def watch(self, resource: Resource, *, resource_version: str, **_: Any) -> FakeStream:
        stream = FakeStream()
        with self.changed:
            for (plural, _key), obj in self.objects.items():
                newer = int(obj["metadata"]["resourceVersion"]) > int(resource_version)
                if plural == resource.plural and newer:
                    stream.events.put(WatchEvent("MODIFIED", copy.deepcopy(obj)))
            self._streams.append((resource.plural, stream))
        return stream

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        with self.changed:
            return copy.deepcopy(self._existing(resource, object_key(namespace, name)))

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        with self.changed:
            if (resource.plural, key_of(body)) in self.objects:
                raise AlreadyExists(409, "AlreadyExists", key_of(body))
            return self.put(resource, body)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: JSON,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> JSON:
        with self.changed:
            stored = self._existing(resource, object_key(namespace, name))
            merged = merge(stored, patch)
            assert isinstance(merged, dict)
            return self._store(resource, merged, "MODIFIED")

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        with self.changed:
            stored = self._existing(resource, object_key(namespace, name))
            if uid is not None and uid != uid_of(stored):
                raise Conflict(409, "Conflict", "uid")
            if resource == PODS and grace_seconds != 0:
                meta = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
                merged = merge(stored, {"metadata": meta})
                assert isinstance(merged, dict)
                self._store(resource, merged, "MODIFIED")
            else:
                self.remove(resource, object_key(namespace, name))

    def _existing(self, resource: Resource, key: Key) -> JSON:
        try:
            return self.objects[resource.plural, key]
        except KeyError:
            raise NotFound(404, "NotFound", f"{resource.plural} {key} not found") from None

    def _store(self, resource: Resource, obj: JSON, event: Any) -> JSON:
        obj["metadata"]["resourceVersion"] = str(self._next())
        self.objects[resource.plural, key_of(obj)] = obj
        self._tell(resource, event, obj)
        return copy.deepcopy(obj)

    def _next(self) -> int:
        self._last = next(self._versions)
        return self._last

    def _tell(self, resource: Resource, event: Any, obj: JSON) -> None:
        for plural, stream in self._streams:
            if plural == resource.plural:
                stream.events.put(WatchEvent(event, copy.deepcopy(obj)))
        self.changed.notify_all()
