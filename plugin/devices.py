"""The devices of a node, and what a claim gets when they are split.

`DeviceSource` is the port that a driver for real hardware implements; `FakeDeviceSource` invents
devices with stable ids, so that a restarted plugin finds the devices it offered before. Called by
the composition root for the inventory and by `plugin.classic.driver` for the devices of a claim.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol
from uuid import NAMESPACE_DNS, UUID, uuid5

from api.contract import Contract
from api.errors import MalformedState
from api.nas import AllocatedDevice, Device, PreparedDevice
from api.objects import DeviceID, NodeName
from api.parameters import MAX_SPLIT
from plugin.errors import DeviceGone

MAX_DEVICES: Final = 128


class DeviceSource(Protocol):
    """Where devices come from."""

    def devices(self) -> tuple[Device, ...]:
        """Return the whole devices of the node, always in the same order."""

    def children(self, parent: DeviceID, count: int) -> tuple[DeviceID, ...]:
        """Return the ids of `count` children of a device, the same ones at every call."""


class FakeDeviceSource:
    """Devices that exist by name only: `FAKE-` and a uuid made from the node's name."""

    def __init__(self, contract: Contract, node: NodeName, count: int, model: str) -> None:
        """Invent `count` devices (0 to MAX_DEVICES) of one model for a node."""
        self._prefix = contract.device_prefix
        self._namespace = uuid5(NAMESPACE_DNS, contract.driver_name)
        self._node = node
        self._model = model
        self._devices = tuple(self.device(index) for index in range(count))

    def devices(self) -> tuple[Device, ...]:
        """Return the devices, the one of index 0 first."""
        return self._devices

    def device(self, index: int) -> Device:
        """Return the device of an index, also of one beyond those that there are."""
        return Device(self._id(uuid5(self._namespace, f"{self._node}/{index}")), self._model)

    def children(self, parent: DeviceID, count: int) -> tuple[DeviceID, ...]:
        """Return children of a device; those of a smaller split are the first of a larger one."""
        return tuple(self.child(parent, str(index)) for index in range(count))

    def child(self, parent: DeviceID, name: str) -> DeviceID:
        """Return the child of a device that has a name among its children."""
        return self._id(uuid5(UUID(parent.removeprefix(self._prefix)), name))

    def _id(self, uuid: UUID) -> DeviceID:
        return DeviceID(f"{self._prefix}{uuid}")


def prepared_devices(
    source: DeviceSource, allocated: Iterable[AllocatedDevice]
) -> tuple[PreparedDevice, ...]:
    """Return what containers get for allocated devices, in the same order.

    A split of 2 or more gives that many children, anything less the device itself, or a share.

    Raises:
        MalformedState: a split that no claim can ask for; somebody edited it.
        DeviceGone: with every device that the node does not have.
    """
    given = tuple(allocated)
    _check_splits(given)
    offered = {device.id for device in source.devices()}
    gone = [device.id for device in given if device.id not in offered]
    if gone:
        raise DeviceGone(
            f"allocated device {', '.join(gone)} is not on this node any more; bring the device "
            "back (see NUM_DEVICES and NODE_NAME), or delete the pod and its claim"
        )
    return tuple(made for device in given for made in _split(source, device))


def _check_splits(allocated: Iterable[AllocatedDevice]) -> None:
    """Refuse what would be more children than memory has room for, and shares of children."""
    for device in allocated:
        if device.split > 1 and device.share is not None:
            raise MalformedState(
                f"device {device.id} is allocated both split and as a share; correct "
                "spec.allocatedClaims of the NodeAllocationState, or delete the pod and its claim"
            )
        if device.split > MAX_SPLIT:
            raise MalformedState(
                f"device {device.id} is allocated with split {device.split}, which must be 0 to "
                f"{MAX_SPLIT}; correct spec.allocatedClaims of the NodeAllocationState, or delete "
                "the pod and its claim"
            )


def _split(source: DeviceSource, device: AllocatedDevice) -> Iterator[PreparedDevice]:
    if device.split < 2:
        yield PreparedDevice(device.id, share=device.share)
        return
    for child in source.children(device.id, device.split):
        yield PreparedDevice(child, device.id)
