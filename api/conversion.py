"""Objects of resource.k8s.io with structured parameters, as each version has them.

v1beta2 has the shape of v1. v1beta1 has what a device is below `basic`, and the members of
`exactly` directly in a request.
Source: kubernetes pkg/apis/resource/v1beta1/conversion.go.
"""

from collections.abc import Mapping
from typing import Final

from api.objects import JSON
from api.rawjson import Change, Path, rewritten
from api.resources import STRUCTURED_VERSIONS, Resource

_V1: Final = STRUCTURED_VERSIONS["v1"].claims.api_version
_FLAT: Final = STRUCTURED_VERSIONS["v1beta1"].claims.api_version
_REQUESTS: Final = ("devices", "requests", "*")


def converted(obj: JSON, resource: Resource) -> JSON:
    """Return an object as a version has it; the same object if it is of that version.

    Args:
        obj: of any version with structured parameters; if it names none, in the shape of v1.
        resource: its resource in the wanted version.
    """
    flat = obj.get("apiVersion", _V1) == _FLAT
    made = obj
    if flat != (resource.api_version == _FLAT) and resource.kind in _SHAPES:
        path, nest, flatten = _SHAPES[resource.kind]
        made = rewritten(obj, path, nest if flat else flatten)
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return made if head.items() <= made.items() else {**made, **head}


def _nested_request(request: JSON) -> JSON:
    """Return a request with all that it asks for under `exactly`, if it asks for anything."""
    kept: JSON = {name: request[name] for name in ("name", "firstAvailable") if name in request}
    exactly = {name: v for name, v in request.items() if name not in kept and (v or v is False)}
    return {**kept, "exactly": exactly} if exactly else kept


def _flat_request(request: JSON) -> JSON:
    return {**_without(request, "exactly"), **(request.get("exactly") or {})}


def _plain_spec(spec: JSON) -> JSON:
    """Return the spec of a slice without `basic`; what was empty in v1beta1 is not set."""
    kept = {
        name: value for name, value in spec.items() if value or name not in ("nodeName", "allNodes")
    }
    made: JSON = rewritten(kept, ("devices", "*"), _plain_device)
    return made


def _basic_spec(spec: JSON) -> JSON:
    made: JSON = rewritten(spec, ("devices", "*"), _basic_device)
    return made


def _plain_device(device: JSON) -> JSON:
    return {**_without(device, "basic"), **(device.get("basic") or {})}


def _basic_device(device: JSON) -> JSON:
    return {"name": device["name"], "basic": _without(device, "name")}


def _without(obj: JSON, name: str) -> JSON:
    return {key: value for key, value in obj.items() if key != name}


_SHAPES: Final[Mapping[str, tuple[Path, Change, Change]]] = {
    "ResourceClaim": (("spec", *_REQUESTS), _nested_request, _flat_request),
    "ResourceClaimTemplate": (("spec", "spec", *_REQUESTS), _nested_request, _flat_request),
    "ResourceSlice": (("spec",), _plain_spec, _basic_spec),
}
"""By kind: what differs, and how v1 and how v1beta1 have it."""
