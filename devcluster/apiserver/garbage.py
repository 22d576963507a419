"""What follows from deletions: dependents go after their owners, contents with their namespace.

One thread looks at everything that a write may have made superfluous: dependents of owners that
are gone, objects of a namespace or a definition that ends, owners that wait for their dependents
(the finalizers `foregroundDeletion` and `orphan`). It knows nothing that the objects do not tell,
so it may stop anywhere and start anew.
Source: kubernetes pkg/controller/garbagecollector.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial

from api.objects import JSON, is_deleting
from devcluster.apiserver import finalization
from devcluster.apiserver.admission import CRDS, NAMESPACES
from devcluster.apiserver.deletion import FOREGROUND, ORPHAN
from devcluster.apiserver.grace import Grace
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.ownership import Ownership
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.storage import DELETED, Event, Stored
from devcluster.apiserver.store import Store
from ops.logs import get_logger

_log = get_logger("garbage-collector")


class GarbageCollector:
    """Follows all writes since it was made; `start` and `stop` it once."""

    def __init__(self, store: Store, registry: Registry, grace: Grace | None = None) -> None:
        """Follow the writes to `store`; `grace` is given to the contents of namespaces."""
        self._store = store
        self._grace = grace or Grace()
        self._registry = registry
        self._ownership = Ownership()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="garbage-collector", daemon=True)
        store.storage.listen(self._listen)

    def start(self) -> None:
        """Begin to collect."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; waits for it at most `timeout` seconds."""
        if self._thread.is_alive():
            self._events.put(None)
            self._thread.join(timeout)

    def collect(self) -> None:
        """Handle all writes so far in the calling thread, instead of `start`."""
        while True:
            self._end_grace()
            if self._events.empty():
                return
            event = self._events.get()
            if event is not None:
                self._handle(event)

    def _listen(self, event: Event) -> None:
        if event.stored is not None and _begins_to_end(event.stored, event):
            self._grace.begin(event.stored.obj)
        self._events.put(event)

    def _run(self) -> None:
        while True:
            self._guard(self._end_grace)
            try:
                event = self._events.get(timeout=self._grace.pause())
            except queue.Empty:
                continue
            if event is None:
                return
            self._guard(partial(self._handle, event))

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - one object must not end the collection
            _log.error("Cannot collect garbage", exc=error)

    def _end_grace(self) -> None:
        for namespace in self._grace.over():
            self._check(namespace)

    def _handle(self, event: Event) -> None:
        self._ownership.follow(event)
        if event.stored is None:
            return
        if event.type != DELETED:
            self._check(event.stored.obj)
            return
        if event.resource == CRDS:
            spec = event.stored.obj["spec"]
            self._store.storage.close_subscriptions((spec["group"], spec["names"]["plural"]))
        for kind, dependent in self._dependents(event.stored.obj):
            if self._is_superfluous(kind, dependent):
                finalization.delete_object(self._store, kind, dependent)
        for waiting in self._waiting_for(event.stored.obj):
            self._check(waiting.obj)

    def _check(self, obj: JSON) -> None:
        """Look whether an object should be there; and if it is going, what it waits for."""
        kind = self._registry.by_kind(obj["apiVersion"], obj["kind"])
        if kind is None:
            return
        if is_deleting(obj):
            self._help_going(kind, obj)
        elif self._is_superfluous(kind, obj):
            finalization.delete_object(self._store, kind, obj)

    def _help_going(self, kind: Kind, obj: JSON) -> None:
        if kind.resource_id == NAMESPACES and not self._grace.holds(obj):
            finalization.empty_namespace(self._store, self._registry, kind, obj)
        elif kind.resource_id == CRDS:
            finalization.empty_definition(self._store, self._registry, kind, obj)
        finalizers = obj["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            self._orphan_dependents(kind, obj)
        elif FOREGROUND in finalizers:
            self._delete_dependents_first(kind, obj)

    def _is_superfluous(self, kind: Kind, obj: JSON) -> bool:
        meta = obj["metadata"]
        if kind.namespaced:
            namespace = self._store.storage.get(NAMESPACES, "", meta["namespace"])
            if namespace is None or self._is_over(namespace.obj):
                return True
        owners = meta.get("ownerReferences") or []
        return bool(owners) and not any(self._may_exist(obj, owner) for owner in owners)

    def _is_over(self, namespace: JSON) -> bool:
        return is_deleting(namespace) and not self._grace.holds(namespace)

    def _may_exist(self, obj: JSON, owner: JSON) -> bool:
        """Tell whether an owner exists; one of an unknown kind may."""
        if self._registry.by_kind(owner["apiVersion"], owner["kind"]) is None:
            return True
        found = self._owner(obj, owner)
        return found is not None and found.obj["metadata"]["uid"] == owner["uid"]

    def _owner(self, obj: JSON, owner: JSON) -> Stored | None:
        kind = self._registry.by_kind(owner["apiVersion"], owner["kind"])
        if kind is None:
            return None
        namespace = obj["metadata"].get("namespace", "") if kind.namespaced else ""
        return self._store.storage.get(kind.resource_id, namespace, owner["name"])

    def _dependents(self, owner: JSON) -> Iterator[tuple[Kind, JSON]]:
        for place in self._ownership.dependents(owner["metadata"]["uid"]):
            kind = self._registry.resolve(place.resource)
            stored = self._store.storage.get(place.resource, place.namespace, place.name)
            if kind is not None and stored is not None:
                yield kind, stored.obj

    def _orphan_dependents(self, kind: Kind, owner: JSON) -> None:
        uid = owner["metadata"]["uid"]

        def disown(current: JSON) -> JSON:
            meta = current["metadata"]
            meta["ownerReferences"] = [o for o in meta["ownerReferences"] if o["uid"] != uid]
            return current

        for dependent_kind, obj in self._dependents(owner):
            finalization.edit_object(self._store, dependent_kind, obj, disown)
        finalization.drop_finalizer(self._store, kind, owner, ORPHAN)

    def _delete_dependents_first(self, kind: Kind, owner: JSON) -> None:
        found = tuple(self._dependents(owner))
        for dependent_kind, obj in found:
            finalization.delete_object(self._store, dependent_kind, obj)
        if not any(_blocks(obj, owner) for _, obj in found):
            finalization.drop_finalizer(self._store, kind, owner, FOREGROUND)

    def _waiting_for(self, gone: JSON) -> Iterator[Stored]:
        """Return what may have been waiting for an object to be gone."""
        meta, storage = gone["metadata"], self._store.storage
        kind = self._registry.by_kind(gone["apiVersion"], gone["kind"])
        candidates = [storage.get(NAMESPACES, "", meta.get("namespace", ""))]
        if kind is not None and kind.custom:
            candidates.append(storage.get(CRDS, "", kind.qualified))
        candidates += [self._owner(gone, owner) for owner in meta.get("ownerReferences") or []]
        yield from (each for each in candidates if each is not None and is_deleting(each.obj))


def _begins_to_end(stored: Stored, event: Event) -> bool:
    """Tell whether a write is the one that marks a namespace for deletion."""
    if event.resource != NAMESPACES or event.previous is None:
        return False
    return is_deleting(stored.obj) and not is_deleting(event.previous.obj)


def _blocks(dependent: JSON, owner: JSON) -> bool:
    uid = owner["metadata"]["uid"]
    owners = dependent["metadata"].get("ownerReferences") or []
    return any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in owners)
