"""What a driver may tell of its devices besides what it offers, and for whom slices are."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dra.drivercode import driver_code
from dra.inventory import Inventory, Pool
from dra.publish.slices.limits import check


@runtime_checkable
class StaticLayout(Protocol):
    """A driver that has other devices to offer where the API server does not store counters."""

    def static_inventory(self) -> Inventory:
        """Return the devices in order of preference; of those that overlap the first is published.

        What they consume is that of the device of this name in the other inventory, if they do not
        say it.
        """


@runtime_checkable
class FormerDevices(Protocol):
    """A driver that knows devices which it offers with other settings."""

    def former_inventory(self, devices: Collection[str]) -> Inventory:
        """Return those of these devices that there may have been, and all that overlap them.

        Asked for allocated devices that are not offered any more: what they consume is not stored
        where the API server has no counters, and nothing of them is after a kubelet has deleted all
        slices.
        """


@dataclass(frozen=True, slots=True)
class Site:
    """What the slices are for: names of driver and Node."""

    driver: str
    node: str

    def pool(self, name: str, method: str, tell: Callable[[], Inventory]) -> Pool:
        """Return a pool of what a method of the driver tells, empty if that does not have it.

        Raises:
            DriverFailed: the driver raised something.
            LimitExceeded: more than ResourceSlices can say.
        """
        with driver_code(method, f"node {self.node}"):
            inventory = tell()
        check(inventory, self.driver, self.node)
        named = {pool.name or self.node: pool for pool in inventory.pools}
        return named.get(name, Pool(name))
