"""The schema of a NAS: decides what a NAS may be, and says what is wrong with one.

It is what counts. Since it is slow, api.nas asks api.nasreader first, and comes here with what that
one does not know.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from api.errors import MalformedState
from api.names import NAS_KIND, STATUS_NOT_READY, STATUS_READY
from api.nasvalues import (
    AllocatedClaim,
    AllocatedDevice,
    Device,
    Heartbeat,
    NodeAllocationState,
    PreparedDevice,
)
from api.objects import JSON, DeviceID, NodeName, key_of
from api.schemas import describe_errors


def load_nas(obj: JSON, key: str) -> NodeAllocationState:
    """Read a NAS object, or explain why that is impossible.

    Raises:
        MalformedState: with the object, the field, and what is wrong there.
    """
    meta = obj["metadata"]
    try:
        parts = _PartsSchema(key).load(
            {
                "spec": obj.get("spec") or {},
                "status": obj.get("status") or STATUS_NOT_READY,
                "heartbeat": obj.get("heartbeat"),
            }
        )
    except ValidationError as error:
        raise MalformedState(
            f"{NAS_KIND} {key_of(obj)} is malformed: {describe_errors(error)}; "
            "correct the field, or delete the object and its plugin makes it anew"
        ) from error
    return NodeAllocationState(
        node=NodeName(meta["name"]),
        namespace=str(meta.get("namespace", "")),
        resource_version=str(meta.get("resourceVersion", "")),
        status=parts["status"],
        heartbeat=parts["heartbeat"],
        **parts["spec"],
    )


class _Tolerant(Schema):
    class Meta:
        unknown = EXCLUDE


class _ModelSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    name = fields.String(required=True)


class _OwnSchema(_Tolerant):
    """Has its field `own` under the key of the driver."""

    def __init__(self, key: str) -> None:
        self._key = key
        super().__init__()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        if field_name == "own":
            field_obj.data_key = self._key


class _OfferedSchema(_OwnSchema):
    own = fields.Nested(_ModelSchema(), required=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> Device:
        return Device(DeviceID(data["own"]["uuid"]), data["own"]["name"])


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


class _AllocatedClaimSchema(_OwnSchema):
    claim_info = fields.Nested(_ClaimInfoSchema(), data_key="claimInfo", load_default=dict)
    own = fields.Nested(_AllocatedListSchema(), required=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> AllocatedClaim:
        return AllocatedClaim(tuple(data["own"]["devices"]), **data["claim_info"])


class _PreparedDeviceSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    parent = fields.String(data_key="parentUUID", load_default=None)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> PreparedDevice:
        return PreparedDevice(DeviceID(data["uuid"]), data["parent"])


class _PreparedListSchema(_Tolerant):
    devices = fields.List(fields.Nested(_PreparedDeviceSchema()), required=True)


class _PreparedClaimSchema(_OwnSchema):
    own = fields.Nested(_PreparedListSchema(), required=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> tuple[PreparedDevice, ...]:
        return tuple(data["own"]["devices"])


class _SpecSchema(_Tolerant):
    def __init__(self, key: str) -> None:
        offered, uid = fields.Nested(_OfferedSchema(key)), fields.String()
        allocated = fields.Nested(_AllocatedClaimSchema(key))
        prepared = fields.Nested(_PreparedClaimSchema(key))
        self._declared_fields = {
            "allocatable": fields.List(offered, data_key="allocatableDevice"),
            "allocated": fields.Dict(uid, allocated, data_key="allocatedClaims"),
            "prepared": fields.Dict(uid, prepared, data_key="preparedDevices"),
        }
        super().__init__()

    @post_load
    def freeze(self, data: Mapping[str, Any], **_: object) -> dict[str, Any]:
        frozen = dict(data)
        if "allocatable" in frozen:
            frozen["allocatable"] = tuple(frozen["allocatable"])
        for name in ("allocated", "prepared"):
            if name in frozen:
                frozen[name] = MappingProxyType(frozen[name])
        return frozen


class _HeartbeatSchema(_Tolerant):
    renewed = fields.String(required=True, data_key="renewTime")
    seconds = fields.Integer(strict=True, validate=validate.Range(1), data_key="durationSeconds")

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> Heartbeat:
        return Heartbeat(**data)


class _PartsSchema(_Tolerant):
    status = fields.String(validate=validate.OneOf([STATUS_READY, STATUS_NOT_READY]))
    heartbeat = fields.Nested(_HeartbeatSchema(), allow_none=True)

    def __init__(self, key: str) -> None:
        self._declared_fields = {**self._declared_fields, "spec": fields.Nested(_SpecSchema(key))}
        super().__init__()
