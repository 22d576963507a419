"""Rules of the claims of resource.k8s.io: ResourceClaim, its template, and ResourceClass.

A claim's status is a small state machine: allocated, then reserved for consumers, then
deallocated; an update that jumps is refused.
Source: kubernetes pkg/apis/resource/validation/validation.go, pkg/registry/resource/*/strategy.go
v1.30.
"""

from collections.abc import Iterator
from typing import Final

from api import validation
from api.limits import MAX_DRIVER_NAME
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.rules.allocations import allocation_errors
from devcluster.apiserver.strategy import Strategy

MAX_CONSUMERS: Final = 32
_MODES: Final = ("WaitForFirstConsumer", "Immediate")
_CONSUMER_FIELDS: Final = ("resource", "name", "uid")


def driver_name_errors(path: str, name: str | None) -> Iterator[FieldError]:
    """Return what is wrong with the name of a driver."""
    if not name:
        yield fielderrors.required(path)
    elif len(name) > MAX_DRIVER_NAME:
        yield fielderrors.too_long(path, MAX_DRIVER_NAME)
    elif wrong := validation.subdomain(name.lower()):
        yield fielderrors.bad_value(path, name, wrong)


def status_errors(new: JSON, old: JSON) -> Iterator[FieldError]:
    """Return what is wrong with an update of a claim's status."""
    status, before = new.get("status") or {}, old.get("status") or {}
    if status.get("driverName"):
        yield from driver_name_errors("status.driverName", status["driverName"])
    elif _is_allocated(status):
        text = "must be specified when `allocation` is set"
        yield fielderrors.required("status.driverName", text)
    yield from allocation_errors("status.allocation", status.get("allocation"))
    yield from _consumer_errors(status.get("reservedFor") or [])
    yield from _reservation_errors(status, before, deleting="deletionTimestamp" in new["metadata"])
    if _is_allocated(before) and status.get("allocation") not in (None, before["allocation"]):
        yield fielderrors.immutable("status.allocation", status["allocation"])
    yield from _deallocation_errors(status, before)


def _is_allocated(status: JSON) -> bool:
    # an empty allocation is one: any node, and the handle of one driver
    return status.get("allocation") is not None


def _consumer_errors(consumers: list[JSON]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, consumer in enumerate(consumers):
        path = f"status.reservedFor[{index}]"
        for field in _CONSUMER_FIELDS:
            if not consumer.get(field):
                yield fielderrors.required(f"{path}.{field}")
        uid = consumer.get("uid")
        if uid in seen:
            yield fielderrors.duplicate(f"{path}.uid", uid)
        if uid:
            seen.add(uid)
    if len(consumers) > MAX_CONSUMERS:
        yield fielderrors.too_long("status.reservedFor", MAX_CONSUMERS)


def _reservation_errors(status: JSON, before: JSON, *, deleting: bool) -> Iterator[FieldError]:
    path, consumers = "status.reservedFor", status.get("reservedFor") or []
    if not consumers:
        return
    if not _is_allocated(status):
        text = "may not be specified when `allocated` is not set"
        yield fielderrors.not_allowed(path, text)
        return
    if len(consumers) > 1 and not status["allocation"].get("shareable"):
        yield fielderrors.not_allowed(path, "may not be reserved more than once")
    ending = deleting or before.get("deallocationRequested") or status.get("deallocationRequested")
    if ending and any(each not in (before.get("reservedFor") or []) for each in consumers):
        text = (
            "new entries may not be added while `deallocationRequested` or `deletionTimestamp` "
            "are set"
        )
        yield fielderrors.not_allowed(path, text)


def _deallocation_errors(status: JSON, before: JSON) -> Iterator[FieldError]:
    path = "status.deallocationRequested"
    asked, was_asked = status.get("deallocationRequested"), before.get("deallocationRequested")
    if asked and not was_asked and status.get("reservedFor"):
        text = "deallocation cannot be requested while `reservedFor` is set"
        yield fielderrors.not_allowed(path, text)
    if asked and not _is_allocated(status):
        text = "`allocation` must be set when `deallocationRequested` is set"
        yield fielderrors.not_allowed("status", text)
    if was_asked and not asked and _is_allocated(status):
        yield fielderrors.not_allowed(path, "may not be cleared when `allocation` is set")


def _default_spec(spec: JSON) -> None:
    if not spec.get("allocationMode"):
        spec["allocationMode"] = _MODES[0]


def _spec_errors(path: str, spec: JSON) -> Iterator[FieldError]:
    name = spec.get("resourceClassName")
    if not name:
        yield fielderrors.required(f"{path}.resourceClassName")
    elif wrong := validation.subdomain(name):
        yield fielderrors.bad_value(f"{path}.resourceClassName", name, wrong)
    yield from _parameters_errors(f"{path}.parametersRef", spec.get("parametersRef"))
    if spec.get("allocationMode") not in _MODES:
        mode = spec.get("allocationMode")
        yield fielderrors.unsupported(f"{path}.allocationMode", mode, _MODES)


def _parameters_errors(path: str, reference: JSON | None) -> Iterator[FieldError]:
    for field in ("kind", "name") if reference is not None else ():
        if not (reference or {}).get(field):
            yield fielderrors.required(f"{path}.{field}")


def _default_claim(claim: JSON) -> None:
    _default_spec(claim.setdefault("spec", {}))


def _default_template(template: JSON) -> None:
    _default_spec(template.setdefault("spec", {}).setdefault("spec", {}))


def _unchanged_spec(new: JSON, old: JSON) -> list[FieldError]:
    same = new.get("spec") == old.get("spec")
    return [] if same else [fielderrors.immutable("spec", new.get("spec"))]


def _class_errors(resource_class: JSON) -> list[FieldError]:
    return [
        *driver_name_errors("driverName", resource_class.get("driverName")),
        *_parameters_errors("parametersRef", resource_class.get("parametersRef")),
    ]


CLAIMS: Final = Strategy(
    default=_default_claim,
    prepare_create=lambda claim: claim.update(status={}),
    check_create=lambda claim: list(_spec_errors("spec", claim["spec"])),
    check_update=_unchanged_spec,
    check_status=lambda new, old: list(status_errors(new, old)),
)
TEMPLATES: Final = Strategy(
    default=_default_template,
    check_create=lambda template: list(_spec_errors("spec.spec", template["spec"]["spec"])),
    check_update=_unchanged_spec,
)
CLASSES: Final = Strategy(
    check_create=_class_errors, check_update=lambda new, _: _class_errors(new)
)
