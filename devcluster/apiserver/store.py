"""The verbs of the API on objects, by the rules of their kinds.

Thread-safe. Writes are optimistic: they compute the next revision from the current one and start
over when another write came first, unless the client insists on its resourceVersion. Called by the
views and by `devcluster.apiserver.garbage`; raises devcluster.apiserver.errors only.
Source: apiserver pkg/registry/generic/registry/store.go.
"""

import random
import uuid
from collections.abc import Callable

from api.objects import JSON
from devcluster.apiserver.admission import Admission
from devcluster.apiserver.clock import Clock, system_clock, timestamp
from devcluster.apiserver.deletion import (
    DeleteOptions,
    Deletion,
    check_preconditions,
    is_over,
    plan_deletion,
)
from devcluster.apiserver.errors import NotFound, already_exists, not_found
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.listing import ListOptions, Page, list_page
from devcluster.apiserver.objectmeta import SystemFields
from devcluster.apiserver.patch import STRATEGIC, Patch
from devcluster.apiserver.storage import RevisionLost, Storage, Stored
from devcluster.apiserver.writes import (
    WriteOptions,
    changed_object,
    changed_status,
    new_object,
)

Change = Callable[[JSON], JSON]
"""Takes a copy of the stored object and returns the next revision."""

_PLAIN_WRITE = WriteOptions()
_PLAIN_DELETE = DeleteOptions()
_SUFFIX_SIGNS = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_NAME_TRIES = 8


def random_suffix() -> str:
    """Return five characters that make no words."""
    return "".join(random.choices(_SUFFIX_SIGNS, k=5))  # noqa: S311 - a name, not a secret


def random_uid() -> str:
    """Return a new `metadata.uid`."""
    return str(uuid.uuid4())


class Store:
    """Creates, reads, changes and deletes objects."""

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Clock = system_clock,
        new_uid: Callable[[], str] = random_uid,
        new_suffix: Callable[[], str] = random_suffix,
    ) -> None:
        """Keep objects in `storage`; the other arguments are for tests."""
        self._storage = storage
        self._admission = Admission(storage)
        self._clock = clock
        self._new_uid = new_uid
        self._new_suffix = new_suffix

    @property
    def storage(self) -> Storage:
        """The objects, for watches and listeners."""
        return self._storage

    def get(self, kind: Kind, namespace: str, name: str) -> Stored:
        """Return one object; NotFound if there is none."""
        stored = self._storage.get(kind.resource_id, namespace, name)
        if stored is None:
            raise not_found(kind, name)
        return stored

    def list(self, kind: Kind, namespace: str = "", options: ListOptions | None = None) -> Page:
        """Return a page of objects; an empty namespace is all of them."""
        return list_page(self._storage, kind, namespace, options or ListOptions())

    def create(
        self, kind: Kind, namespace: str, body: JSON, options: WriteOptions = _PLAIN_WRITE
    ) -> JSON:
        """Create an object and return it as stored.

        Raises:
            AlreadyExists: the name is taken.
            StatusError: it may not be created.
        """
        tries = 1 if (body.get("metadata") or {}).get("name") else _GENERATED_NAME_TRIES
        for _ in range(tries):
            obj = new_object(kind, namespace, _own(body), self._system_fields(), options)
            name = obj["metadata"]["name"]
            self._admission.check_create(kind, namespace, name)
            taken = self._storage.get(kind.resource_id, namespace, name) is not None
            if not taken and options.dry_run:
                return obj
            try:
                if not taken:
                    return self._storage.create(kind.resource_id, obj).obj
            except RevisionLost:
                continue
        raise already_exists(kind, name)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: JSON,
        options: WriteOptions = _PLAIN_WRITE,
    ) -> JSON:
        """Replace an object, or its status, and return it as stored.

        Raises:
            NotFound: there is none.
            Conflict: the body has a resourceVersion that is not the current one.
            StatusError: it may not be stored like this.
        """
        return self.rewrite(kind, namespace, name, lambda _: _own(body), options)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Patch,
        options: WriteOptions = _PLAIN_WRITE,
    ) -> JSON:
        """Change parts of an object and return it as stored; applied anew if it lost a race.

        Raises:
            NotFound: there is none.
            Conflict: the patch sets a resourceVersion that is not the current one.
            StatusError: it cannot be applied, or the result may not be stored.
        """

        def change(old: JSON) -> JSON:
            new = patch.apply(kind.kind, old)
            if kind.conversion is None or patch.media_type != STRATEGIC:
                return new
            return kind.conversion.sort(new)

        return self.rewrite(kind, namespace, name, change, options)

    def rewrite(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Change,
        options: WriteOptions = _PLAIN_WRITE,
    ) -> JSON:
        """Store what `change` makes of an object, by the rules for clients; see `patch`."""
        rewrite = changed_status if options.subresource == "status" else changed_object
        return self._change(
            kind,
            namespace,
            name,
            lambda old: rewrite(kind, change(kind.served(old)), old, options),
            dry_run=options.dry_run,
        )

    def edit(self, kind: Kind, namespace: str, name: str, change: Change) -> JSON:
        """Change an object by the server's own hand, past the rules for clients.

        Raises:
            NotFound: there is none.
            StatusError: whatever `change` raises.
        """
        return self._change(kind, namespace, name, change, dry_run=False)

    def delete(
        self, kind: Kind, namespace: str, name: str, options: DeleteOptions = _PLAIN_DELETE
    ) -> Deletion:
        """Delete an object, or mark it as being deleted.

        Raises:
            NotFound: there is none.
            Conflict: it is not the one that the client means.
            Forbidden: it may never be deleted.
        """
        self._admission.check_delete(kind, name)
        while True:
            stored = self.get(kind, namespace, name)
            check_preconditions(kind, stored.obj, options)
            planned = plan_deletion(kind, stored.copy(), options, self._clock())
            try:
                obj = planned.obj if options.dry_run else self._carry_out(kind, planned, stored)
            except RevisionLost:
                continue
            return Deletion(obj, planned.gone)

    def delete_collection(
        self, kind: Kind, namespace: str, chosen: ListOptions, options: DeleteOptions
    ) -> Page:
        """Delete the objects of a list and return them as they were."""
        page = self.list(kind, namespace, chosen)
        for stored in page.items:
            try:
                self.delete(kind, namespace, stored.obj["metadata"]["name"], options)
            except NotFound:
                continue
        return page

    def _carry_out(self, kind: Kind, planned: Deletion, stored: Stored) -> JSON:
        if planned.gone:
            return self._storage.remove(kind.resource_id, planned.obj, stored).obj
        if planned.obj == stored.obj:
            return stored.obj
        return self._storage.replace(kind.resource_id, planned.obj, stored).obj

    def _change(
        self, kind: Kind, namespace: str, name: str, change: Change, *, dry_run: bool
    ) -> JSON:
        while True:
            stored = self.get(kind, namespace, name)
            old = stored.copy()
            old["apiVersion"] = kind.stored_version
            new = change(old)
            new["metadata"]["resourceVersion"] = stored.obj["metadata"]["resourceVersion"]
            if dry_run or new == stored.obj:
                return new
            try:
                return self._keep(kind, new, stored)
            except RevisionLost:
                continue

    def _keep(self, kind: Kind, new: JSON, stored: Stored) -> JSON:
        if is_over(kind, new):
            return self._storage.remove(kind.resource_id, new, stored).obj
        return self._storage.replace(kind.resource_id, new, stored).obj

    def _system_fields(self) -> SystemFields:
        return SystemFields(self._new_uid(), timestamp(self._clock()), self._new_suffix())


def _own(body: JSON) -> JSON:
    """Return a copy as far as the place of an object is filled in; to decode it copies all."""
    meta = body.get("metadata")
    return {**body, "metadata": {**meta}} if isinstance(meta, dict) else {**body}
