"""The resources that the control plane and the kubelets work with, beside those of kube.resources.

Source: k8s.io/api/resource/v1alpha2, as served by Kubernetes 1.27 to 1.30, apps/v1, batch/v1.
"""

from typing import Final

from api.names import RESOURCE_GROUP
from kube.resources import Resource

_VERSION: Final = "v1alpha2"

CLAIMS: Final = Resource(RESOURCE_GROUP, _VERSION, "resourceclaims", "ResourceClaim")
CLAIM_TEMPLATES: Final = Resource(
    RESOURCE_GROUP, _VERSION, "resourceclaimtemplates", "ResourceClaimTemplate"
)
CLASSES: Final = Resource(
    RESOURCE_GROUP, _VERSION, "resourceclasses", "ResourceClass", namespaced=False
)
SCHEDULING_CONTEXTS: Final = Resource(
    RESOURCE_GROUP, _VERSION, "podschedulingcontexts", "PodSchedulingContext"
)

DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")


def binding_of(pod_name: str) -> Resource:
    """Return the `binding` sub-resource of a pod, which one creates rather than updates."""
    return Resource("", "v1", f"pods/{pod_name}/binding", "Binding")
