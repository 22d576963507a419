"""Reads a well-formed NAS, which nearly every one is, many times faster than its schema.

Both programs read a NAS at each of its changes. This reader knows only the shapes that the writers
of a NAS give it. On anything else, be it malformed or merely unusual, it gives up and decides
nothing: api.nasschema says then what counts. What this reader reads, the schema reads alike.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from api.devices import PreparedDevice, Share
from api.names import STATUS_NOT_READY, STATUS_READY
from api.nasvalues import (
    AllocatedClaim,
    AllocatedDevice,
    Device,
    Heartbeat,
    NodeAllocationState,
)
from api.objects import JSON, ClaimUID, DeviceID, NodeName

_Entry = TypeVar("_Entry")
_List: TypeAlias = list[Any]

_LONGEST_ID: Final = 128


class _Unusual(Exception):
    """Something is not as the writers of a NAS make it."""


def read_nas(obj: JSON, key: str) -> NodeAllocationState | None:
    """Read a NAS object, None if the schema has to."""
    try:
        meta, spec = _map(obj.get("metadata")), _map(obj.get("spec") or {})
        return NodeAllocationState(
            node=NodeName(_text(meta.get("name"))),
            namespace=_text(meta.get("namespace", "")),
            uid=_text(meta.get("uid", "")),
            resource_version=_text(meta.get("resourceVersion", "")),
            status=_status(obj.get("status") or STATUS_NOT_READY),
            allocatable=tuple([_offered(d, key) for d in _list(spec.get("allocatableDevice", []))]),
            allocated=_by_claim(spec.get("allocatedClaims", {}), _allocated_claim, key),
            prepared=_by_claim(spec.get("preparedDevices", {}), _prepared_devices, key),
            heartbeat=_heartbeat(obj.get("heartbeat")),
            sharing=tuple([_text(each) for each in _list(spec.get("sharing", []))]),
        )
    except _Unusual:
        return None


def _offered(entry: object, key: str) -> Device:
    own = _own(entry, key)
    return Device(_id(own.get("uuid")), _text(own.get("name")))


def _allocated_claim(entry: JSON, key: str) -> AllocatedClaim:
    devices = _list(_own(entry, key).get("devices"))
    info = _map(entry.get("claimInfo", {}))
    return AllocatedClaim(
        devices=tuple([_allocated_device(_map(d)) for d in devices]),
        namespace=_text(info.get("namespace", "")),
        name=_text(info.get("name", "")),
    )


def _allocated_device(device: JSON) -> AllocatedDevice:
    split = device.get("split", 0)
    if type(split) is not int or split < 0:
        raise _Unusual
    return AllocatedDevice(_id(device.get("uuid")), split, _share(device))


def _prepared_devices(entry: JSON, key: str) -> tuple[PreparedDevice, ...]:
    devices = _list(_own(entry, key).get("devices"))
    return tuple([_prepared_device(_map(d)) for d in devices])


def _prepared_device(device: JSON) -> PreparedDevice:
    parent = device.get("parentUUID")
    return PreparedDevice(
        _id(device.get("uuid")),
        None if parent is None else DeviceID(_text(parent)),
        _share(device),
    )


def _share(device: JSON) -> Share | None:
    if "timeSliced" not in device:
        return None
    share = _map(device["timeSliced"])
    client, most = share.get("client"), share.get("maxClients")
    if type(client) is not int or type(most) is not int or client < 0 or most < 1:
        raise _Unusual
    return Share(client, most)


def _by_claim(
    entries: object, read: Callable[[JSON, str], _Entry], key: str
) -> MappingProxyType[ClaimUID, _Entry]:
    return MappingProxyType(
        {ClaimUID(_text(uid)): read(_map(entry), key) for uid, entry in _map(entries).items()}
    )


def _heartbeat(value: object) -> Heartbeat | None:
    if value is None:
        return None
    heartbeat = _map(value)
    seconds = heartbeat.get("durationSeconds", 0)
    if type(seconds) is not int or ("durationSeconds" in heartbeat and seconds < 1):
        raise _Unusual
    return Heartbeat(_text(heartbeat.get("renewTime")), seconds or None)


def _status(value: object) -> str:
    if value not in (STATUS_READY, STATUS_NOT_READY):
        raise _Unusual
    return _text(value)


def _own(entry: object, key: str) -> JSON:
    return _map(_map(entry).get(key))


def _id(value: object) -> DeviceID:
    text = _text(value)
    if not 1 <= len(text) <= _LONGEST_ID:
        raise _Unusual
    return DeviceID(text)


def _map(value: object) -> JSON:
    if type(value) is not dict:
        raise _Unusual
    return value


def _list(value: object) -> _List:
    if type(value) is not list:
        raise _Unusual
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise _Unusual
    return value
