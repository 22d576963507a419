"""What holds for the metadata of every object: who sets which field, and what clients may change.

Pure functions on objects; `devcluster.apiserver.writes` calls them around a kind's own rules.
Source: apiserver pkg/registry/rest/{create,update,meta}.go, apimachinery pkg/api/validation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api import validation
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.kinds import Kind

_SERVER_OWNED: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_NEVER_STORED: Final = ("managedFields", "selfLink")
_LONGEST_PREFIX: Final = 58
_MAX_ANNOTATIONS: Final = 256 * 1024
_OWNER_FIELDS: Final = ("apiVersion", "kind", "name", "uid")


@dataclass(frozen=True, slots=True)
class SystemFields:
    """What the server gives to a new object.

    Attributes:
        at: metav1.Time.
        suffix: five characters for a generated name.
    """

    uid: str
    at: str
    suffix: str


def identify(kind: Kind, namespace: str, name: str, body: JSON) -> None:
    """Fill in apiVersion, kind, namespace and name from the URL.

    Args:
        kind: of the URL.
        namespace: of the URL; empty for cluster objects.
        name: of the URL; empty for a new object.
        body: the object, which is changed.

    Raises:
        BadRequest: the object says something else.
    """
    _expect_type(kind, body)
    meta = body.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise BadRequest("metadata is not an object")
    if namespace and meta.setdefault("namespace", namespace) != namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if not namespace:
        meta.pop("namespace", None)
    if name and meta.setdefault("name", name) != name:
        raise BadRequest(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )


def _expect_type(kind: Kind, body: JSON) -> None:
    for key, wanted in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        if body.setdefault(key, wanted) != wanted:
            what = "API version" if key == "apiVersion" else "kind"
            sent = f"the {what} in the data ({body[key]})"
            raise BadRequest(f"{sent} does not match the expected {what} ({wanted})")


def prepare_new(kind: Kind, obj: JSON, system: SystemFields) -> None:
    """Set what the server decides about a new object.

    Raises:
        BadRequest: the object has a resourceVersion, so it was stored before.
    """
    meta = obj["metadata"]
    if meta.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    for field in (*_SERVER_OWNED, *_NEVER_STORED, "resourceVersion", "generation"):
        meta.pop(field, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"][:_LONGEST_PREFIX] + system.suffix
    meta["uid"] = system.uid
    meta["creationTimestamp"] = system.at
    if kind.generation:
        meta["generation"] = 1


def prepare_change(new: JSON, old: JSON) -> None:
    """Put back what only the server may change."""
    meta, before = new["metadata"], old["metadata"]
    for field in _NEVER_STORED:
        meta.pop(field, None)
    for field in (*_SERVER_OWNED, "generation", "generateName"):
        meta.pop(field, None)
        if field in before:
            meta[field] = before[field]


def count_generation(kind: Kind, new: JSON, old: JSON) -> None:
    """Count a change of the desired state, which is all but metadata and a separate status."""
    if kind.generation and _desired(kind, new) != _desired(kind, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _desired(kind: Kind, obj: JSON) -> JSON:
    apart = {"metadata", "status"} if kind.has_status else {"metadata"}
    return {key: value for key, value in obj.items() if key not in apart}


def check_new(kind: Kind, obj: JSON) -> list[FieldError]:
    """Return what is wrong with the metadata of a new object."""
    return [*_name_errors(kind, obj["metadata"]), *_errors(obj["metadata"])]


def check_change(new: JSON, old: JSON) -> list[FieldError]:
    """Return what is wrong with the metadata of a changed object."""
    found = list(_errors(new["metadata"]))
    before = old["metadata"]
    if before.get("deletionTimestamp"):
        known = before.get("finalizers") or []
        added = [each for each in new["metadata"].get("finalizers") or [] if each not in known]
        if added:
            found.append(_late_finalizers(added))
    return found


def _late_finalizers(added: list[str]) -> FieldError:
    listed = ", ".join(f'"{each}"' for each in added)
    return fielderrors.not_allowed(
        "metadata.finalizers",
        "no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{listed}}}",
    )


def _name_errors(kind: Kind, meta: JSON) -> Iterable[FieldError]:
    name = meta.get("name")
    if not name:
        yield fielderrors.required("metadata.name", "name or generateName is required")
        return
    wrong = kind.strategy.check_name(name) if isinstance(name, str) else "must be a string"
    if wrong:
        yield fielderrors.bad_value("metadata.name", name, wrong)


def _errors(meta: JSON) -> Iterable[FieldError]:
    yield from _map_errors(meta)
    for finalizer in meta.get("finalizers") or []:
        if wrong := validation.qualified(finalizer):
            yield fielderrors.bad_value("metadata.finalizers", finalizer, wrong)
    yield from _owner_errors(meta.get("ownerReferences") or [])


def _map_errors(meta: JSON) -> Iterable[FieldError]:
    for key, value in (meta.get("labels") or {}).items():
        if wrong := validation.qualified(key) or validation.label_value(value):
            yield fielderrors.bad_value(
                "metadata.labels", value if validation.label_value(value) else key, wrong
            )
    annotations = meta.get("annotations") or {}
    for key in annotations:
        if wrong := validation.qualified(key.lower()):
            yield fielderrors.bad_value("metadata.annotations", key, wrong)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _MAX_ANNOTATIONS:
        yield fielderrors.too_long("metadata.annotations", _MAX_ANNOTATIONS)


def _owner_errors(owners: list[JSON]) -> Iterable[FieldError]:
    for index, owner in enumerate(owners):
        for field in _OWNER_FIELDS:
            if not owner.get(field):
                yield fielderrors.bad_value(
                    f"metadata.ownerReferences[{index}].{field}",
                    owner.get(field, ""),
                    "must not be empty",
                )
    if sum(1 for owner in owners if owner.get("controller")) > 1:
        yield fielderrors.bad_value(
            "metadata.ownerReferences", owners, "Only one reference can have Controller set to true"
        )
