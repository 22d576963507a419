"""The kinds of resource.k8s.io with structured parameters, in every version that is served.

One form is stored, that of v1; v1beta2 has the same. Left out: DeviceTaintRule and
ResourcePoolStatusRequest.
Source: kubernetes pkg/apis/resource/v1beta1/conversion.go, pkg/registry/resource/resourceslice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.rawjson import Path, rewritten
from devcluster.apiserver.builtinschemas import schema_of
from devcluster.apiserver.clock import Clock
from devcluster.apiserver.columns import structured_columns_of
from devcluster.apiserver.conversion import Conversion
from devcluster.apiserver.kinds import STATUS, Kind, Subresource
from devcluster.apiserver.resourceapi import STRUCTURED, ResourceApi
from devcluster.apiserver.rules.claimstatus import status_strategy
from devcluster.apiserver.rules.deviceclaims import (
    claim_strategy,
    class_strategy,
    template_strategy,
)
from devcluster.apiserver.rules.slices import slice_strategy
from devcluster.apiserver.strategy import Strategy

_STORED: Final = f"{RESOURCE_GROUP}/v1"
_FLAT: Final = "v1beta1"
_POOL_NAME_SELECTED: Final = 37
_PARAMETERS: Final = ("config", "*", "opaque", "parameters")
_CLAIM_TEXTS: Final = (
    ("spec", "devices", *_PARAMETERS),
    ("status", "allocation", "devices", *_PARAMETERS),
    ("status", "devices", "*", "data"),
)
_REQUESTS: Final = ("devices", "requests", "*")
_DEVICES: Final = ("spec", "devices", "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Structured:
    kind: str
    plural: str
    strategy: Strategy
    namespaced: bool = True
    subresources: tuple[Subresource, ...] = ()
    generation: bool = False
    selectable: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[Path, ...] = ()
    flat: Conversion = field(default_factory=lambda: Conversion(_STORED))


def structured_kinds(api: ResourceApi, clock: Clock) -> Iterator[Kind]:
    """Return the kinds in the order of discovery; the clock stamps taints of devices."""
    for version in api.versions:
        for each in _kinds(api, clock) if version in STRUCTURED else ():
            yield _kind(version, each)


def _kinds(api: ResourceApi, clock: Clock) -> tuple[_Structured, ...]:
    requests = ("spec", *_REQUESTS)
    inner = ("spec", *requests)
    selected = ("spec.driver", "spec.nodeName", "spec.pool.name")
    return (
        _Structured(
            kind="DeviceClass",
            plural="deviceclasses",
            strategy=class_strategy(api),
            namespaced=False,
            generation=True,
            texts=(("spec", *_PARAMETERS),),
        ),
        _Structured(
            kind="ResourceClaim",
            plural="resourceclaims",
            strategy=claim_strategy(api, status_strategy(api)),
            subresources=(STATUS,),
            texts=_CLAIM_TEXTS,
            flat=_flat_requests(requests),
        ),
        _Structured(
            kind="ResourceClaimTemplate",
            plural="resourceclaimtemplates",
            strategy=template_strategy(api),
            texts=(("spec", "spec", "devices", *_PARAMETERS),),
            flat=_flat_requests(inner),
        ),
        _Structured(
            kind="ResourceSlice",
            plural="resourceslices",
            strategy=slice_strategy(api, clock),
            namespaced=False,
            generation=True,
            selectable={p: p for p in selected[: 3 if api.minor >= _POOL_NAME_SELECTED else 2]},
            flat=Conversion(_STORED, to_stored=_without_basic, to_served=_with_basic),
        ),
    )


def _kind(version: str, each: _Structured) -> Kind:
    convert = each.flat if version == _FLAT else Conversion(_STORED)
    return Kind(
        group=RESOURCE_GROUP,
        version=version,
        plural=each.plural,
        singular=each.kind.lower(),
        kind=each.kind,
        strategy=each.strategy,
        schema=schema_of(RESOURCE_GROUP, version, each.kind),
        columns=structured_columns_of(each.kind),
        namespaced=each.namespaced,
        subresources=each.subresources,
        selectable=each.selectable,
        generation=each.generation,
        conversion=Conversion(_STORED, each.texts, convert.to_stored, convert.to_served),
    )


def _flat_requests(path: Path) -> Conversion:
    return Conversion(
        _STORED,
        to_stored=lambda obj: rewritten(obj, path, _nested),
        to_served=lambda obj: rewritten(obj, path, _flattened),
    )


def _nested(request: JSON) -> JSON:
    """Return a request with what it asks for in a member of its own, if it asks for anything."""
    kept: JSON = {name: request[name] for name in ("name", "firstAvailable") if name in request}
    exactly = {name: value for name, value in request.items() if name not in kept}
    return {**kept, "exactly": exactly} if exactly else kept


def _flattened(request: JSON) -> JSON:
    rest = {name: value for name, value in request.items() if name != "exactly"}
    return {**rest, **(request.get("exactly") or {})}


def _without_basic(resource_slice: JSON) -> JSON:
    """Return a slice whose devices have all in one place; what was empty is not set."""
    spec = dict(resource_slice.get("spec") or {})
    for name in ("nodeName", "allNodes"):
        if name in spec and not spec[name]:
            del spec[name]
    converted: JSON = rewritten({**resource_slice, "spec": spec}, _DEVICES, _unwrapped)
    return converted


def _unwrapped(device: JSON) -> JSON:
    return {**(device.get("basic") or {}), **{k: v for k, v in device.items() if k != "basic"}}


def _with_basic(resource_slice: JSON) -> JSON:
    converted: JSON = rewritten(resource_slice, _DEVICES, _wrapped)
    return converted


def _wrapped(device: JSON) -> JSON:
    return {"name": device["name"], "basic": {k: v for k, v in device.items() if k != "name"}}
