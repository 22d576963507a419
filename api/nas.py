"""NodeAllocationState (NAS): what a node offers, who got it, and what is prepared there.

The plugin owns `spec.allocatableDevice`, `spec.preparedDevices` and `status`, the controller owns
`spec.allocatedClaims`. Both write merge patches of just their part, so neither can undo the other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from api.errors import MalformedState
from api.names import NAS_GROUP_VERSION, NAS_KIND, STATUS_NOT_READY, STATUS_READY
from api.objects import JSON, ClaimUID, DeviceID, NodeName, key_of
from api.schemas import describe_errors


@dataclass(frozen=True, slots=True)
class Device:
    """A whole device that the node offers."""

    id: DeviceID
    model: str


@dataclass(frozen=True, slots=True)
class AllocatedDevice:
    """A device given to a claim; `split` children of it when that is 2 or more."""

    id: DeviceID
    split: int = 0


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device, or child of `parent`, that containers of the node may see."""

    id: DeviceID
    parent: DeviceID | None = None


@dataclass(frozen=True, slots=True)
class AllocatedClaim:
    """The devices of one claim, and the claim's place for people who look at the NAS."""

    devices: tuple[AllocatedDevice, ...]
    namespace: str = ""
    name: str = ""


_Allocated = Mapping[ClaimUID, AllocatedClaim]
_Prepared = Mapping[ClaimUID, tuple[PreparedDevice, ...]]


@dataclass(frozen=True, slots=True)
class NodeAllocationState:
    """One NAS as a value.

    Attributes:
        allocatable: in the order of the object, which is the order of preference.
        allocated: by claim uid.
        prepared: by claim uid.
        resource_version: of the object that was read; guards every write of `allocated`.
    """

    node: NodeName
    namespace: str
    resource_version: str = ""
    status: str = STATUS_NOT_READY
    allocatable: tuple[Device, ...] = ()
    allocated: _Allocated = field(default_factory=lambda: MappingProxyType({}))
    prepared: _Prepared = field(default_factory=lambda: MappingProxyType({}))

    @property
    def ready(self) -> bool:
        """Whether the node's plugin serves the kubelet."""
        return self.status == STATUS_READY

    def used(self) -> frozenset[DeviceID]:
        """Return the ids of all devices that some claim holds."""
        return frozenset(d.id for claim in self.allocated.values() for d in claim.devices)

    def occupied(self) -> frozenset[DeviceID]:
        """Return the ids of all devices that may not be given to another claim.

        Besides those that are held these are the ones that a container may still see: of a claim
        that was taken back without its node, or whose entry somebody deleted.
        """
        prepared = (d for devices in self.prepared.values() for d in devices)
        return self.used() | {d.parent or d.id for d in prepared}


def parse_nas(obj: JSON) -> NodeAllocationState:
    """Read a NAS object.

    Raises:
        MalformedState: with the object, the field, and what is wrong there.
    """
    meta = obj["metadata"]
    try:
        spec = _SPEC.load(obj.get("spec") or {})
        status = _STATUS.deserialize(obj.get("status") or STATUS_NOT_READY)
    except ValidationError as error:
        found = describe_errors(error, "spec" if isinstance(error.messages, dict) else "status")
        raise MalformedState(
            f"{NAS_KIND} {key_of(obj)} is malformed: {found}; "
            "correct the field, or delete the object and its plugin makes it anew"
        ) from error
    return NodeAllocationState(
        node=NodeName(meta["name"]),
        namespace=str(meta.get("namespace", "")),
        resource_version=str(meta.get("resourceVersion", "")),
        status=str(status),
        **spec,
    )


def new_nas(node: NodeName, namespace: str, node_uid: str) -> JSON:
    """Return a NAS object to create: empty, NotReady, owned by its Node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid}
    return {
        "apiVersion": NAS_GROUP_VERSION,
        "kind": NAS_KIND,
        "metadata": {"name": node, "namespace": namespace, "ownerReferences": [owner]},
        "spec": {},
        "status": STATUS_NOT_READY,
    }


def inventory_patch(state: NodeAllocationState, devices: Iterable[Device]) -> JSON:
    """Return the merge patch that replaces `allocatableDevice`."""
    offered = tuple(devices)
    body = [{"fake": {"name": d.model, "uuid": d.id}} for d in offered]
    return _guarded(
        state, {"allocatableDevice": body}, _summary((d.id for d in offered), state.used())
    )


def allocated_patch(state: NodeAllocationState, allocated: _Allocated) -> JSON:
    """Return the merge patch that makes `allocated` the whole of `allocatedClaims`.

    It carries the resourceVersion that `state` was read with: the API server answers 409 when
    anything was written since, so no decision is stored that did not see the latest allocations.
    """
    changed: JSON = {
        uid: _allocated_json(claim)
        for uid, claim in allocated.items()
        if state.allocated.get(uid) != claim
    }
    changed.update({uid: None for uid in state.allocated if uid not in allocated})
    used = frozenset(d.id for claim in allocated.values() for d in claim.devices)
    return _guarded(
        state,
        {"allocatedClaims": changed if allocated else None},
        _summary((d.id for d in state.allocatable), used),
    )


def prepared_patch(
    prepared: Mapping[ClaimUID, tuple[PreparedDevice, ...] | None], *, last: bool
) -> JSON:
    """Return the merge patch for some entries of `preparedDevices`.

    Args:
        prepared: the devices of each changed claim, None for a claim that is unprepared.
        last: no entry is left afterwards, so that the whole map goes.
    """
    if last:
        return {"spec": {"preparedDevices": None}}
    return {
        "spec": {
            "preparedDevices": {
                uid: None if devices is None else _prepared_json(devices)
                for uid, devices in prepared.items()
            }
        }
    }


def status_patch(status: str) -> JSON:
    """Return the merge patch that sets the node's status, `Ready` or `NotReady`."""
    return {"status": status}


def _guarded(state: NodeAllocationState, spec: JSON, summary: JSON) -> JSON:
    guard = {"resourceVersion": state.resource_version}
    return {"metadata": guard, "spec": spec, "summary": summary}


def _summary(offered: Iterable[DeviceID], used: frozenset[DeviceID]) -> JSON:
    ids = list(offered)
    free = sum(1 for device in ids if device not in used)
    return {"devices": len(ids), "free": free, "used": len(used)}


def _allocated_json(claim: AllocatedClaim) -> JSON:
    devices = [{"uuid": d.id} | ({"split": d.split} if d.split else {}) for d in claim.devices]
    return {
        "claimInfo": {"name": claim.name, "namespace": claim.namespace},
        "fake": {"devices": devices},
    }


def _prepared_json(devices: tuple[PreparedDevice, ...]) -> JSON:
    made = [{"uuid": d.id} | ({"parentUUID": d.parent} if d.parent else {}) for d in devices]
    return {"fake": {"devices": made}}


_STATUS = fields.String(validate=validate.OneOf([STATUS_READY, STATUS_NOT_READY]))


class _Tolerant(Schema):
    class Meta:
        unknown = EXCLUDE


class _ModelSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    name = fields.String(required=True)


class _OfferedSchema(_Tolerant):
    fake = fields.Nested(_ModelSchema(), required=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> Device:
        return Device(DeviceID(data["fake"]["uuid"]), data["fake"]["name"])


class _AllocatedDeviceSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    split = fields.Integer(strict=True, validate=validate.Range(0))

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> AllocatedDevice:
        return AllocatedDevice(DeviceID(data["uuid"]), data.get("split", 0))


class _AllocatedListSchema(_Tolerant):
    devices = fields.List(fields.Nested(_AllocatedDeviceSchema()), required=True)


class _ClaimInfoSchema(_Tolerant):
    namespace = fields.String(load_default="")
    name = fields.String(load_default="")


class _AllocatedClaimSchema(_Tolerant):
    claim_info = fields.Nested(_ClaimInfoSchema(), data_key="claimInfo", load_default=dict)
    fake = fields.Nested(_AllocatedListSchema(), required=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> AllocatedClaim:
        return AllocatedClaim(tuple(data["fake"]["devices"]), **data["claim_info"])


class _PreparedDeviceSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    parent = fields.String(data_key="parentUUID", load_default=None)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> PreparedDevice:
        return PreparedDevice(DeviceID(data["uuid"]), data["parent"])


class _PreparedListSchema(_Tolerant):
    devices = fields.List(fields.Nested(_PreparedDeviceSchema()), required=True)


class _PreparedClaimSchema(_Tolerant):
    fake = fields.Nested(_PreparedListSchema(), required=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> tuple[PreparedDevice, ...]:
        return tuple(data["fake"]["devices"])


class _SpecSchema(_Tolerant):
    allocatable = fields.List(fields.Nested(_OfferedSchema()), data_key="allocatableDevice")
    allocated = fields.Dict(
        fields.String(), fields.Nested(_AllocatedClaimSchema()), data_key="allocatedClaims"
    )
    prepared = fields.Dict(
        fields.String(), fields.Nested(_PreparedClaimSchema()), data_key="preparedDevices"
    )

    @post_load
    def freeze(self, data: Mapping[str, Any], **_: object) -> dict[str, Any]:
        frozen = dict(data)
        if "allocatable" in frozen:
            frozen["allocatable"] = tuple(frozen["allocatable"])
        for name in ("allocated", "prepared"):
            if name in frozen:
                frozen[name] = MappingProxyType(frozen[name])
        return frozen


_SPEC: Final = _SpecSchema()
