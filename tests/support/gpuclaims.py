"""Claims of the gpu driver as kube-scheduler leaves them: allocated, and reserved for a pod."""

from collections.abc import Sequence
from typing import Any, Final

from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from testing.node import Node

DRIVER: Final = "gpu.example.com"
NODE: Final = "node-1"
CLAIMS: Final = STRUCTURED_VERSIONS["v1"].claims


def result(device: str, request: str = "gpu", **fields: Any) -> JSON:
    """Return a device of an allocation."""
    return {"request": request, "driver": DRIVER, "pool": NODE, "device": device, **fields}


def share(device: str, share_id: str, request: str = "gpu", **consumed: str) -> JSON:
    """Return a share of a device."""
    return result(device, request, shareID=share_id, consumedCapacity=consumed)


def gpu_config(sharing: Any = None, **fields: Any) -> JSON:
    """Return parameters of the kind GpuConfig."""
    kind = {"apiVersion": "gpu.resource.example.com/v1alpha1", "kind": "GpuConfig"}
    return {**kind, **({"sharing": sharing} if sharing is not None else {}), **fields}


def config(
    parameters: JSON, *requests: str, source: str = "FromClaim", driver: str = DRIVER
) -> JSON:
    """Return parameters as an allocation has them; without requests they are for all of them."""
    opaque = {"driver": driver, "parameters": parameters}
    return {"source": source, "opaque": opaque, **({"requests": [*requests]} if requests else {})}


def allocated(node: Node, *results: JSON, config: Sequence[JSON] = (), name: str = "claim") -> JSON:
    """Store an allocated claim, and return it."""
    asked = list({each["request"]: _request(each["request"]) for each in results}.values())
    body = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"devices": {"requests": asked}},
    }
    stored = node.api.create(CLAIMS, body)
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}]
    given = {
        "devices": {"results": [*results], **({"config": [*config]} if config else {})},
        "nodeSelector": {"nodeSelectorTerms": terms},
    }
    pod = {"resource": "pods", "name": "pod0", "uid": "uid-pod0"}
    status = {"allocation": given, "reservedFor": [pod]}
    return node.api.update(CLAIMS, {**stored, "status": status}, subresource="status")


def _request(name: str) -> JSON:
    """Return the request of a result, with the alternative that was chosen."""
    base, _, alternative = name.partition("/")
    wanted = {"deviceClassName": DRIVER, "allocationMode": "ExactCount", "count": 1}
    if alternative:
        return {"name": base, "firstAvailable": [{"name": alternative, **wanted}]}
    return {"name": base, "exactly": wanted}


def lines(env: Any, kind: str = "GPU") -> list[str]:
    """Return what the demos' `export` prints of devices, but for the uid of the claim, sorted."""
    return sorted(
        f'declare -x {name}="{value}"'
        for name, value in env.items()
        if name.startswith(f"{kind}_DEVICE_") and "RESOURCE_CLAIM" not in name
    )
