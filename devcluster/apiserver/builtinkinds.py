"""The kinds that are served from the start: those that the driver, its demo and the cluster need.

Schemas and columns come from their own modules, rules from `devcluster.apiserver.rules`.
Source: kubernetes pkg/registry/*, `kubectl api-resources` of v1.30 with the feature gate
DynamicResourceAllocation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.names import RESOURCE_GROUP
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builtin:
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    strategy: Strategy = field(default_factory=Strategy)
    subresources: tuple[Subresource, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = CORE_VERBS
    generation: bool = False
    selectable: Mapping[str, str] = field(default_factory=dict)


_CORE: Final = (
    _Builtin(kind="ConfigMap", plural="configmaps", short=("cm",), strategy=CONFIG_MAPS),
    _Builtin(
        kind="Event",
        plural="events",
        short=("ev",),
        selectable={**{path: path for path in _EVENT_FIELDS}, "source": "source.component"},
    ),
    _Builtin(
        kind="Namespace",
        plural="namespaces",
        short=("ns",),
        namespaced=False,
        strategy=NAMESPACES,
        subresources=(_FINALIZE, STATUS),
        verbs=tuple(verb for verb in CORE_VERBS if verb != "deletecollection"),
        selectable={"status.phase": "status.phase"},
    ),
    _Builtin(
        kind="Node",
        plural="nodes",
        short=("no",),
        namespaced=False,
        strategy=Strategy(keeps_first_status=True),
        subresources=(STATUS,),
        selectable={"spec.unschedulable": "spec.unschedulable"},
    ),
    _Builtin(
        kind="Pod",
        plural="pods",
        short=("po",),
        categories=("all",),
        strategy=PODS,
        subresources=(_BINDING, _EVICTION, _EXEC, _LOG, STATUS),
        selectable={path: path for path in _POD_FIELDS},
    ),
    _Builtin(kind="Secret", plural="secrets", strategy=SECRETS, selectable={"type": "type"}),
    _Builtin(kind="ServiceAccount", plural="serviceaccounts", short=("sa",)),
)
_EXTENSIONS: Final = (
    _Builtin(
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        short=("crd", "crds"),
        namespaced=False,
        categories=("api-extensions",),
        strategy=DEFINITIONS,
        subresources=(STATUS,),
        generation=True,
    ),
)
_APPS: Final = (
    _Builtin(
        kind="Deployment",
        plural="deployments",
        short=("deploy",),
        categories=("all",),
        strategy=DEPLOYMENTS,
        subresources=(_SCALE, STATUS),
        generation=True,
    ),
    _Builtin(
        kind="ReplicaSet",
        plural="replicasets",
        short=("rs",),
        categories=("all",),
        strategy=REPLICA_SETS,
        subresources=(_SCALE, STATUS),
        generation=True,
    ),
)
_BATCH: Final = (
    _Builtin(
        kind="Job",
        plural="jobs",
        categories=("all",),
        strategy=JOBS,
        subresources=(STATUS,),
        generation=True,
    ),
)
_COORDINATION: Final = (_Builtin(kind="Lease", plural="leases"),)
_RESOURCE: Final = (
    _Builtin(
        kind="PodSchedulingContext",
        plural="podschedulingcontexts",
        strategy=SCHEDULING_CONTEXTS,
        subresources=(STATUS,),
    ),
    _Builtin(
        kind="ResourceClaim", plural="resourceclaims", strategy=CLAIMS, subresources=(STATUS,)
    ),
    _Builtin(kind="ResourceClaimTemplate", plural="resourceclaimtemplates", strategy=TEMPLATES),
    _Builtin(kind="ResourceClass", plural="resourceclasses", namespaced=False, strategy=CLASSES),
)
_GROUPS: Final = (
    ("", "v1", _CORE),
    ("apiextensions.k8s.io", "v1", _EXTENSIONS),
    ("apps", "v1", _APPS),
    ("batch", "v1", _BATCH),
    ("coordination.k8s.io", "v1", _COORDINATION),
    (RESOURCE_GROUP, "v1alpha2", _RESOURCE),
)


def builtin_kinds(api: ResourceApi = CLASSIC, clock: Clock = system_clock) -> Iterator[Kind]:
    """Return the kinds in the order of discovery.

    Args:
        api: what is served of resource.k8s.io.
        clock: time of day, for rules that need it.
    """
    for group, version, builtins in _GROUPS:
        for builtin in builtins if group != RESOURCE_GROUP or version in api.versions else ():
            yield _kind(group, version, builtin)
    yield from structured_kinds(api, clock)


def _kind(group: str, version: str, builtin: _Builtin) -> Kind:
    return Kind(
        group=group,
        version=version,
        plural=builtin.plural,
        singular=builtin.kind.lower(),
        kind=builtin.kind,
        strategy=builtin.strategy,
        schema=schema_of(group, version, builtin.kind),
        columns=columns_of(group, builtin.kind),
        namespaced=builtin.namespaced,
        short_names=builtin.short,
        categories=builtin.categories,
        verbs=builtin.verbs,
        subresources=builtin.subresources,
        selectable=builtin.selectable,
        generation=builtin.generation,
    )
