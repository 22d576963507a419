"""Builders of API objects, and modifiers that give them one property each."""

import json
from typing import Any

from api.contract import FAKE
from api.names import CLASS_PARAMETERS_KIND, POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON
from api.resources import CLASS_PARAMETERS, STATES
from api.selectors import only_node

NAMESPACE = "default"
SYSTEM = "fake-system"
CLASS = "my-class"
POD_CLAIM = "my-pod-claim"


def resource_class(name: str = CLASS, driver: str = FAKE.driver_name, **fields: Any) -> JSON:
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClass",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "driverName": driver,
        **fields,
    }


def offering(version: str = "v1alpha2", name: str = CLASS, **spec: Any) -> list[JSON]:
    """Return the class of a version with these parameters, and the object that they are in."""
    if version == "v1alpha3":
        return [device_class(name, config=[opaque(CLASS_PARAMETERS_KIND, **spec)])]
    ref = {"apiGroup": CLASS_PARAMETERS.group, "kind": CLASS_PARAMETERS_KIND, "name": name}
    parameters = {
        "apiVersion": CLASS_PARAMETERS.api_version,
        "kind": CLASS_PARAMETERS_KIND,
        "metadata": {"name": name, "uid": f"uid-parameters-{name}"},
        "spec": spec,
    }
    return [resource_class(name, parametersRef=ref), parameters]


def claim(name: str = "claim", *, mode: str = "WaitForFirstConsumer", **spec: Any) -> JSON:
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
        "spec": {"resourceClassName": CLASS, "allocationMode": mode, **spec},
    }


def device_class(name: str = CLASS, **spec: Any) -> JSON:
    return {
        "apiVersion": "resource.k8s.io/v1alpha3",
        "kind": "DeviceClass",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": spec,
    }


def device_request(name: str = "devices", count: int = 1, **fields: Any) -> JSON:
    """Return a request as the API server of 1.31 stores it, with its defaults."""
    defaults = {"deviceClassName": CLASS, "allocationMode": "ExactCount", "count": count}
    return {"name": name, **defaults, **fields}


def device_claim(
    name: str = "claim", *requests: JSON, controller: str = FAKE.driver_name, **devices: Any
) -> JSON:
    """Return a claim of 1.31 with these requests, or one for a single device."""
    asked = {"requests": list(requests or [device_request()]), **devices}
    spec = {"devices": asked, **({"controller": controller} if controller else {})}
    return {**claim(name), "apiVersion": "resource.k8s.io/v1alpha3", "spec": spec}


def opaque(kind: str, *requests: str, driver: str = FAKE.driver_name, **spec: Any) -> JSON:
    """Return a config entry with parameters of a kind."""
    parameters = {"apiVersion": f"{FAKE.driver_name}/v1alpha1", "kind": kind, "spec": spec}
    entry: JSON = {"opaque": {"driver": driver, "parameters": parameters}}
    return {**entry, "requests": list(requests)} if requests else entry


def pod(name: str = "pod", *claims: tuple[str, str], **spec: Any) -> JSON:
    """Return a pod; `claims` are pairs of pod claim name and ResourceClaim name."""
    entries = [{"name": n, "source": {"resourceClaimName": c}} for n, c in claims]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
        "spec": {"resourceClaims": entries, **spec},
    }


def templated_pod(name: str = "pod", *, made: str | None = None, **spec: Any) -> JSON:
    """Return a pod with one claim from the template `template`, recorded if `made` names it."""
    entry = {"name": POD_CLAIM, "source": {"resourceClaimTemplateName": "template"}}
    raw = pod(name, resourceClaims=[entry], **spec)
    if made is None:
        return raw
    statuses = [{"name": POD_CLAIM, "resourceClaimName": made}]
    return _status(raw, resourceClaimStatuses=statuses)


def template(name: str = "template", **meta: Any) -> JSON:
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
        "spec": {"metadata": meta, "spec": {"resourceClassName": CLASS}},
    }


def node(name: str = "node-1", *, ready: bool = True, **spec: Any) -> JSON:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"host": name}},
        "spec": spec,
        "status": {"conditions": conditions},
    }


def scheduling(
    name: str = "pod", *, potential: list[str] | None = None, selected: str = ""
) -> JSON:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": f"uid-{name}"}
    spec: JSON = {"potentialNodes": potential or []}
    if selected:
        spec["selectedNode"] = selected
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "PodSchedulingContext",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-psc-{name}",
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": spec,
    }


def nas(node: str = "node-1", devices: int = 8, *, status: str = "Ready", **spec: Any) -> JSON:
    offered = [{"fake": {"name": "M", "uuid": f"{node}-{i}"}} for i in range(devices)]
    return {
        "apiVersion": STATES.api_version,
        "kind": "NodeAllocationState",
        "metadata": {"name": node, "namespace": SYSTEM, "uid": f"uid-nas-{node}"},
        "spec": {"allocatableDevice": offered, **spec},
        "status": status,
    }


def holding(node: JSON, uid: str, *indexes: int, share: tuple[int, int] | None = None) -> JSON:
    """Return the NAS with devices of these indexes, or shares of them, allocated to a claim."""
    devices = [_held(node, index, share) for index in indexes]
    spec = node["spec"]
    allocated = {**spec.get("allocatedClaims", {}), uid: {"fake": {"devices": devices}}}
    return {**node, "spec": {**spec, "allocatedClaims": allocated}}


def preparing(node: JSON, uid: str, *indexes: int, share: tuple[int, int] | None = None) -> JSON:
    """Return the NAS with devices of these indexes, or shares of them, prepared for a claim."""
    devices = [_held(node, index, share) for index in indexes]
    spec = node["spec"]
    prepared = {**spec.get("preparedDevices", {}), uid: {"fake": {"devices": devices}}}
    return {**node, "spec": {**spec, "preparedDevices": prepared}}


def _held(node: JSON, index: int, share: tuple[int, int] | None) -> JSON:
    device = {"uuid": f"{node['metadata']['name']}-{index}"}
    if share is None:
        return device
    return {**device, "timeSliced": {"client": share[0], "maxClients": share[1]}}


def finalized(obj: JSON, finalizer: str = FAKE.finalizer) -> JSON:
    return {**obj, "metadata": {**obj["metadata"], "finalizers": [finalizer]}}


def deleted(obj: JSON) -> JSON:
    when = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    return {**obj, "metadata": {**obj["metadata"], **when}}


def allocated(obj: JSON, node: str = "node-1", *, driver: str = FAKE.driver_name) -> JSON:
    allocation = {"availableOnNodes": only_node(node), "shareable": True}
    return _status(obj, allocation=allocation, driverName=driver)


def told(obj: JSON, *devices: str, split: int = 0) -> JSON:
    """Return the claim allocated, so that it says itself that it was given these devices."""
    given = [{"uuid": each, **({"split": split} if split else {})} for each in devices]
    data = json.dumps({FAKE.device_key: {"devices": given}})
    made = allocated(obj)
    handles = [{"driverName": FAKE.driver_name, "data": data}]
    return _status(made, allocation={**made["status"]["allocation"], "resourceHandles": handles})


def device_allocated(obj: JSON, node: str = "node-1", *indexes: int) -> JSON:
    """Return the claim of 1.31 allocated, with devices of these indexes for its first request."""
    request = obj["spec"]["devices"]["requests"][0]["name"]
    results = [
        {"request": request, "driver": FAKE.driver_name, "pool": node, "device": f"{node}-{i}"}
        for i in indexes or (0,)
    ]
    allocation = {
        "controller": obj["spec"].get("controller", ""),
        "nodeSelector": only_node(node),
        "devices": {"results": results},
    }
    return _status(obj, allocation=allocation)


def reserved(obj: JSON, consumer: str = "pod") -> JSON:
    entry = {"resource": "pods", "name": consumer, "uid": f"uid-{consumer}"}
    return _status(obj, reservedFor=[entry])


def deallocating(obj: JSON) -> JSON:
    return _status(obj, deallocationRequested=True)


def owned(obj: JSON, consumer: str = "pod") -> JSON:
    """Return the object controlled by a pod, as made from a template."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": consumer, "uid": f"uid-{consumer}"}
    owners = [{**owner, "controller": True}]
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": owners}}


def generated(name: str = "claim", consumer: str = "pod") -> JSON:
    """Return a claim as the claim controller makes it from a template for a pod."""
    raw = owned(claim(name), consumer)
    notes = {POD_CLAIM_NAME_ANNOTATION: POD_CLAIM}
    return {**raw, "metadata": {**raw["metadata"], "annotations": notes}}


def finished(obj: JSON) -> JSON:
    """Return the pod after all of its containers have succeeded."""
    return _status(obj, phase="Succeeded")


def _status(obj: JSON, **fields: Any) -> JSON:
    return {**obj, "status": {**obj.get("status", {}), **fields}}
