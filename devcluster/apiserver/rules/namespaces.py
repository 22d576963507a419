"""Rules of namespaces, which stay until their contents are gone.

Source: kubernetes pkg/registry/core/namespace.
"""

from typing import Final

from api import validation
from api.objects import JSON
from devcluster.apiserver.strategy import Strategy

FINALIZER: Final = "kubernetes"
"""In `spec.finalizers`; `devcluster.apiserver.garbage` takes it away."""

_NAME_LABEL: Final = "kubernetes.io/metadata.name"


def _label(namespace: JSON) -> None:
    meta = namespace["metadata"]
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), _NAME_LABEL: meta["name"]}


def _prepare_create(namespace: JSON) -> None:
    _label(namespace)
    namespace["spec"] = {"finalizers": [FINALIZER]}
    namespace["status"] = {"phase": "Active"}


def _prepare_update(new: JSON, old: JSON) -> None:
    _label(new)
    new["spec"] = old["spec"]


NAMESPACES: Final = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_delete=lambda namespace: namespace.update(status={"phase": "Terminating"}),
    check_name=validation.label,
    held=lambda namespace: bool((namespace.get("spec") or {}).get("finalizers")),
)
