"""The objects that the benchmark makes: as users, as plugins, and as the scheduler; pure.

The node states have the shape of api/nas.py; another driver's group and class can be given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.claims.view import with_status
from api.contract import Contract
from api.names import (
    DEFAULT_MODEL,
    NAS_GROUP,
    STATUS_READY,
)
from api.objects import JSON, uid_of
from api.rawjson import encoded
from api.resources import DRA_V1ALPHA2, PODS, STATES, Resource
from api.selectors import only_node

NAMESPACE: Final = "bench"
POD_CLAIM: Final = "devices"
"""What every pod calls its claim."""

FLOOR: Final = "floor.bench"
"""Class, and name of a driver that nobody is: claims that the program under test has to ignore."""

SCHEDULER: Final = "bench"


@dataclass(frozen=True, slots=True)
class Driver:
    """What the benchmark has to know of a driver.

    Attributes:
        contract: who it is.
        nas_group: API group of its NodeAllocationStates.
        namespace: of these.
        class_name: ResourceClass of the claims.
    """

    contract: Contract
    nas_group: str = NAS_GROUP
    namespace: str = "fake-system"
    class_name: str = "bench"

    @property
    def states(self) -> Resource:
        """NodeAllocationState."""
        return replace(STATES, group=self.nas_group)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A pod and its claim, as stored."""

    pod: JSON
    claim: JSON

    @property
    def name(self) -> str:
        """Of the pod, its PodSchedulingContext and its claim."""
        return str(self.pod["metadata"]["name"])

    @property
    def reference(self) -> JSON:
        """Entry of the pod in `status.reservedFor`."""
        return {"resource": "pods", "name": self.name, "uid": uid_of(self.pod)}


def resource_class(name: str, driver: str) -> JSON:
    """Return a class without parameters."""
    return {**_typed(DRA_V1ALPHA2.classes), "metadata": {"name": name}, "driverName": driver}


def node_name(number: int) -> str:
    """Return the name of a made-up node."""
    return f"bench-node-{number:05}"


def node_state(driver: Driver, node: str, devices: int) -> JSON:
    """Return the NAS of a node that is Ready and has all its devices free."""
    offered = [
        {driver.contract.device_key: {"name": DEFAULT_MODEL, "uuid": f"FAKE-{node}-{index}"}}
        for index in range(devices)
    ]
    return {
        **_typed(driver.states),
        "metadata": {"name": node, "namespace": driver.namespace},
        "spec": {"allocatableDevice": offered},
        "status": STATUS_READY,
        "summary": {"devices": devices, "free": devices, "used": 0},
    }


def claim(name: str, class_name: str) -> JSON:
    """Return a claim for one device."""
    spec = {"resourceClassName": class_name, "allocationMode": "WaitForFirstConsumer"}
    return {**_typed(DRA_V1ALPHA2.claims), "metadata": _named(name), "spec": spec}


def pod(name: str) -> JSON:
    """Return a pod that uses the claim of its name and that only the benchmark schedules."""
    container = {"name": "main", "image": "none", "resources": {"claims": [{"name": POD_CLAIM}]}}
    return {
        **_typed(PODS),
        "metadata": _named(name),
        "spec": {
            "schedulerName": SCHEDULER,
            "containers": [container],
            "resourceClaims": [{"name": POD_CLAIM, "source": {"resourceClaimName": name}}],
        },
    }


def scheduling_context(consumer: Consumer, potential: Sequence[str]) -> JSON:
    """Return the PodSchedulingContext of a pod, before a node is selected."""
    owner = {
        **_typed(PODS),
        "name": consumer.name,
        "uid": uid_of(consumer.pod),
        "controller": True,
    }
    return {
        **_typed(DRA_V1ALPHA2.contexts),
        "metadata": {**_named(consumer.name), "ownerReferences": [owner]},
        "spec": {"potentialNodes": list(potential)},
    }


def selected(context: JSON, node: str) -> JSON:
    """Return a PodSchedulingContext with the node on which to allocate."""
    return {**context, "spec": {**context["spec"], "selectedNode": node}}


def answered(context: JSON, unsuitable: Sequence[str]) -> JSON:
    """Return a PodSchedulingContext with a driver's answer."""
    entries = [{"name": POD_CLAIM, "unsuitableNodes": list(unsuitable)}]
    return {**context, "status": {"resourceClaims": entries}}


def unsuitable_nodes(context: JSON) -> list[str] | None:
    """Return a driver's answer for the pod's claim, None if there is none yet."""
    for entry in (context.get("status") or {}).get("resourceClaims") or []:
        if entry["name"] == POD_CLAIM:
            return list(entry.get("unsuitableNodes") or [])
    return None


def marked(claim_now: JSON, finalizer: str) -> JSON:
    """Return the merge patch that adds the driver's finalizer."""
    return _guarded(claim_now, finalizers=[finalizer])


def unmarked(claim_now: JSON) -> JSON:
    """Return the merge patch that drops every finalizer."""
    return _guarded(claim_now, finalizers=[])


def allocated(claim_now: JSON, consumer: Consumer, driver: str, node: str) -> JSON:
    """Return a claim that is allocated on a node and reserved for its pod."""
    status = {
        "driverName": driver,
        "allocation": {"availableOnNodes": only_node(node), "shareable": True},
        "reservedFor": [consumer.reference],
    }
    return {**claim_now, "status": status}


def with_handle(claim_now: JSON, contract: Contract, device: JSON) -> JSON:
    """Return an allocated claim that says itself which device of a node it was given."""
    key = contract.device_key
    data = encoded({key: {"devices": [{"uuid": device[key]["uuid"]}]}})
    handles = [{"driverName": contract.driver_name, "data": data}]
    allocation = {**claim_now["status"]["allocation"], "resourceHandles": handles}
    return with_status(claim_now, allocation=allocation)


def unreserved(claim_now: JSON) -> JSON:
    """Return a claim that no pod uses any more."""
    kept = {name: v for name, v in claim_now["status"].items() if name != "reservedFor"}
    return {**claim_now, "status": kept}


def unguarded(obj: JSON) -> JSON:
    """Return an object to be written over whatever is stored."""
    metadata = {name: v for name, v in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}


def is_allocated(claim_now: JSON) -> bool:
    """Tell whether a claim is allocated, and its pod may start."""
    status = claim_now.get("status") or {}
    return bool(status.get("allocation") and status.get("reservedFor"))


def given(state: JSON, claim_now: JSON, device: JSON | None, key: str) -> JSON:
    """Return the merge patch that gives a device of a node to a claim, or takes it back.

    Args:
        state: NAS that was read last; its resourceVersion guards the write.
        claim_now: to whom.
        device: entry of `allocatableDevice`; None takes back.
        key: of the driver in the NAS.
    """
    info = {"name": claim_now["metadata"]["name"], "namespace": NAMESPACE}
    entry = device and {"claimInfo": info, key: {"devices": [{"uuid": device[key]["uuid"]}]}}
    guard = {"resourceVersion": state["metadata"]["resourceVersion"]}
    return {"metadata": guard, "spec": {"allocatedClaims": {uid_of(claim_now): entry}}}


def holds(state: JSON, claim_now: JSON) -> bool:
    """Tell whether a node's NAS holds devices for a claim."""
    return uid_of(claim_now) in ((state.get("spec") or {}).get("allocatedClaims") or {})


def free_device(state: JSON, key: str) -> JSON:
    """Return a device of a node that no claim has; StopIteration if there is none."""
    entries = ((state["spec"].get("allocatedClaims")) or {}).values()
    taken = {device["uuid"] for entry in entries for device in entry[key]["devices"]}
    offered: list[JSON] = state["spec"]["allocatableDevice"]
    return next(device for device in offered if device[key]["uuid"] not in taken)


def _guarded(obj: JSON, **metadata: object) -> JSON:
    return {"metadata": {"resourceVersion": obj["metadata"]["resourceVersion"], **metadata}}


def _named(name: str) -> JSON:
    return {"name": name, "namespace": NAMESPACE}


def _typed(resource: Resource) -> JSON:
    return {"apiVersion": resource.api_version, "kind": resource.kind}
