"""The fake driver where kube-scheduler allocates: devices, which containers get as variables.

The variables are those of `plugin.fakes`; of a child also its parent, of a share what it has.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from api.claims.view import Result
from api.contract import Contract
from api.objects import JSON
from dra.driver import Edits, PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Inventory
from dra.simulation import Switched, SwitchedHealth, tainted
from plugin.devices import FakeDeviceSource
from plugin.errors import DeviceGone
from plugin.fakes import Fakes, env_label, variables
from plugin.structured import parameters
from plugin.structured.inventory import Division, Offered, Part, identity, part_of


class StructuredFakeDriver(Switched):
    """A dra.driver.Driver without side effects."""

    def __init__(
        self,
        fakes: Fakes,
        source: FakeDeviceSource,
        division: Division,
        health_file: Path | None = None,
    ) -> None:
        """Offer the devices of a source.

        Args:
            fakes: what containers get.
            source: of the devices.
            division: how they may be divided.
            health_file: says how they are, beside the Node; see `dra.simulation`.
        """
        self._fakes = fakes
        self._source = source
        self._offered = Offered(self.contract.device_key, source, division)
        self.switched = SwitchedHealth(
            self.contract.driver_name,
            [device.name for pool in self._offered.inventory().pools for device in pool.devices],
            parents=self._offered.parents,
            file=health_file,
        )

    @property
    def contract(self) -> Contract:
        """Who the driver is."""
        return self._fakes.contract

    def discover(self) -> Inventory:
        """Return whole devices and their children."""
        return tainted(self._offered.inventory(), self.switched.taints)

    def static_inventory(self) -> Inventory:
        """Return some devices whole and some as children; a StaticLayout."""
        return tainted(self._offered.static(), self.switched.taints)

    def former_inventory(self, devices: Collection[str]) -> Inventory:
        """Return devices of any settings, and their wholes; a FormerDevices."""
        return self._offered.former(devices)

    def validate(self, given: JSON) -> Sequence[str]:
        """Return what is wrong with opaque parameters."""
        return parameters.validate(given)

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Return the variables of the claim's devices, numbered in the order of the allocation.

        Also of devices that are offered no more, such as after a smaller NUM_DEVICES was set.

        Raises:
            DeviceGone: there never is such a device.
        """
        named = PreparedClaim(claim.uid, claim.namespace, claim.name, claim.label)
        return [self._prepared(named, *numbered) for numbered in enumerate(claim.results)]

    def unprepare(self, claim: PreparedClaim) -> None:
        """Undo nothing, since nothing was done."""

    def _prepared(self, claim: PreparedClaim, index: int, result: Result) -> PreparedDevice:
        part = part_of(self.contract.device_key, result.device)
        if part is None:
            raise DeviceGone(
                f"allocated device {result.device} is none that this driver has; delete the pod "
                f"and {claim}, and see who else publishes devices as {self.contract.driver_name}"
            )
        more = {**self._parent(part), **_share(result)}
        own = variables(self.contract, claim, index, identity(self._source, part), more)
        return PreparedDevice.of(result, Edits({**self._fakes.common().env, **dict(own)}))

    def _parent(self, part: Part) -> Mapping[str, str]:
        return {"PARENT": self._source.device(part.index).id} if part.split > 1 else {}


def _share(result: Result) -> Mapping[str, str]:
    if result.share_id is None:
        return {}
    consumed = {env_label(name): str(amount) for name, amount in result.consumed.items()}
    return {"SHARE": result.share_id, **consumed}
