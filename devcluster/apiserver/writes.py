"""From what a client sends to what is stored: decoding, defaults, rules of the kind, validation.

Functions of objects; `devcluster.apiserver.store` brings the stored object and stores the result.
Source: apiserver pkg/registry/rest/{create,update}.go.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.objects import JSON
from devcluster.apiserver import fielderrors, objectmeta, schema
from devcluster.apiserver.errors import BadRequest, conflict, invalid
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.objectmeta import SystemFields

_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def _unheard(_: str) -> None: ...


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write.

    Attributes:
        dry_run: do all but the storing.
        field_validation: `Strict` refuses unknown fields, `Warn` warns, `Ignore` drops them.
        warn: takes the texts of warnings.
        subresource: `status` to write just that.
    """

    dry_run: bool = False
    field_validation: str = "Warn"
    warn: Callable[[str], None] = _unheard
    subresource: str = ""


def new_object(
    kind: Kind, namespace: str, body: JSON, system: SystemFields, options: WriteOptions
) -> JSON:
    """Return the object that a create stores.

    Raises:
        BadRequest: it cannot be read.
        Invalid: it breaks rules.
    """
    objectmeta.identify(kind, namespace, "", body)
    obj = _decode(kind, body, options)
    objectmeta.prepare_new(kind, obj, system)
    if kind.has_status and not kind.strategy.keeps_first_status:
        obj.pop("status", None)
    kind.strategy.default(obj)
    kind.strategy.prepare_create(obj)
    _refuse(kind, obj, [*objectmeta.check_new(kind, obj), *kind.strategy.check_create(obj)])
    return obj


def changed_object(kind: Kind, body: JSON, old: JSON, options: WriteOptions) -> JSON:
    """Return the object that an update of the main resource stores.

    Raises:
        BadRequest: it cannot be read.
        Conflict: it was made from another revision, or another object of this name.
        Invalid: it breaks rules.
    """
    new = _changed(kind, body, old, options)
    if kind.has_status:
        _take_over("status", new, old)
    kind.strategy.default(new)
    kind.strategy.prepare_update(new, old)
    found = [*objectmeta.check_change(new, old), *kind.strategy.check_update(new, old)]
    _refuse(kind, new, found)
    objectmeta.count_generation(kind, new, old)
    return new


def changed_status(kind: Kind, body: JSON, old: JSON, options: WriteOptions) -> JSON:
    """Return the object that an update of /status stores: all but the status stays as it is.

    Raises:
        BadRequest: it cannot be read.
        Conflict: it was made from another revision, or another object of this name.
        Invalid: it breaks rules.
    """
    sent = _changed(kind, body, old, options)
    new = {key: value for key, value in old.items() if key != "status"}
    if sent.get("status") is not None:
        new["status"] = sent["status"]
    kind.strategy.prepare_status(new, old)
    _refuse(kind, new, kind.strategy.check_status(new, old))
    return new


def _changed(kind: Kind, body: JSON, old: JSON, options: WriteOptions) -> JSON:
    meta = old["metadata"]
    objectmeta.identify(kind, meta.get("namespace", ""), meta["name"], body)
    _expect_revision(kind, body["metadata"], meta)
    obj = _decode(kind, body, options, old)
    objectmeta.prepare_change(obj, old)
    return obj


def _expect_revision(kind: Kind, sent: JSON, stored: JSON) -> None:
    uid = sent.get("uid")
    if uid and uid != stored["uid"]:
        why = f"UID in precondition: {uid}, UID in object meta: {stored['uid']}"
        raise conflict(kind, stored["name"], f"Precondition failed: {why}")
    revision = sent.get("resourceVersion")
    if revision and revision != stored["resourceVersion"]:
        raise conflict(kind, stored["name"], _MODIFIED)


def _decode(kind: Kind, body: JSON, options: WriteOptions, old: JSON | None = None) -> JSON:
    unknown: list[str] = []
    pruned = schema.prune(kind.schema, body, unknown)
    _report_unknown(kind, sorted(unknown), options)
    obj = schema.apply_defaults(kind.schema, pruned)
    found = schema.check(kind.schema, obj, kind.served(old) if old else None)
    unreadable = [error for error in found if error.reason == fielderrors.WRONG_TYPE]
    if unreadable and not kind.custom:
        raise _undecodable(kind, ", ".join(str(error) for error in unreadable))
    _refuse(kind, obj, found)
    return kind.stored(obj)


def _report_unknown(kind: Kind, unknown: Sequence[str], options: WriteOptions) -> None:
    if options.field_validation == "Ignore":
        return
    found = [f'unknown field "{path}"' for path in unknown]
    if found and options.field_validation == "Strict":
        raise _undecodable(kind, f"strict decoding error: {', '.join(found)}")
    for text in found:
        options.warn(text)


def _undecodable(kind: Kind, why: str) -> BadRequest:
    if kind.custom:
        return BadRequest(why)
    text = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'
    return BadRequest(text)


def _refuse(kind: Kind, obj: JSON, found: Sequence[FieldError]) -> None:
    if found:
        name = obj["metadata"].get("name") or obj["metadata"].get("generateName") or ""
        raise invalid(kind, name, found)


def _take_over(field: str, new: JSON, old: JSON) -> None:
    new.pop(field, None)
    if field in old:
        new[field] = old[field]
