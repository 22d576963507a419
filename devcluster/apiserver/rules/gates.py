"""Fields that an API server drops in silence because their feature gate is off.

What an object already uses of a gate stays, and may be extended.
Source: kubernetes pkg/registry/resource/*/strategy.go, dropDisabledFields;
pkg/api/resourceclaimspec.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from api.objects import JSON

Fields = Mapping[str, tuple[str, ...]]
"""Paths by gate; `*` stands for every entry of a list or map."""

SLICE: Final[Fields] = {
    "DRADeviceTaints": ("spec.devices.*.taints",),
    "DRAPartitionableDevices": (
        "spec.sharedCounters",
        "spec.perDeviceNodeSelection",
        "spec.devices.*.consumesCounters",
        "spec.devices.*.nodeName",
        "spec.devices.*.nodeSelector",
        "spec.devices.*.allNodes",
    ),
    "DRADeviceBindingConditions": (
        "spec.devices.*.bindingConditions",
        "spec.devices.*.bindingFailureConditions",
        "spec.devices.*.bindsToNode",
    ),
    "DRAConsumableCapacity": (
        "spec.devices.*.allowMultipleAllocations",
        "spec.devices.*.capacity.*.requestPolicy",
    ),
    "DRADeviceCompatibilityGroups": ("spec.devices.*.consumesCounters.*.compatibilityGroups",),
    "DRANodeAllocatableResources": ("spec.devices.*.nodeAllocatableResources",),
    "DRAListTypeAttributes": tuple(
        f"spec.devices.*.attributes.*.{name}" for name in ("bools", "ints", "strings", "versions")
    ),
    "DRAPartitionableDevicesType": ("spec.partitionTypeAttribute",),
    "DRAOptionalNodeOperations": ("spec.skipNodeOperations",),
}
DEVICE_CLASS: Final[Fields] = {"DRAExtendedResource": ("spec.extendedResourceName",)}
_REQUESTS: Final[Fields] = {
    "DRAAdminAccess": ("requests.*.exactly.adminAccess",),
    "DRAPrioritizedList": ("requests.*.firstAvailable",),
    "DRADeviceTaints": (
        "requests.*.exactly.tolerations",
        "requests.*.firstAvailable.*.tolerations",
    ),
    "DRAConsumableCapacity": (
        "requests.*.exactly.capacity",
        "requests.*.firstAvailable.*.capacity",
        "constraints.*.distinctAttribute",
    ),
    "DRADerivedAttributes": (
        "requests.*.exactly.derivedAttributes",
        "requests.*.firstAvailable.*.derivedAttributes",
    ),
}
_RESULT: Final = "status.allocation.devices.results.*"
_STATUS: Final[Fields] = {
    "DRAResourceClaimDeviceStatus": ("status.devices",),
    "DRAAdminAccess": (f"{_RESULT}.adminAccess",),
    "DRAConsumableCapacity": (
        f"{_RESULT}.shareID",
        f"{_RESULT}.consumedCapacity",
        "status.devices.*.shareID",
    ),
    "DRADeviceBindingConditions": (
        f"{_RESULT}.bindingConditions",
        f"{_RESULT}.bindingFailureConditions",
    ),
    "DRAOptionalNodeOperations": (f"{_RESULT}.skipNodeOperations",),
}


def _below(prefix: str, fields: Fields) -> Fields:
    return {gate: tuple(f"{prefix}.{path}" for path in paths) for gate, paths in fields.items()}


_SPEC: Final = _below("spec.devices", _REQUESTS)
CLAIM: Final[Fields] = {
    gate: (*_SPEC.get(gate, ()), *_STATUS.get(gate, ())) for gate in {**_SPEC, **_STATUS}
}
TEMPLATE: Final[Fields] = _below("spec.spec.devices", _REQUESTS)


def drop_disabled(fields: Fields, gates: Iterable[str], new: JSON, old: JSON | None = None) -> None:
    """Take the fields of gates that are off out of an object, unless the stored one uses them.

    Args:
        fields: of the kind.
        gates: that are on.
        new: is changed.
        old: the stored object, None when it is created.
    """
    for gate in fields.keys() - _effective(gates):
        if old is None or not any(_used(old, path) for path in fields[gate]):
            for holder, name in [at for path in fields[gate] for at in _places(new, path)]:
                holder.pop(name, None)


def _effective(gates: Iterable[str]) -> frozenset[str]:
    """Return the gates without those that need another one which is off."""
    on = frozenset(gates)
    needed = "DRAResourceClaimDeviceStatus"
    return on if needed in on else on - {"DRADeviceBindingConditions"}


def _used(obj: JSON, path: str) -> bool:
    return any(holder.get(name) not in (None, [], {}) for holder, name in _places(obj, path))


def _places(obj: JSON, path: str) -> Iterator[tuple[JSON, str]]:
    """Yield every object that may have the last field of a path, and that field."""
    *way, name = path.split(".")
    holders: list[Any] = [obj]
    for step in way:
        holders = [inner for holder in holders for inner in _inner(holder, step)]
    yield from ((holder, name) for holder in holders if isinstance(holder, dict))


def _inner(holder: Any, step: str) -> Iterable[Any]:
    if step == "*":
        return holder.values() if isinstance(holder, dict) else holder or ()
    found = holder.get(step) if isinstance(holder, dict) else None
    return () if found is None else (found,)
