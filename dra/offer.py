"""What a driver offers on its node, as it said last; and whether that is what it may say."""

from collections.abc import Iterator
from typing import Final

from api.claims.view import Result
from api.objects import NodeName
from dra.driver import Driver
from dra.drivercode import driver_code
from dra.errors import WrongInventory
from dra.inventory import Inventory
from dra.publish.slices.limits import check
from dra.publish.slices.ports import StaticLayout

DISCOVER: Final = "discover"


class Offer:
    """The devices of a node; `look` is for one thread, `has` for any."""

    def __init__(self, driver: Driver, node: NodeName) -> None:
        """Know nothing yet."""
        self._driver = driver
        self._node = node
        self._devices: frozenset[tuple[str, str]] = frozenset()

    def look(self) -> Inventory:
        """Ask the driver; return what is to be published.

        Raises:
            DriverFailed: the driver raised something.
            WrongInventory: it returned something else.
            LimitExceeded: more than ResourceSlices can say; what was offered before still is.
        """
        found, *static = list(self._inventories())
        self._devices = frozenset(
            (pool.name or self._node, device.name)
            for inventory in (found, *static)
            for pool in inventory.pools
            for device in pool.devices
        )
        return found

    def has(self, result: Result) -> bool:
        """Tell whether a device is one of those that are offered."""
        return (result.pool, result.device) in self._devices

    def _inventories(self) -> Iterator[Inventory]:
        """Yield what is there, and what is offered instead where counters are not stored."""
        methods = [(DISCOVER, self._driver.discover)]
        if isinstance(self._driver, StaticLayout):
            methods.append(("static_inventory", self._driver.static_inventory))
        for name, method in methods:
            with driver_code(name, f"node {self._node}"):
                found: object = method()
            if not isinstance(found, Inventory):
                raise WrongInventory(
                    f"the driver returned {type(found).__name__} from {name}, it has to return an "
                    "Inventory; Inventory.of(*devices) makes one of devices"
                )
            check(found, self._driver.contract.driver_name, self._node)
            yield found
