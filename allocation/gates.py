"""The feature gates that an allocator heeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Gates:
    """Which features are on; as Kubernetes 1.37 has them by default.

    Attributes:
        unknown: gates that are on of which it is not known here what they change.
    """

    admin_access: bool = True
    prioritized_list: bool = True
    partitionable_devices: bool = True
    device_taints: bool = True
    binding_conditions: bool = True
    consumable_capacity: bool = True
    fractional_capacity_range: bool = False
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, named: Mapping[str, bool]) -> "Gates":
        """Return the gates of a scheduler's `--feature-gates`; those not named stay as they are."""
        found = {name: named[gate] for name, gate in _NAMES.items() if gate in named}
        return cls(**found, unknown=tuple(each for each in _ALPHA if named.get(each)))

    @property
    def stable(self) -> bool:
        """Whether Kubernetes uses its stable allocator: it knows nothing of these three.

        It looks at pools and slices in no order, and heeds neither capacity requests nor
        `distinctAttribute`, and for selectors no device is shared.
        """
        return not (
            self.binding_conditions or self.consumable_capacity or self.fractional_capacity_range
        )

    @property
    def named(self) -> Mapping[str, bool]:
        """The gates by the names that Kubernetes has for them."""
        return {gate: bool(getattr(self, name)) for name, gate in _NAMES.items()}


_ALPHA: Final = (
    "DRADerivedAttributes",
    "DRADeviceCompatibilityGroups",
    "DRAListTypeAttributes",
    "DRAOptionalNodeOperations",
)
_NAMES: Final[Mapping[str, str]] = {
    "admin_access": "DRAAdminAccess",
    "prioritized_list": "DRAPrioritizedList",
    "partitionable_devices": "DRAPartitionableDevices",
    "device_taints": "DRADeviceTaints",
    "binding_conditions": "DRADeviceBindingConditions",
    "consumable_capacity": "DRAConsumableCapacity",
    "fractional_capacity_range": "DRAFractionalCapacityRange",
}
