"""What the state of other objects forbids: creates without a living namespace, and the like.

Asked by `devcluster.apiserver.store` before a write. A create that slips through while its
namespace ends is found by `devcluster.apiserver.garbage`.
Source: apiserver pkg/admission/plugin/namespace/lifecycle; apiextensions-apiserver
pkg/apiserver/customresource_handler.go.
"""

from typing import Final

from api.objects import is_deleting
from devcluster.apiserver.errors import Forbidden, MethodNotAllowed, NotFound, forbidden
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.storage import ResourceID, Storage

NAMESPACES: Final[ResourceID] = ("", "namespaces")
CRDS: Final[ResourceID] = ("apiextensions.k8s.io", "customresourcedefinitions")
IMMORTAL: Final = frozenset({"default", "kube-system", "kube-public"})


class Admission:
    """Checks against the objects of one storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check_create(self, kind: Kind, namespace: str, name: str) -> None:
        """Raise if an object may not be created there now.

        Raises:
            NotFound: the namespace does not exist.
            Forbidden: the namespace is being deleted.
            MethodNotAllowed: the definition of the kind is being deleted.
        """
        if kind.namespaced:
            self._check_namespace(kind, namespace, name)
        if kind.custom:
            crd = self._storage.get(CRDS, "", kind.qualified)
            if crd is not None and is_deleting(crd.obj):
                raise MethodNotAllowed(
                    "create not allowed while custom resource definition is terminating"
                )

    def check_delete(self, kind: Kind, name: str) -> None:
        """Raise Forbidden if an object may never be deleted."""
        if kind.resource_id == NAMESPACES and name in IMMORTAL:
            raise forbidden(kind, name, "this namespace may not be deleted")

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        stored = self._storage.get(NAMESPACES, "", namespace)
        if stored is None:
            details = {"name": namespace, "kind": "namespaces"}
            raise NotFound(f'namespaces "{namespace}" not found', details)
        if is_deleting(stored.obj):
            raise _terminating(kind, namespace, name)


def _terminating(kind: Kind, namespace: str, name: str) -> Forbidden:
    why = f"namespace {namespace} is being terminated"
    error = forbidden(
        kind,
        name,
        f"unable to create new content in namespace {namespace} because it is being terminated",
    )
    cause = {"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"}
    error.details = {**(error.details or {}), "causes": [cause]}
    return error
