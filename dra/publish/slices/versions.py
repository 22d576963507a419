"""Versions of ResourceSlice: inside there is only the shape of v1, which v1beta2 shares.

v1beta1 has what a device is below `basic`; the rest of an object is the same.
Source: k8s.io/api/resource v1, v1beta2, v1beta1 types.go.
"""

from collections.abc import Callable
from typing import Final

from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS, Resource

_V1: Final = STRUCTURED_VERSIONS["v1"].slices
_NESTED: Final = "v1beta1"


def to_version(resource: Resource, obj: JSON) -> JSON:
    """Return a slice of the shape of v1 as a version has it."""
    made = {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
    return _with_devices(made, _nested) if resource.version == _NESTED else made


def from_version(obj: JSON) -> JSON:
    """Return a slice of any version in the shape of v1."""
    made = _with_devices(obj, _flat) if obj.get("apiVersion", "").endswith(_NESTED) else obj
    return {**made, "apiVersion": _V1.api_version, "kind": _V1.kind}


def _with_devices(obj: JSON, change: Callable[[JSON], JSON]) -> JSON:
    spec = obj.get("spec") or {}
    if not spec.get("devices"):
        return obj
    return {**obj, "spec": {**spec, "devices": [change(each) for each in spec["devices"]]}}


def _nested(device: JSON) -> JSON:
    basic = {name: value for name, value in device.items() if name != "name"}
    return {"name": device["name"], "basic": basic}


def _flat(device: JSON) -> JSON:
    return {"name": device["name"], **(device.get("basic") or {})}
