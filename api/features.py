"""The feature gates of Kubernetes over fields of resource.k8s.io.

Source: kubernetes pkg/features/kube_features.go.
"""

from collections.abc import Mapping
from typing import Final

GATES: Final[Mapping[str, tuple[int, int]]] = {
    "DRAAdminAccess": (32, 34),
    "DRAResourceClaimDeviceStatus": (32, 33),
    "DRAPrioritizedList": (33, 34),
    "DRAPartitionableDevices": (33, 36),
    "DRADeviceTaints": (33, 36),
    "DRAConsumableCapacity": (34, 36),
    "DRADeviceBindingConditions": (34, 36),
    "DRAExtendedResource": (34, 36),
    "DRAListTypeAttributes": (36, 99),
    "DRANodeAllocatableResources": (37, 99),
    "DRADerivedAttributes": (37, 99),
    "DRADeviceCompatibilityGroups": (37, 99),
    "DRAOptionalNodeOperations": (37, 99),
    "DRAPartitionableDevicesType": (37, 99),
}
"""The first minor with a gate over fields, and the first in which it is on by itself.

DRANodeAllocatableResources is older, but named its field differently.
"""


def on_by_default(minor: int) -> frozenset[str]:
    """Return the gates that are on by themselves in a minor of Kubernetes 1.x."""
    return frozenset(gate for gate, (_, on) in GATES.items() if on <= minor)
