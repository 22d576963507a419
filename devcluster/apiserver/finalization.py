"""Deletes the contents of namespaces and definitions that are being deleted, then lets them go.

Effects on a store, each safe to repeat. Called by `devcluster.apiserver.garbage`, once when the
deletion begins and again whenever one of the objects is gone.
Source: kubernetes pkg/controller/namespace/deletion, apiextensions-apiserver
pkg/controller/finalizer.
"""

from api.objects import JSON, is_deleting
from devcluster.apiserver.deletion import DeleteOptions
from devcluster.apiserver.errors import Conflict, NotFound
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.rules import definitions
from devcluster.apiserver.store import Change, Store
from ops.logs import get_logger

_log = get_logger("garbage-collector")


def delete_object(store: Store, kind: Kind, obj: JSON) -> None:
    """Begin the deletion of an object, unless it is going or was replaced."""
    meta = obj["metadata"]
    if is_deleting(obj):
        return
    namespace, name = meta.get("namespace", ""), meta["name"]
    try:
        store.delete(kind, namespace, name, DeleteOptions(uid=meta["uid"]))
    except (NotFound, Conflict):
        return
    _log.debug("Deleted", kind=kind.kind, namespace=namespace, name=name)


def edit_object(store: Store, kind: Kind, obj: JSON, change: Change) -> None:
    """Change an object, unless it is gone or was replaced."""
    meta = obj["metadata"]

    def change_same(current: JSON) -> JSON:
        return change(current) if current["metadata"]["uid"] == meta["uid"] else current

    try:
        store.edit(kind, meta.get("namespace", ""), meta["name"], change_same)
    except NotFound:
        return


def drop_finalizer(store: Store, kind: Kind, obj: JSON, finalizer: str) -> None:
    """Take a finalizer away; the last one lets a deleted object go."""

    def change(current: JSON) -> JSON:
        meta = current["metadata"]
        meta["finalizers"] = [f for f in meta.get("finalizers") or [] if f != finalizer]
        return current

    edit_object(store, kind, obj, change)


def empty_namespace(store: Store, registry: Registry, kind: Kind, namespace: JSON) -> None:
    """Delete what is in a namespace; when nothing is left, let it go."""
    name = namespace["metadata"]["name"]
    left = [
        (each, stored.obj)
        for each in registry.resources()
        if each.namespaced
        for stored in store.list(each, name).items
    ]
    for each, obj in left:
        delete_object(store, each, obj)
    if not left:
        edit_object(store, kind, namespace, _finished)


def empty_definition(store: Store, registry: Registry, kind: Kind, crd: JSON) -> None:
    """Delete the objects of a definition; when none is left, let it go."""
    spec = crd["spec"]
    custom = registry.resolve((spec["group"], spec["names"]["plural"]))
    left = store.list(custom).items if custom is not None else ()
    for stored in left:
        if custom is not None:
            delete_object(store, custom, stored.obj)
    if not left:
        drop_finalizer(store, kind, crd, definitions.FINALIZER)


def _finished(namespace: JSON) -> JSON:
    namespace["spec"] = {**namespace["spec"], "finalizers": []}
    return namespace
