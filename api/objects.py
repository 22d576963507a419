"""Raw Kubernetes objects: their JSON type, identities, and the accessors that every layer needs."""

from dataclasses import dataclass
from typing import Any, NewType, TypeAlias

JSON: TypeAlias = dict[str, Any]
"""An API object as `json.loads` gives it; read-only for everyone but its creator."""

ClaimUID = NewType("ClaimUID", str)
NodeName = NewType("NodeName", str)
DeviceID = NewType("DeviceID", str)
"""`FAKE-<uuid>`, of a whole device or of a child."""

Key = NewType("Key", str)
"""`namespace/name`, or `name` alone for an object without a namespace."""


def object_key(namespace: str | None, name: str) -> Key:
    """Return the cache key of an object."""
    return Key(f"{namespace}/{name}" if namespace else name)


def key_of(obj: JSON) -> Key:
    """Return the cache key of a stored object."""
    meta = obj["metadata"]
    return object_key(meta.get("namespace"), meta["name"])


def uid_of(obj: JSON) -> str:
    """Return `metadata.uid`, empty for an object that was never stored."""
    return str(obj["metadata"].get("uid", ""))


def controller_uid(obj: JSON) -> str | None:
    """Return the uid of the owner that is marked as controller, if there is one."""
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner.get("uid", ""))
    return None


def is_deleting(obj: JSON) -> bool:
    """Tell whether the object waits for its finalizers."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def device_name(device: DeviceID) -> str:
    """Return the name of a device where it has to be a DNS label: in allocations and pools."""
    return device.lower()


@dataclass(frozen=True, slots=True)
class NamespacedObject:
    """What the metadata of any namespaced object says."""

    raw: JSON

    @property
    def name(self) -> str:
        """Name within the namespace."""
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace of the object."""
        return str(self.raw["metadata"]["namespace"])

    @property
    def key(self) -> Key:
        """`namespace/name`."""
        return key_of(self.raw)

    @property
    def deleting(self) -> bool:
        """Whether the object waits for its finalizers or its grace period."""
        return is_deleting(self.raw)

    @property
    def owner_uid(self) -> str | None:
        """Uid of the object that controls this one: the pod that it was made for."""
        return controller_uid(self.raw)
