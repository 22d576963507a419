"""Kubernetes from 1.32 on: kube-scheduler allocates, each result names its driver.

v1beta1, v1beta2 and v1 differ in `spec.devices.requests` only, of claims and of their templates:
v1beta1 has the members of `exactly` directly in a request. v1beta2 is v1.
Source: kubernetes pkg/apis/resource/v1beta1/conversion.go.
"""

from collections.abc import Callable
from typing import Final

from api.claims.view import Allocation, ClaimView, allocation_of
from api.names import RESOURCE_GROUP
from api.objects import JSON

_FLAT: Final = f"{RESOURCE_GROUP}/v1beta1"
_EXACTLY: Final = frozenset(
    {
        "deviceClassName",
        "selectors",
        "allocationMode",
        "count",
        "adminAccess",
        "tolerations",
        "capacity",
        "derivedAttributes",
    }
)


def read(raw: JSON) -> ClaimView:
    """Read a claim of v1, v1beta2 or v1beta1."""
    found = allocation_of(raw)
    if found is None:
        return ClaimView(raw)
    entries = (found.get("devices") or {}).get("results") or []
    drivers = frozenset(str(entry.get("driver", "")) for entry in entries)
    return ClaimView(raw, Allocation(found, drivers, found.get("nodeSelector")))


def converted(raw: JSON, version: str) -> JSON:
    """Return a ResourceClaim or a ResourceClaimTemplate of v1, v1beta2 or v1beta1 in another."""
    api_version = f"{RESOURCE_GROUP}/{version}"
    convert = _flattened if api_version == _FLAT else _nested
    spec = raw.get("spec") or {}
    if raw.get("kind") == "ResourceClaimTemplate":
        made = {**spec, "spec": _spec(spec.get("spec") or {}, convert)}
    else:
        made = _spec(spec, convert)
    return {**raw, "apiVersion": api_version, "spec": made}


def _spec(spec: JSON, convert: Callable[[JSON], JSON]) -> JSON:
    devices = spec.get("devices") or {}
    if not devices.get("requests"):
        return spec
    return {**spec, "devices": {**devices, "requests": [convert(r) for r in devices["requests"]]}}


def _nested(request: JSON) -> JSON:
    """Return a request with all that it asks for under `exactly`, unless it has alternatives."""
    exactly = {
        name: value for name, value in request.items() if name in _EXACTLY and _is_set(value)
    }
    rest = {name: value for name, value in request.items() if name not in _EXACTLY}
    return {**rest, "exactly": exactly} if exactly else rest


def _flattened(request: JSON) -> JSON:
    """Return a request with what stands under `exactly` beside its name."""
    rest = {name: value for name, value in request.items() if name != "exactly"}
    return {**rest, **(request.get("exactly") or {})}


def _is_set(value: object) -> bool:
    return value is False or bool(value)
