"""Fields of a ResourceSlice that an API server drops while a feature gate is off.

Source: kubernetes pkg/registry/resource/resourceslice/strategy.go, dropDisabledFields.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from api.objects import JSON
from ops.pruning import missing

_PARTITIONABLE: Final = "DRAPartitionableDevices"
_CONSUMABLE: Final = "DRAConsumableCapacity"
_BINDING: Final = "DRADeviceBindingConditions"

GATES: Final[Mapping[str, str]] = {
    "sharedCounters": _PARTITIONABLE,
    "consumesCounters": _PARTITIONABLE,
    "perDeviceNodeSelection": _PARTITIONABLE,
    "nodeName": _PARTITIONABLE,
    "nodeSelector": _PARTITIONABLE,
    "taints": "DRADeviceTaints",
    "allowMultipleAllocations": _CONSUMABLE,
    "requestPolicy": _CONSUMABLE,
    "bindingConditions": _BINDING,
    "bindingFailureConditions": _BINDING,
}
"""Field to the gate without which it is dropped."""

COUNTERS: Final = frozenset({"sharedCounters", "consumesCounters"})
"""Without which devices that overlap are given out at the same time."""


def dropped(sent: JSON, stored: JSON) -> frozenset[str]:
    """Return the paths below `spec` of fields that were sent and are not stored."""
    if sent["spec"] == stored.get("spec"):
        return frozenset()
    return frozenset(missing(sent["spec"], stored.get("spec") or {}))


def fields_of(paths: Iterable[str]) -> frozenset[str]:
    """Return the last names of paths."""
    return frozenset(path.rpartition(".")[2].removesuffix("[]") for path in paths)


def explain(paths: Iterable[str]) -> str:
    """Say which fields are not stored, and what that needs."""
    ordered = sorted(paths)
    gates = sorted({GATES[each] for each in fields_of(ordered) if each in GATES})
    need = (
        f"enable the feature gate {', '.join(gates)} on the API server and the scheduler"
        if gates
        else "it is older than this driver, or an admission webhook removes them"
    )
    return f"the API server does not store {', '.join(ordered)} of ResourceSlices; {need}"
