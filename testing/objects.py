"""Objects that a cluster has and a driver needs: its Node, and claims with its devices."""

from collections.abc import Sequence
from typing import Any, Final

from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS, StructuredResources
from kube.client import Client

REQUEST: Final = "devices"
"""Name of the request of a claim that `claim_body` makes."""

_MACHINE: Final = (
    *("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "operatingSystem"),
    *("architecture", "containerRuntimeVersion", "kubeProxyVersion"),
)
"""Required in `status.nodeInfo` of a Node, beside the version of the kubelet."""


def node_body(name: str, minor: int) -> JSON:
    """Return a Node with a kubelet of a version."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "status": {
            "nodeInfo": {**dict.fromkeys(_MACHINE, "unknown"), "kubeletVersion": f"v1.{minor}.0"}
        },
    }


def served_by(client: Client) -> StructuredResources:
    """Return the newest resources with structured parameters that a server has.

    Raises:
        LookupError: there are none.
    """
    served = client.versions(RESOURCE_GROUP)
    for version, resources in STRUCTURED_VERSIONS.items():
        if version in served:
            return resources
    raise LookupError(f"{RESOURCE_GROUP} has {', '.join(served) or 'no version'}")


def claim_body(
    name: str,
    *,
    namespace: str = "default",
    device_class: str = "class",
    count: int = 1,
    parameters: JSON | None = None,
    driver: str = "",
    version: str = "v1",
) -> JSON:
    """Return a claim for some devices of a class, by the request `devices`.

    Args:
        name: of the claim.
        namespace: of the claim.
        device_class: that the devices are of.
        count: of devices.
        parameters: for the driver.
        driver: that they are for.
        version: of resource.k8s.io.
    """
    wish = {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": count}
    request = {"name": REQUEST, **(wish if version == "v1beta1" else {"exactly": wish})}
    config = [_opaque(driver, parameters)] if parameters is not None else []
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"devices": {"requests": [request], **({"config": config} if config else {})}},
    }


def allocation(
    driver: str,
    devices: Sequence[str],
    *,
    node: str,
    pool: str = "",
    parameters: JSON | None = None,
    class_parameters: JSON | None = None,
) -> JSON:
    """Return what a scheduler writes of devices that it gives to a claim of `claim_body`.

    Args:
        driver: of the devices.
        devices: their names, in order.
        node: that they are on.
        pool: that they are in; empty is that of the node.
        parameters: of the claim for the driver.
        class_parameters: of the class for it.
    """
    results = [
        {"request": REQUEST, "driver": driver, "pool": pool or node, "device": device}
        for device in devices
    ]
    given = (("FromClass", class_parameters), ("FromClaim", parameters))
    config = [
        {"source": source, "requests": [REQUEST], **_opaque(driver, values)}
        for source, values in given
        if values is not None
    ]
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    return {
        "devices": {"results": results, **({"config": config} if config else {})},
        "nodeSelector": {"nodeSelectorTerms": terms},
    }


def allocate(
    client: Client,
    driver: str,
    *devices: str,
    node: str,
    name: str = "claim",
    pods: Sequence[str] = ("pod",),
    **fields: Any,
) -> JSON:
    """Store a claim that has devices and is reserved for pods; return it.

    Args:
        client: of the API server.
        driver: of the devices.
        devices: their names, in order.
        node: that they are on.
        name: of the claim.
        pods: names of the pods that may use it.
        fields: `pool`, `parameters` and `class_parameters`, see `allocation`.
    """
    resource = served_by(client).claims
    parameters = fields.get("parameters")
    body = claim_body(
        name, count=len(devices), parameters=parameters, driver=driver, version=resource.version
    )
    stored = client.create(resource, body)
    reserved = [{"resource": "pods", "name": pod, "uid": f"uid-{pod}"} for pod in pods]
    given = allocation(driver, devices, node=node, **fields)
    status = {"allocation": given, "reservedFor": reserved}
    return client.update(resource, {**stored, "status": status}, subresource="status")


def _opaque(driver: str, parameters: JSON) -> JSON:
    return {"opaque": {"driver": driver, "parameters": parameters}}
