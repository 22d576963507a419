"""The kinds that are served from the start: those that the driver, its demo and the cluster need.

Schemas and columns come from their own modules, rules from `devcluster.apiserver.rules`.
Source: kubernetes pkg/registry/*, `kubectl api-resources` of v1.30 with the feature gate
DynamicResourceAllocation.
"""

from collections.abc import Iterator
from typing import Any, Final

from api import resources
from api.objects import JSON
from api.resources import DRA_V1ALPHA2, Resource
from devcluster.apiserver.builtinschemas import schema_of
from devcluster.apiserver.clock import Clock, system_clock
from devcluster.apiserver.columns import columns_of
from devcluster.apiserver.kinds import CORE_VERBS, STATUS, Kind, Subresource
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from devcluster.apiserver.rules.apps import DEPLOYMENTS, REPLICA_SETS
from devcluster.apiserver.rules.claims import CLAIMS, CLASSES, TEMPLATES
from devcluster.apiserver.rules.config import CONFIG_MAPS, SECRETS
from devcluster.apiserver.rules.definitions import DEFINITIONS
from devcluster.apiserver.rules.jobs import JOBS
from devcluster.apiserver.rules.namespaces import NAMESPACES
from devcluster.apiserver.rules.pods import PODS
from devcluster.apiserver.rules.scheduling import SCHEDULING_CONTEXTS
from devcluster.apiserver.strategy import Strategy
from devcluster.apiserver.structuredkinds import structured_kinds

_NO_RULES: Final = Strategy()
_BINDING: Final = Subresource("binding", ("create",), "Binding")
_EVICTION: Final = Subresource("eviction", ("create",), "Eviction", "policy", "v1")
_EXEC: Final = Subresource("exec", ("create", "get"), "PodExecOptions", version="v1")
_LOG: Final = Subresource("log", ("get",))
_SCALE: Final = Subresource("scale", ("get", "patch", "update"), "Scale", "autoscaling", "v1")
_FINALIZE: Final = Subresource("finalize", ("update",))

_POD_FIELDS: Final = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.nominatedNodeName",
    "status.phase",
    "status.podIP",
)
_EVENT_FIELDS: Final = (
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "reason",
    "type",
)


def builtin_kinds(api: ResourceApi = CLASSIC, clock: Clock = system_clock) -> Iterator[Kind]:
    """Return the kinds in the order of discovery.

    Args:
        api: what is served of resource.k8s.io.
        clock: time of day, for rules that need it.
    """
    classic = DRA_V1ALPHA2.claims.version in api.versions
    yield from _core(structured=not classic)
    yield from _others(structured=not classic)
    if classic:
        yield from _classic()
    yield from structured_kinds(api, clock)


def _core(*, structured: bool) -> Iterator[Kind]:
    yield _kind(Resource("", "v1", "configmaps", "ConfigMap"), "cm", strategy=CONFIG_MAPS)
    fields = {**{path: path for path in _EVENT_FIELDS}, "source": "source.component"}
    yield _kind(resources.EVENTS, "ev", selectable=fields)
    yield _kind(
        resources.NAMESPACES,
        "ns",
        strategy=NAMESPACES,
        subresources=(_FINALIZE, STATUS),
        verbs=tuple(verb for verb in CORE_VERBS if verb != "deletecollection"),
        selectable={"status.phase": "status.phase"},
    )
    yield _kind(
        resources.NODES,
        "no",
        strategy=Strategy(keeps_first_status=True),
        subresources=(STATUS,),
        selectable={"spec.unschedulable": "spec.unschedulable"},
    )
    yield _kind(
        resources.PODS,
        "po",
        categories=("all",),
        strategy=PODS,
        structured=structured,
        subresources=(_BINDING, _EVICTION, _EXEC, _LOG, STATUS),
        selectable={path: path for path in _POD_FIELDS},
    )
    yield _kind(resources.SECRETS, strategy=SECRETS, selectable={"type": "type"})
    yield _kind(Resource("", "v1", "serviceaccounts", "ServiceAccount"), "sa")


def _others(*, structured: bool) -> Iterator[Kind]:
    yield _kind(
        resources.DEFINITIONS,
        "crd",
        "crds",
        categories=("api-extensions",),
        strategy=DEFINITIONS,
        subresources=(STATUS,),
        generation=True,
    )
    workload: JSON = {"categories": ("all",), "generation": True, "structured": structured}
    scaled = (_SCALE, STATUS)
    deployments, replica_sets = resources.DEPLOYMENTS, resources.REPLICA_SETS
    yield _kind(deployments, "deploy", strategy=DEPLOYMENTS, subresources=scaled, **workload)
    yield _kind(replica_sets, "rs", strategy=REPLICA_SETS, subresources=scaled, **workload)
    yield _kind(resources.JOBS, strategy=JOBS, subresources=(STATUS,), **workload)
    yield _kind(resources.LEASES)


def _classic() -> Iterator[Kind]:
    known = DRA_V1ALPHA2
    yield _kind(known.contexts, strategy=SCHEDULING_CONTEXTS, subresources=(STATUS,))
    yield _kind(known.claims, strategy=CLAIMS, subresources=(STATUS,))
    yield _kind(known.templates, strategy=TEMPLATES)
    yield _kind(known.classes, strategy=CLASSES)


def _kind(
    resource: Resource,
    *short: str,
    strategy: Strategy = _NO_RULES,
    structured: bool = False,
    **others: Any,
) -> Kind:
    return Kind.of(
        resource,
        strategy=strategy,
        schema=schema_of(resource.group, resource.version, resource.kind, structured=structured),
        columns=columns_of(resource.group, resource.kind),
        short_names=short,
        **others,
    )
