"""NodeAllocationState (NAS): what a node offers, who got it, and what is prepared there.

The plugin owns `spec.allocatableDevice`, `spec.sharing`, `spec.preparedDevices`, `status` and
`heartbeat`, the controller owns `spec.allocatedClaims`. Both write merge patches of just their
part, so neither can undo the other.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from api.devices import PreparedDevice, Share
from api.names import PREPARED_ANNOTATION, STATUS_NOT_READY, WRITER_ANNOTATION
from api.nasreader import read_nas
from api.nasschema import load_nas
from api.nasvalues import (
    Allocated,
    AllocatedClaim,
    AllocatedDevice,
    Device,
    Heartbeat,
    NodeAllocationState,
)
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.resources import STATES
from api.sharing import Clients

__all__ = [
    "AllocatedClaim",
    "AllocatedDevice",
    "Device",
    "Heartbeat",
    "NodeAllocationState",
    "PreparedDevice",
    "Share",
    "allocated_patch",
    "allocation_json",
    "device_json",
    "heartbeat_patch",
    "inventory_patch",
    "new_nas",
    "parse_nas",
    "place_patch",
    "prepared_patch",
    "status_patch",
]


def parse_nas(obj: JSON, key: str) -> NodeAllocationState:
    """Read a NAS object; `key` is the driver's, see `api.contract`.

    Raises:
        MalformedState: with the object, the field, and what is wrong there.
    """
    state = read_nas(obj, key) or load_nas(obj, key)
    notes = obj["metadata"].get("annotations")
    if not isinstance(notes, dict):
        return state
    return replace(
        state,
        writer=str(notes.get(WRITER_ANNOTATION) or ""),
        prepared_here=PREPARED_ANNOTATION not in notes,
    )


def new_nas(node: NodeName, namespace: str, node_uid: str) -> JSON:
    """Return a NAS object to create: empty, NotReady, owned by its Node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid}
    return {
        "apiVersion": STATES.api_version,
        "kind": STATES.kind,
        "metadata": {"name": node, "namespace": namespace, "ownerReferences": [owner]},
        "spec": {},
        "status": STATUS_NOT_READY,
    }


def inventory_patch(
    state: NodeAllocationState, devices: Iterable[Device], key: str, sharing: Iterable[str] = ()
) -> JSON:
    """Return the merge patch that replaces `allocatableDevice` and `sharing`."""
    offered = tuple(devices)
    body = [{key: {"name": d.model, "uuid": d.id}} for d in offered]
    spec = {"allocatableDevice": body, "sharing": list(sharing) or None}
    return _guarded(state, spec, _summary(offered, None if state.writer else state.allocated))


def allocated_patch(
    state: NodeAllocationState, allocated: Allocated, key: str, writer: str = ""
) -> JSON:
    """Return the merge patch that makes `allocated` the whole of `allocatedClaims`.

    With a `writer` the NAS does not tell of all claims, and of free devices not either.

    It carries the resourceVersion that `state` was read with: the API server answers 409 when
    anything was written since, so no decision is stored that did not see the latest allocations.
    """
    changed: JSON = {
        uid: _allocated_json(claim, key)
        for uid, claim in allocated.items()
        if state.allocated.get(uid) != claim
    }
    changed.update({uid: None for uid in state.allocated if uid not in allocated})
    patch = _guarded(
        state,
        {"allocatedClaims": changed if allocated else None},
        _summary(state.allocatable, None if writer else allocated),
    )
    if writer != state.writer:
        patch["metadata"]["annotations"] = {WRITER_ANNOTATION: writer or None}
    return patch


def prepared_patch(
    prepared: Mapping[ClaimUID, tuple[PreparedDevice, ...] | None], key: str, *, last: bool
) -> JSON:
    """Return the merge patch for some entries of `preparedDevices`.

    Args:
        prepared: the devices of each changed claim, None for a claim that is unprepared.
        key: of the driver.
        last: no entry is left afterwards, so that the whole map goes.
    """
    if last:
        return {"spec": {"preparedDevices": None}}
    return {
        "spec": {
            "preparedDevices": {
                uid: None if devices is None else _prepared_json(devices, key)
                for uid, devices in prepared.items()
            }
        }
    }


def place_patch(place: str) -> JSON:
    """Return the merge patch that says where prepared claims are shown; empty is in the NAS."""
    return {"metadata": {"annotations": {PREPARED_ANNOTATION: place or None}}}


def allocation_json(devices: Iterable[AllocatedDevice], key: str) -> JSON:
    """Return what a claim was given, as it stands in a NAS and in the claim itself."""
    return {key: {"devices": [device_json(device) for device in devices]}}


def status_patch(status: str) -> JSON:
    """Return the merge patch that sets the node's status, `Ready` or `NotReady`."""
    return {"status": status}


def heartbeat_patch(heartbeat: Heartbeat, sharing: Iterable[str] = ()) -> JSON:
    """Return the merge patch that records a sign of life, and `sharing` unless it is empty."""
    beat = {"renewTime": heartbeat.renewed, "durationSeconds": heartbeat.seconds}
    spec = {"sharing": list(sharing)}
    return {"heartbeat": beat, **({"spec": spec} if spec["sharing"] else {})}


def device_json(device: AllocatedDevice) -> JSON:
    """Return a device of a claim as it stands in a NAS."""
    split = {"split": device.split} if device.split else {}
    return {"uuid": device.id, **split, **_share_json(device.share)}


def _guarded(state: NodeAllocationState, spec: JSON, summary: JSON) -> JSON:
    guard = {"resourceVersion": state.resource_version}
    return {"metadata": guard, "spec": spec, "summary": summary}


def _summary(offered: Collection[Device], allocated: Allocated | None) -> JSON:
    if allocated is None:
        return {"devices": len(offered), "free": None, "used": None, "shared": None}
    held = [d for claim in allocated.values() for d in claim.devices]
    used = {device.id for device in held}
    free = sum(1 for device in offered if device.id not in used)
    shared = _shared_json(held) or None
    return {"devices": len(offered), "free": free, "used": len(used), "shared": shared}


def _shared_json(held: Iterable[AllocatedDevice]) -> list[JSON]:
    shared: dict[DeviceID, Clients] = {}
    for device in held:
        if device.share is not None:
            shared[device.id] = shared.get(device.id, Clients()).having(device.share)
    return [
        {"uuid": device, "clients": clients.count, "maxClients": clients.limit}
        for device, clients in sorted(shared.items())
    ]


def _allocated_json(claim: AllocatedClaim, key: str) -> JSON:
    info = {"name": claim.name, "namespace": claim.namespace}
    return {"claimInfo": info, **allocation_json(claim.devices, key)}


def _prepared_json(devices: tuple[PreparedDevice, ...], key: str) -> JSON:
    made = [
        {"uuid": d.id} | ({"parentUUID": d.parent} if d.parent else {}) | _share_json(d.share)
        for d in devices
    ]
    return {key: {"devices": made}}


def _share_json(share: Share | None) -> JSON:
    if share is None:
        return {}
    return {"timeSliced": {"client": share.client, "maxClients": share.max_clients}}
