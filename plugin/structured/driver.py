"""The fake driver where kube-scheduler allocates: whole devices, which containers get as variables.

The variables are those of `plugin.fakes`.
"""

from collections.abc import Sequence

from api import __version__
from api.contract import Contract
from api.names import ENV_DRIVER_NAME
from api.objects import NodeName
from dra.driver import Edits, PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Attribute, Device, Inventory, Version
from plugin.devices import DeviceSource
from plugin.errors import DeviceGone
from plugin.fakes import variables


class StructuredFakeDriver:
    """A dra.driver.Driver without side effects."""

    def __init__(self, contract: Contract, node: NodeName, source: DeviceSource) -> None:
        """Offer the devices of a source on a node."""
        self.contract = contract
        self._node = node
        self._devices = {
            f"{contract.device_key}-{index}": device
            for index, device in enumerate(source.devices())
        }

    def discover(self) -> Inventory:
        """Return the devices of the node."""
        return Inventory.of(*(Device(name, self._attributes(name)) for name in self._devices))

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Return the variables of the claim's devices, numbered in the order of the allocation.

        Raises:
            DeviceGone: the node does not have a device any more.
        """
        named = PreparedClaim(claim.uid, claim.namespace, claim.name, claim.label)
        common = {
            self.contract.env_node_name: self._node,
            ENV_DRIVER_NAME: self.contract.driver_name,
        }
        made = []
        for index, result in enumerate(claim.results):
            if result.device not in self._devices:
                raise DeviceGone(f"allocated device {result.device} is not on this node any more")
            own = variables(self.contract, named, index, self._devices[result.device].id)
            made.append(PreparedDevice.of(result, Edits({**common, **dict(own)})))
        return made

    def unprepare(self, claim: PreparedClaim) -> None:
        """Undo nothing, since nothing was done."""

    def _attributes(self, name: str) -> dict[str, Attribute]:
        index, device = list(self._devices).index(name), self._devices[name]
        return {
            "uuid": device.id,
            "model": device.model,
            "index": index,
            "type": "whole",
            "split": 1,
            "driverVersion": Version(__version__),
        }
