"""The resources of the API server that the driver and its tools work with, each once.

The client takes a Resource instead of a typed API class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from api.names import (
    CLAIM_PARAMETERS_KIND,
    CLASS_PARAMETERS_KIND,
    CRD_VERSION,
    NAS_GROUP,
    NAS_KIND,
    NAS_PLURAL,
    PARAMETERS_GROUP,
    RESOURCE_GROUP,
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API server.

    Attributes:
        group: API group, empty for the core group.
        version: of the group, e.g. `v1alpha2`.
        plural: lower-case plural that stands in the path.
        kind: of one object.
        namespaced: False for a cluster-scoped resource.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apiVersion` of the objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """Return the path of the collection, of one object, or of its subresource.

        Args:
            namespace: None is the collection of all namespaces; of no meaning, and ignored, for a
                cluster-scoped resource.
            name: of one object.
            subresource: e.g. `status`.

        Raises:
            ValueError: an object of a namespaced resource needs a namespace.
        """
        if name and self.namespaced and not namespace:
            raise ValueError(f"{self.plural} {name!r}: a namespaced object needs a namespace")
        parts = ["", "apis", self.group, self.version] if self.group else ["", "api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


def binding_of(pod_name: str) -> Resource:
    """Return the `binding` sub-resource of a pod, which one creates rather than updates."""
    return Resource("", "v1", f"pods/{pod_name}/binding", "Binding")


@dataclass(frozen=True, slots=True)
class DraResources:
    """The resources of classic claims in one version of resource.k8s.io.

    Attributes:
        claims: ResourceClaim.
        templates: ResourceClaimTemplate.
        classes: what claims name.
        contexts: PodSchedulingContext.
        immediate: whether there are claims that do not wait for a pod.
        parameters: objects that claims and classes refer to; none where they carry them.
    """

    claims: Resource
    templates: Resource
    classes: Resource
    contexts: Resource
    immediate: bool
    parameters: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class StructuredResources:
    """The resources of claims that kube-scheduler allocates in one version of resource.k8s.io.

    Attributes:
        slices: ResourceSlice.
        claims: ResourceClaim.
        templates: ResourceClaimTemplate.
        classes: DeviceClass.
    """

    slices: Resource
    claims: Resource
    templates: Resource
    classes: Resource

    def of_kind(self, kind: str) -> Resource | None:
        """Return the one of a kind, if it is any of these."""
        known = (self.slices, self.claims, self.templates, self.classes)
        return next((each for each in known if each.kind == kind), None)


def _structured(version: str) -> StructuredResources:
    return StructuredResources(
        slices=_in_group(version, "resourceslices", "ResourceSlice", namespaced=False),
        claims=_in_group(version, "resourceclaims", "ResourceClaim"),
        templates=_in_group(version, "resourceclaimtemplates", "ResourceClaimTemplate"),
        classes=_in_group(version, "deviceclasses", "DeviceClass", namespaced=False),
    )


def _in_group(version: str, plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource(RESOURCE_GROUP, version, plural, kind, namespaced)


def _dra(
    version: str,
    class_plural: str,
    class_kind: str,
    *,
    immediate: bool = False,
    parameters: tuple[Resource, ...] = (),
) -> DraResources:
    return DraResources(
        claims=_in_group(version, "resourceclaims", "ResourceClaim"),
        templates=_in_group(version, "resourceclaimtemplates", "ResourceClaimTemplate"),
        classes=_in_group(version, class_plural, class_kind, namespaced=False),
        contexts=_in_group(version, "podschedulingcontexts", "PodSchedulingContext"),
        immediate=immediate,
        parameters=parameters,
    )


PODS: Final = Resource("", "v1", "pods", "Pod")
NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
EVENTS: Final = Resource("", "v1", "events", "Event")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)

VALIDATING_WEBHOOKS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)

STATES: Final = Resource(NAS_GROUP, CRD_VERSION, NAS_PLURAL, NAS_KIND)
CLAIM_PARAMETERS: Final = Resource(
    PARAMETERS_GROUP, CRD_VERSION, "fakeclaimparameters", CLAIM_PARAMETERS_KIND
)
CLASS_PARAMETERS: Final = Resource(
    PARAMETERS_GROUP,
    CRD_VERSION,
    "deviceclassparameters",
    CLASS_PARAMETERS_KIND,
    namespaced=False,
)

DRA_V1ALPHA2: Final = _dra(
    "v1alpha2",
    "resourceclasses",
    "ResourceClass",
    immediate=True,
    parameters=(CLAIM_PARAMETERS, CLASS_PARAMETERS),
)
"""Kubernetes 1.27 to 1.30. Source: k8s.io/api/resource/v1alpha2."""

DRA_V1ALPHA3: Final = _dra("v1alpha3", "deviceclasses", "DeviceClass")
"""Kubernetes 1.31. Source: k8s.io/api/resource/v1alpha3."""

DRA_VERSIONS: Final[Mapping[str, DraResources]] = {
    "v1alpha2": DRA_V1ALPHA2,
    "v1alpha3": DRA_V1ALPHA3,
}
"""Versions of resource.k8s.io with classic claims, the preferred one first."""

STRUCTURED_VERSIONS: Final[Mapping[str, StructuredResources]] = {
    version: _structured(version) for version in ("v1", "v1beta2", "v1beta1")
}
"""Versions of resource.k8s.io with structured claims, the newest first.

Kubernetes from 1.34, 1.33 and 1.32 on. Source: k8s.io/api/resource/{v1,v1beta2,v1beta1}.
"""

TAINT_RULES: Final = tuple(
    _in_group(version, "devicetaintrules", "DeviceTaintRule", namespaced=False)
    for version in ("v1", "v1beta2", "v1alpha3")
)
"""DeviceTaintRule, the newest version first; of Kubernetes 1.37, 1.36 and 1.33 on."""
