"""The schema of a NAS: decides what a NAS may be, and says what is wrong with one.

It is what counts. Since it is slow, api.nas asks api.nasreader first, and comes here with what that
one does not know.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate

from api.devices import PreparedDevice, Share
from api.errors import MalformedState
from api.names import NAS_KIND, STATUS_NOT_READY, STATUS_READY
from api.nasvalues import (
    AllocatedClaim,
    AllocatedDevice,
    Device,
    Heartbeat,
    NodeAllocationState,
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
        parts = parts_schema(key).load(
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
        uid=str(meta.get("uid", "")),
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


class _OfferedSchema(_Tolerant):
    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> Device:
        return Device(DeviceID(data["own"]["uuid"]), data["own"]["name"])


class _ShareSchema(_Tolerant):
    client = fields.Integer(required=True, strict=True, validate=validate.Range(0))
    max_clients = fields.Integer(
        required=True, strict=True, validate=validate.Range(1), data_key="maxClients"
    )

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> Share:
        return Share(**data)


class _AllocatedDeviceSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    split = fields.Integer(strict=True, validate=validate.Range(0))
    share = fields.Nested(_ShareSchema(), data_key="timeSliced", load_default=None)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> AllocatedDevice:
        return AllocatedDevice(DeviceID(data["uuid"]), data.get("split", 0), data["share"])


class _AllocatedListSchema(_Tolerant):
    devices = fields.List(fields.Nested(_AllocatedDeviceSchema()), required=True)


class _ClaimInfoSchema(_Tolerant):
    namespace = fields.String(load_default="")
    name = fields.String(load_default="")


class _AllocatedClaimSchema(_Tolerant):
    claim_info = fields.Nested(_ClaimInfoSchema(), data_key="claimInfo", load_default=dict)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> AllocatedClaim:
        return AllocatedClaim(tuple(data["own"]["devices"]), **data["claim_info"])


class _PreparedDeviceSchema(_Tolerant):
    uuid = fields.String(required=True, validate=validate.Length(1, 128))
    parent = fields.String(data_key="parentUUID", load_default=None)
    share = fields.Nested(_ShareSchema(), data_key="timeSliced", load_default=None)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> PreparedDevice:
        return PreparedDevice(DeviceID(data["uuid"]), data["parent"], data["share"])


class _PreparedListSchema(_Tolerant):
    devices = fields.List(fields.Nested(_PreparedDeviceSchema()), required=True)


class _PreparedClaimSchema(_Tolerant):
    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> tuple[PreparedDevice, ...]:
        return tuple(data["own"]["devices"])


class _SpecSchema(_Tolerant):
    @post_load
    def freeze(self, data: Mapping[str, Any], **_: object) -> dict[str, Any]:
        frozen = dict(data)
        for name in ("allocatable", "sharing"):
            if name in frozen:
                frozen[name] = tuple(frozen[name])
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


def parts_schema(key: str) -> Schema:
    """Return the schema of a NAS without its metadata; `key` is the driver's."""
    offered = _keyed(_OfferedSchema, key, _ModelSchema)
    allocated = _keyed(_AllocatedClaimSchema, key, _AllocatedListSchema)
    prepared = _keyed(_PreparedClaimSchema, key, _PreparedListSchema)
    spec = _SpecSchema.from_dict(
        {
            "allocatable": fields.List(offered, data_key="allocatableDevice"),
            "allocated": fields.Dict(fields.String(), allocated, data_key="allocatedClaims"),
            "prepared": fields.Dict(fields.String(), prepared, data_key="preparedDevices"),
            "sharing": fields.List(fields.String()),
        }
    )
    return _PartsSchema.from_dict({"spec": fields.Nested(spec)})()


def _keyed(schema: type[Schema], key: str, own: type[Schema]) -> fields.Nested:
    """Return a field whose objects have what is the driver's own under its key."""
    field = fields.Nested(own, required=True, data_key=key)
    return fields.Nested(schema.from_dict({"own": field}))
