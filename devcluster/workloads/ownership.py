"""Which objects a workload controls: those it made, and orphans that its selector means.

Source: kubernetes pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Iterable
from typing import Final

from api.objects import JSON, controller_uid, is_deleting, uid_of
from api.resources import Resource
from api.selectors import selects_labels
from kube.client import Client
from kube.errors import NotFound
from kube.store import Store

BY_CONTROLLER: Final = "controller"


def by_controller(obj: JSON) -> Iterable[str]:
    """Index objects by the uid of their controller, and orphans by their namespace."""
    return (controller_uid(obj) or orphans_of(obj["metadata"]["namespace"]),)


def orphans_of(namespace: str) -> str:
    """Return the index value of the objects of a namespace that nobody controls."""
    return f"{namespace}/"


def controller_of(obj: JSON) -> tuple[str, str]:
    """Return kind and name of the owner that controls an object, empty if there is none."""
    owners = (each for each in _owners(obj) if each.get("controller"))
    owner = next(owners, {})
    return str(owner.get("kind", "")), str(owner.get("name", ""))


def means(owner: JSON, obj: JSON) -> bool:
    """Tell whether the selector of a workload matches an object."""
    return selects_labels(owner["spec"].get("selector"), obj["metadata"].get("labels") or {})


def owner_reference(owner: JSON) -> JSON:
    """Return the reference that makes a workload the controller of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


class Ownership:
    """The objects of one resource that workloads control."""

    def __init__(self, client: Client, store: Store, resource: Resource) -> None:
        """Look at `store`, which has the index `BY_CONTROLLER`; write to `client`."""
        self._client = client
        self._store = store
        self._resource = resource

    def claim(self, owner: JSON) -> list[JSON]:
        """Return what a workload controls, after it took its orphans and let strangers go.

        Raises:
            KubeError: a write failed.
        """
        owned = self._store.by_index(BY_CONTROLLER, uid_of(owner))
        if is_deleting(owner):
            return list(owned)
        for obj in owned:
            if not means(owner, obj) and not is_deleting(obj):
                self._refer(obj, [o for o in _owners(obj) if o["uid"] != uid_of(owner)])
        orphans = self._store.by_index(BY_CONTROLLER, orphans_of(owner["metadata"]["namespace"]))
        for obj in orphans:
            if means(owner, obj) and not is_deleting(obj):
                self._refer(obj, [*_owners(obj), owner_reference(owner)])
        return list(self._store.by_index(BY_CONTROLLER, uid_of(owner)))

    def _refer(self, obj: JSON, owners: list[JSON]) -> None:
        meta = obj["metadata"]
        patch = {"resourceVersion": meta["resourceVersion"], "ownerReferences": owners}
        try:
            self._store.written(
                self._client.patch(
                    self._resource,
                    meta["name"],
                    {"metadata": patch},
                    namespace=meta["namespace"],
                )
            )
        except NotFound:
            return


def _owners(obj: JSON) -> list[JSON]:
    return obj["metadata"].get("ownerReferences") or []
