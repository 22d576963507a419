"""Rules of what ResourceClaims with structured parameters ask for, and of DeviceClasses.

CEL expressions are measured and not compiled; whether a namespace may ask for admin access is not
checked.
Source: kubernetes pkg/apis/resource/validation/validation.go,
pkg/registry/resource/{resourceclaim,resourceclaimtemplate,deviceclass}/strategy.go.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from api import validation
from api.limits import MAX_RAW_BYTES
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.resourceapi import ResourceApi
from devcluster.apiserver.rules import gates
from devcluster.apiserver.rules.claims import driver_name_errors
from devcluster.apiserver.rules.devicenames import (
    full_name_errors,
    label_errors,
    qualified_errors,
    subdomain_errors,
)
from devcluster.apiserver.rules.entries import Check, Errors, item_errors, set_errors
from devcluster.apiserver.rules.publisheddevices import effect_errors
from devcluster.apiserver.strategy import Strategy

MOST: Final = 32
"""Requests, constraints, configurations and selectors; also results of an allocation."""

_MAX_CHOICES: Final = 8
_MAX_TOLERATIONS: Final = 16
_MODES: Final = ("All", "ExactCount")
_REFERENCE_TEXT: Final = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)
_ONE_REQUEST: Final = "exactly one of `exactly` or `firstAvailable` is required"


def request_names(claim: JSON) -> frozenset[str]:
    """Return all that can refer to a request of a `spec.devices`: `request`, `request/choice`."""
    known = set()
    for request in claim.get("requests") or ():
        known.add(str(request.get("name")))
        for choice in request.get("firstAvailable") or ():
            known.add(f"{request.get('name')}/{choice.get('name')}")
    return frozenset(known)


def reference_errors(known: frozenset[str]) -> Check:
    """Return the check of the name of a request in the claim."""

    def check(path: str, name: Any) -> Errors:
        if name not in known:
            yield fielderrors.bad_value(path, name, _REFERENCE_TEXT)

    return check


def config_errors(known: frozenset[str], *, old: bool = False) -> Check:
    """Return the check of a configuration; one that is stored may be of any size."""

    def check(path: str, config: Any) -> Errors:
        names_path = f"{path}.requests"
        yield from set_errors(names_path, config.get("requests"), MOST, reference_errors(known))
        opaque = config.get("opaque")
        if opaque is None:
            yield fielderrors.required(f"{path}.opaque")
            return
        yield from driver_name_errors(f"{path}.opaque.driver", opaque.get("driver"))
        yield from raw_errors(f"{path}.opaque.parameters", opaque.get("parameters"), old=old)

    return check


def raw_errors(path: str, text: str | None, *, old: bool = False) -> Iterator[FieldError]:
    """Return what is wrong with the text of a raw extension."""
    if text is None or text.strip() == "null":
        yield fielderrors.required(path)
    elif len(text.encode()) > MAX_RAW_BYTES and not old:
        yield fielderrors.too_many_bytes(path, MAX_RAW_BYTES)
    elif (problem := _problem_of_raw(text)) is not None:
        yield fielderrors.bad_value(path, "<value omitted>", problem)


def _problem_of_raw(text: str) -> str | None:
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError) as error:
        return f"error parsing data as JSON: {error}"
    return None if is_object else "must be a valid JSON object"


def _claim_errors(path: str, claim: JSON) -> Errors:
    known = request_names(claim)
    yield from set_errors(f"{path}.requests", claim.get("requests"), MOST, _request_errors)
    yield from item_errors(
        f"{path}.constraints", claim.get("constraints"), MOST, _constraint_errors(known)
    )
    yield from item_errors(f"{path}.config", claim.get("config"), MOST, config_errors(known))


def _request_errors(path: str, request: Any) -> Errors:
    yield from label_errors(f"{path}.name", request.get("name"))
    exactly, choices = request.get("exactly"), request.get("firstAvailable")
    if exactly is None and not choices:
        yield fielderrors.required(path, _ONE_REQUEST)
    elif exactly is not None and choices:
        why = f"{_ONE_REQUEST}, but multiple fields are set"
        yield fielderrors.bad_value(path, None, why)
    elif choices:
        yield from set_errors(f"{path}.firstAvailable", choices, _MAX_CHOICES, _choice_errors)
    else:
        yield from _exact_errors(f"{path}.exactly", exactly)


def _choice_errors(path: str, choice: Any) -> Errors:
    yield from label_errors(f"{path}.name", choice.get("name"))
    yield from _exact_errors(path, choice)


def _exact_errors(path: str, exact: Any) -> Errors:
    yield from subdomain_errors(f"{path}.deviceClassName", exact.get("deviceClassName"))
    yield from item_errors(f"{path}.selectors", exact.get("selectors"), MOST, _selector_errors)
    mode, count = exact.get("allocationMode"), exact.get("count", 0)
    if mode not in _MODES:
        yield fielderrors.unsupported(f"{path}.allocationMode", mode, _MODES)
    elif mode == "All" and count:
        why = f"must not be specified when allocationMode is '{mode}'"
        yield fielderrors.bad_value(f"{path}.count", count, why)
    elif mode == "ExactCount" and count <= 0:
        yield fielderrors.bad_value(f"{path}.count", count, "must be greater than zero")
    tolerations = exact.get("tolerations")
    yield from item_errors(f"{path}.tolerations", tolerations, _MAX_TOLERATIONS, toleration_errors)


def _selector_errors(path: str, selector: Any) -> Errors:
    if selector.get("cel") is None:
        yield fielderrors.required(f"{path}.cel")
    elif len(str(selector["cel"].get("expression")).encode()) > MAX_RAW_BYTES:
        yield fielderrors.too_many_bytes(f"{path}.cel.expression", MAX_RAW_BYTES)


def toleration_errors(path: str, toleration: Any) -> Errors:
    """Return what is wrong with a toleration of a request or a result."""
    if toleration.get("key"):
        yield from qualified_errors(f"{path}.key", toleration["key"])
    operator, value = toleration.get("operator"), toleration.get("value") or ""
    if operator == "Exists" and value:
        why = "must be empty for operator `Exists`"
        yield fielderrors.bad_value(f"{path}.value", value, why)
    elif operator == "Equal" and (wrong := validation.label_value(value)):
        yield fielderrors.bad_value(f"{path}.value", value, wrong)
    elif operator not in ("Equal", "Exists"):
        yield fielderrors.unsupported(f"{path}.operator", operator, ("Equal", "Exists"))
    yield from effect_errors(path, toleration)


def _constraint_errors(known: frozenset[str]) -> Check:
    def check(path: str, constraint: Any) -> Errors:
        here = f"{path}.requests"
        yield from set_errors(here, constraint.get("requests"), MOST, reference_errors(known))
        given = [n for n in ("matchAttribute", "distinctAttribute") if constraint.get(n)]
        if len(given) == 1:
            yield from full_name_errors(f"{path}.{given[0]}", constraint[given[0]])
        else:
            why = 'exactly one of "matchAttribute" or "distinctAttribute" is required'
            many = ", but multiple fields are set" if given else ""
            yield fielderrors.required(path, f"{why}{many}")

    return check


def _default_claim(claim: JSON) -> None:
    for request in claim.get("requests") or ():
        for exact in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if exact is not None:
                _default_exact(exact)


def _default_exact(exact: JSON) -> None:
    if not exact.get("allocationMode"):
        exact["allocationMode"] = "ExactCount"
    if exact["allocationMode"] == "ExactCount" and not exact.get("count"):
        exact["count"] = 1
    for toleration in exact.get("tolerations") or ():
        if not toleration.get("operator"):
            toleration["operator"] = "Equal"


def _unchanged(new: JSON, old: JSON) -> list[FieldError]:
    same = new.get("spec") == old.get("spec")
    return [] if same else [fielderrors.immutable("spec", new.get("spec"))]


def _class_errors(device_class: JSON, old: JSON | None = None) -> Errors:
    spec, before = device_class["spec"], (old or {}).get("spec") or {}
    same = bool(old) and spec.get("config") == before.get("config")
    yield from item_errors("spec.selectors", spec.get("selectors"), MOST, _selector_errors)
    config = config_errors(frozenset(), old=same)
    yield from item_errors("spec.config", spec.get("config"), MOST, config)
    extended = spec.get("extendedResourceName")
    if extended is not None and (validation.qualified(extended) or "/" not in extended):
        why = "must be a valid extended resource name"
        yield fielderrors.bad_value("spec.extendedResourceName", extended, why)


def claim_strategy(api: ResourceApi, status: Strategy) -> Strategy:
    """Return the rules of ResourceClaims; `status` has those of /status."""

    def create(claim: JSON) -> None:
        claim["status"] = {}
        gates.drop_disabled(gates.CLAIM, api.gates, claim)

    return Strategy(
        default=lambda claim: _default_claim(_devices(claim.setdefault("spec", {}))),
        prepare_create=create,
        prepare_update=lambda new, old: gates.drop_disabled(gates.CLAIM, api.gates, new, old),
        prepare_status=status.prepare_status,
        check_create=lambda claim: list(_claim_errors("spec.devices", _devices(claim["spec"]))),
        check_update=_unchanged,
        check_status=status.check_status,
    )


def template_strategy(api: ResourceApi) -> Strategy:
    """Return the rules of ResourceClaimTemplates."""

    def check(template: JSON) -> list[FieldError]:
        return list(_claim_errors("spec.spec.devices", _devices(_inner_spec(template))))

    return Strategy(
        default=lambda template: _default_claim(_devices(_inner_spec(template))),
        prepare_create=lambda new: gates.drop_disabled(gates.TEMPLATE, api.gates, new),
        prepare_update=lambda new, old: gates.drop_disabled(gates.TEMPLATE, api.gates, new, old),
        check_create=check,
        check_update=_unchanged,
    )


def class_strategy(api: ResourceApi) -> Strategy:
    """Return the rules of DeviceClasses."""
    fields = gates.DEVICE_CLASS
    return Strategy(
        default=lambda new: new.update(spec=new.get("spec") or {}),
        prepare_create=lambda new: gates.drop_disabled(fields, api.gates, new),
        prepare_update=lambda new, old: gates.drop_disabled(fields, api.gates, new, old),
        check_create=lambda new: list(_class_errors(new)),
        check_update=lambda new, old: list(_class_errors(new, old)),
    )


def _inner_spec(template: JSON) -> JSON:
    spec: JSON = template.setdefault("spec", {}).setdefault("spec", {})
    return spec


def _devices(spec: JSON) -> JSON:
    devices: JSON = spec.get("devices") or {}
    return devices
