"""Rules of CustomResourceDefinitions, and of the custom resources that they define.

Source: k8s.io/apiextensions-apiserver pkg/registry/customresourcedefinition,
pkg/controller/finalizer.
"""

from typing import Final

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.crd import accepted, check_crd
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.strategy import Strategy

FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
"""Keeps a definition until `devcluster.apiserver.garbage` has deleted its objects."""


def _accept(crd: JSON) -> None:
    if not check_crd(crd):
        crd.update(accepted(crd))


def _prepare_create(crd: JSON) -> None:
    meta = crd["metadata"]
    meta["finalizers"] = [*(meta.get("finalizers") or []), FINALIZER]
    _accept(crd)


def _prepare_delete(crd: JSON) -> None:
    status = crd.setdefault("status", {})
    terminating = {
        "type": "Terminating",
        "status": "True",
        "reason": "InstanceDeletionInProgress",
        "message": "CustomResource deletion is in progress",
        "lastTransitionTime": crd["metadata"]["deletionTimestamp"],
    }
    status["conditions"] = [*(status.get("conditions") or []), terminating]


def _check_update(new: JSON, old: JSON) -> list[FieldError]:
    # group and plural are in the name of the definition, which never changes
    found = check_crd(new)
    if new["spec"]["scope"] != old["spec"]["scope"]:
        found.append(fielderrors.immutable("spec.scope", new["spec"]["scope"]))
    kind = new["spec"]["names"]["kind"]
    if kind != old["spec"]["names"]["kind"]:
        found.append(fielderrors.immutable("spec.names.kind", kind))
    return found


def _prepare_update(new: JSON, old: JSON) -> None:
    if "deletionTimestamp" not in old["metadata"]:
        _accept(new)


CUSTOM: Final = Strategy()
DEFINITIONS: Final = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_delete=_prepare_delete,
    check_create=check_crd,
    check_update=_check_update,
)
