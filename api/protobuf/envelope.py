"""An object as JSON, from and to protobuf in its envelope; pure.

Of fields that no message here has, which later versions of Kubernetes may send, nothing is kept, as
API servers do.
"""

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import DecodeError, Message

from api.errors import UnknownMessage, UnreadableProtobuf
from api.objects import JSON
from api.protobuf import coordination_pb2 as coordination
from api.protobuf import core_pb2 as core
from api.protobuf import meta_pb2 as meta
from api.protobuf import resource_pb2 as resource
from api.protobuf import resourcev1beta1_pb2 as resourcev1beta1
from api.protobuf.values import as_json, fill

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"

_MAGIC: Final = b"k8s\x00"
_OF_V1: Final[Mapping[str, type[Message]]] = {
    "DeviceClass": resource.DeviceClass,
    "ResourceClaim": resource.ResourceClaim,
    "ResourceClaimTemplate": resource.ResourceClaimTemplate,
    "ResourceSlice": resource.ResourceSlice,
}
_OF_V1BETA1: Final[Mapping[str, type[Message]]] = {
    "DeviceClass": resource.DeviceClass,
    "ResourceClaim": resourcev1beta1.ResourceClaim,
    "ResourceClaimTemplate": resourcev1beta1.ResourceClaimTemplate,
    "ResourceSlice": resourcev1beta1.ResourceSlice,
}
_KINDS: Final[Mapping[str, Mapping[str, type[Message]]]] = {
    "v1": {
        "ConfigMap": core.ConfigMap,
        "Event": core.Event,
        "Namespace": core.Namespace,
        "Node": core.Node,
        "Secret": core.Secret,
        "ServiceAccount": core.ServiceAccount,
    },
    "coordination.k8s.io/v1": {"Lease": coordination.Lease},
    "resource.k8s.io/v1": {**_OF_V1, "DeviceTaintRule": resource.DeviceTaintRule},
    "resource.k8s.io/v1beta2": _OF_V1,
    "resource.k8s.io/v1beta1": _OF_V1BETA1,
}
_OF_ALL_GROUPS: Final[Mapping[str, type[Message]]] = {
    "DeleteOptions": meta.DeleteOptions,
    "Status": meta.Status,
}


def decoded(data: bytes) -> JSON:
    """Return an object, in which raw extensions are RawJson.

    Raises:
        UnreadableProtobuf: it is no object in protobuf.
        UnknownMessage: its kind is not known here.
    """
    if not data.startswith(_MAGIC):
        raise UnreadableProtobuf("the bytes do not begin with those of Kubernetes protobuf")
    try:
        unknown = meta.Unknown.FromString(data[len(_MAGIC) :])
        api_version, kind = unknown.typeMeta.apiVersion, unknown.typeMeta.kind
        if unknown.contentType or unknown.contentEncoding:
            raise UnreadableProtobuf(f"{kind or 'the object'} is encoded in the envelope")
        made = as_json(message_of(api_version, kind).FromString(unknown.raw))
    except (DecodeError, ValueError, OverflowError) as error:
        raise UnreadableProtobuf(f"the bytes are no message of Kubernetes: {error}") from error
    return {"apiVersion": api_version, "kind": kind, **made}


def encoded(obj: JSON) -> bytes:
    """Return an object, whose raw extensions may be RawJson, in protobuf.

    Raises:
        UnknownMessage: its kind is not known here.
    """
    api_version, kind = str(obj["apiVersion"]), str(obj["kind"])
    message = message_of(api_version, kind)()
    fill(message, obj)
    head = meta.TypeMeta(apiVersion=api_version, kind=kind)
    unknown = meta.Unknown(typeMeta=head, raw=message.SerializeToString())
    return _MAGIC + unknown.SerializeToString()


def message_of(api_version: str, kind: str) -> type[Message]:
    """Return the message of a kind; UnknownMessage if there is none."""
    found = _OF_ALL_GROUPS.get(kind) or _KINDS.get(api_version, {}).get(kind)
    if found is None:
        raise UnknownMessage(f"no message is known for {kind!r} of {api_version!r}")
    return found
