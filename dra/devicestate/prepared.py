"""A prepared claim: the value that CDI file, checkpoint and publisher agree on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from api.devices import PreparedDevice
from api.objects import ClaimUID, DeviceID
from api.texts import counted
from dra.errors import DeviceInUse

Devices: TypeAlias = tuple[PreparedDevice, ...]


@dataclass(frozen=True, slots=True)
class PreparedClaim:
    """A claim with the devices that its containers get.

    Attributes:
        uid: of the ResourceClaim; everything on the node is keyed by it.
        namespace: of the ResourceClaim.
        name: of the ResourceClaim.
        label: what the pod calls the claim, else its name; part of the names of env variables.
        devices: in the order of the env variables.
    """

    uid: ClaimUID
    namespace: str
    name: str
    label: str
    devices: Devices

    def __str__(self) -> str:
        return f"ResourceClaim {self.namespace}/{self.name} (uid {self.uid})"


def check_free(claim: PreparedClaim, others: Iterable[PreparedClaim]) -> None:
    """Check that no device of a claim, nor its parent or a child of it, is another claim's.

    Allocations may be lost, with an object that is deleted, while containers use the devices.

    Raises:
        DeviceInUse: naming device and holder.
    """
    wanted = whole_devices(claim)
    for other in others:
        shared = wanted & whole_devices(other)
        if shared:
            raise DeviceInUse(
                f"device {', '.join(sorted(shared))} of {claim} is prepared for {other}; wait "
                "until the pods of that claim have ended, or delete them"
            )


def whole_devices(claim: PreparedClaim) -> frozenset[DeviceID]:
    """Return the ids of the node's devices that a claim has, whole or children of."""
    return frozenset(device.parent or device.id for device in claim.devices)


def described(devices: Devices) -> str:
    """Return how many devices a claim has, and how many children of others, for people."""
    whole = [device for device in devices if device.parent is None]
    parents = {device.parent for device in devices} - {None}
    parts = [counted(len(whole), "device")] if whole else []
    if parents:
        children = len(devices) - len(whole)
        parts.append(f"{children} children of {counted(len(parents), 'device')}")
    return " and ".join(parts)
