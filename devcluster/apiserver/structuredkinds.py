"""The kinds of resource.k8s.io with structured parameters, in every version that is served.

One form is stored, that of v1; v1beta2 has the same. Left out: DeviceTaintRule and
ResourcePoolStatusRequest.
Source: kubernetes pkg/registry/resource/resourceslice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.rawjson import Path
from api.resources import STRUCTURED_VERSIONS, Resource, StructuredResources
from devcluster.apiserver.builtinschemas import schema_of
from devcluster.apiserver.clock import Clock
from devcluster.apiserver.columns import structured_columns_of
from devcluster.apiserver.conversion import Conversion
from devcluster.apiserver.kinds import STATUS, Kind, Subresource
from devcluster.apiserver.resourceapi import ResourceApi
from devcluster.apiserver.rules.claimstatus import status_strategy
from devcluster.apiserver.rules.deviceclaims import (
    claim_strategy,
    class_strategy,
    template_strategy,
)
from devcluster.apiserver.rules.slices import slice_strategy
from devcluster.apiserver.strategy import Strategy

_POOL_NAME_SELECTED: Final = 37
_PARAMETERS: Final = ("config", "*", "opaque", "parameters")
_CLAIM_TEXTS: Final = (
    ("spec", "devices", *_PARAMETERS),
    ("status", "allocation", "devices", *_PARAMETERS),
    ("status", "devices", "*", "data"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Structured:
    resource: Callable[[StructuredResources], Resource]
    strategy: Strategy
    subresources: tuple[Subresource, ...] = ()
    generation: bool = False
    selectable: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[Path, ...] = ()


def structured_kinds(api: ResourceApi, clock: Clock) -> Iterator[Kind]:
    """Return the kinds in the order of discovery; the clock stamps taints of devices."""
    for version in api.versions:
        for each in _kinds(api, clock) if version in STRUCTURED_VERSIONS else ():
            yield _kind(version, each)


def _kinds(api: ResourceApi, clock: Clock) -> tuple[_Structured, ...]:
    selected = ("spec.driver", "spec.nodeName", "spec.pool.name")
    return (
        _Structured(
            resource=lambda known: known.classes,
            strategy=class_strategy(api),
            generation=True,
            texts=(("spec", *_PARAMETERS),),
        ),
        _Structured(
            resource=lambda known: known.claims,
            strategy=claim_strategy(api, status_strategy(api)),
            subresources=(STATUS,),
            texts=_CLAIM_TEXTS,
        ),
        _Structured(
            resource=lambda known: known.templates,
            strategy=template_strategy(api),
            texts=(("spec", "spec", "devices", *_PARAMETERS),),
        ),
        _Structured(
            resource=lambda known: known.slices,
            strategy=slice_strategy(api, clock),
            generation=True,
            selectable={p: p for p in selected[: 3 if api.minor >= _POOL_NAME_SELECTED else 2]},
        ),
    )


def _kind(version: str, each: _Structured) -> Kind:
    resource = each.resource(STRUCTURED_VERSIONS[version])
    return Kind(
        group=resource.group,
        version=version,
        plural=resource.plural,
        singular=resource.kind.lower(),
        kind=resource.kind,
        strategy=each.strategy,
        schema=schema_of(resource.group, version, resource.kind),
        columns=structured_columns_of(resource.kind),
        namespaced=resource.namespaced,
        subresources=each.subresources,
        selectable=each.selectable,
        generation=each.generation,
        conversion=Conversion(resource, each.resource(STRUCTURED_VERSIONS["v1"]), each.texts),
    )
