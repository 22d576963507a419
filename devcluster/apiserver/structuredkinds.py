"""The kinds of resource.k8s.io with structured parameters, in every version that is served.

One form is stored, that of v1; v1beta2 has the same. DeviceTaintRule is there in v1 only. Left out:
ResourcePoolStatusRequest.
Source: kubernetes pkg/registry/resource/resourceslice.
"""

from collections.abc import Iterator
from typing import Any, Final

from api.resources import STRUCTURED_VERSIONS, StructuredResources
from devcluster.apiserver.builtinschemas import schema_of
from devcluster.apiserver.clock import Clock
from devcluster.apiserver.columns import structured_columns_of
from devcluster.apiserver.conversion import Conversion
from devcluster.apiserver.kinds import STATUS, Kind
from devcluster.apiserver.resourceapi import ResourceApi
from devcluster.apiserver.rules.claimstatus import status_strategy
from devcluster.apiserver.rules.deviceclaims import (
    claim_strategy,
    class_strategy,
    template_strategy,
)
from devcluster.apiserver.rules.slices import slice_strategy
from devcluster.apiserver.rules.taintrules import rule_strategy
from devcluster.claimapi import FIRST_WITH_RULES, RULES

_POOL_NAME_SELECTED: Final = 37
_PARAMETERS: Final = ("config", "*", "opaque", "parameters")
_CLAIM_TEXTS: Final = (
    ("spec", "devices", *_PARAMETERS),
    ("status", "allocation", "devices", *_PARAMETERS),
    ("status", "devices", "*", "data"),
)


def structured_kinds(api: ResourceApi, clock: Clock) -> Iterator[Kind]:
    """Return the kinds in the order of discovery; the clock stamps taints of devices."""
    for version in api.versions:
        if version in STRUCTURED_VERSIONS:
            yield from _kinds(api, clock, STRUCTURED_VERSIONS[version])
    if api.minor >= FIRST_WITH_RULES and RULES.version in api.versions:
        yield _kind(
            Conversion(RULES, RULES),
            strategy=rule_strategy(clock),
            generation=True,
            subresources=(STATUS,),
        )


def _kinds(api: ResourceApi, clock: Clock, known: StructuredResources) -> Iterator[Kind]:
    stored = STRUCTURED_VERSIONS["v1"]
    named = ("spec.pool.name",) if api.minor >= _POOL_NAME_SELECTED else ()
    selected = ("spec.driver", "spec.nodeName", *named)
    yield _kind(
        Conversion(known.classes, stored.classes, (("spec", *_PARAMETERS),)),
        strategy=class_strategy(api),
        generation=True,
    )
    yield _kind(
        Conversion(known.claims, stored.claims, _CLAIM_TEXTS),
        strategy=claim_strategy(api, status_strategy(api)),
        subresources=(STATUS,),
    )
    yield _kind(
        Conversion(known.templates, stored.templates, (("spec", "spec", "devices", *_PARAMETERS),)),
        strategy=template_strategy(api),
    )
    yield _kind(
        Conversion(known.slices, stored.slices),
        strategy=slice_strategy(api, clock),
        generation=True,
        selectable={path: path for path in selected},
    )


def _kind(conversion: Conversion, **others: Any) -> Kind:
    resource = conversion.served
    return Kind.of(
        resource,
        schema=schema_of(resource.group, resource.version, resource.kind),
        columns=structured_columns_of(resource.kind),
        conversion=conversion,
        **others,
    )
