"""Objects that cluster tests create: claims, parameters, and pods that print their environment."""

import yaml

from api.names import CLAIM_PARAMETERS_KIND, DRIVER_GROUP_VERSION, DRIVER_NAME
from api.objects import JSON

CLASS_NAME = "fake.3-shake.com"
PRINT_AND_STAY = "trap 'exit 0' TERM; export; sleep 9999 & wait"


def namespace(name: str) -> JSON:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def parameters(place: str, name: str, **spec: object) -> JSON:
    return {
        "apiVersion": DRIVER_GROUP_VERSION,
        "kind": CLAIM_PARAMETERS_KIND,
        "metadata": {"namespace": place, "name": name},
        "spec": spec,
    }


def claim(place: str, name: str, *, params: str = "", mode: str = "WaitForFirstConsumer") -> JSON:
    spec: JSON = {"resourceClassName": CLASS_NAME, "allocationMode": mode}
    if params:
        ref = {"apiGroup": DRIVER_NAME, "kind": CLAIM_PARAMETERS_KIND, "name": params}
        spec["parametersRef"] = ref
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaim",
        "metadata": {"namespace": place, "name": name},
        "spec": spec,
    }


def pod(place: str, name: str, *claims: str, command: str = PRINT_AND_STAY, **spec: object) -> JSON:
    """Return a pod with one container `main` that uses all of some claims."""
    entries = [{"name": c, "source": {"resourceClaimName": c}} for c in claims]
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", command],
        "resources": {"claims": [{"name": c} for c in claims]},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": place, "name": name},
        "spec": {"containers": [container], "resourceClaims": entries, **spec},
    }


def manifest(*objects: JSON) -> str:
    """Return one text for `kubectl apply`."""
    text: str = yaml.safe_dump_all(objects)
    return text
