"""The GPUs of a node: whole ones, or in partitions that exclude their whole.

A GPU in partitions has a counter set for what there is of it; a partition draws its share, the
whole draws everything, so that a scheduler never gives out both.
"""

import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from api.objects import JSON
from dra.errors import CannotServe
from dra.inventory import (
    Attribute,
    Capacity,
    Consumption,
    CounterSet,
    Device,
    Inventory,
    RequestPolicy,
    Version,
)

PREFIX: Final = "gpu-"
DRIVER_VERSION: Final = Version("1.0.0")
BINDING_CONDITION: Final = "BindingConditions"
BINDING_FAILURE_CONDITION: Final = "BindingFailureConditions"

_NAME: Final = re.compile(rf"{PREFIX}(\d{{1,6}})(?:-full|-partition-\d{{1,2}})?")
_MODEL: Final = "LATEST-GPU-MODEL"
_MEMORY_GI: Final = 80
_COMPUTE: Final = 100
_NAMESPACE: Final = uuid.UUID("5f6f8c0e-6f0c-5f5b-9d0e-8a3e3f5b7c11")


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of a node.

    Attributes:
        node: its name; the uuids of its GPUs derive from it.
        number: how many there are.
        partitions: of each GPU; 0 are GPUs that cannot be partitioned.
        shared: whether several claims may have shares of a device.
        binding_conditions: whether a pod waits for its device before it is bound.
    """

    node: str
    number: int = 8
    partitions: int = 0
    shared: bool = False
    binding_conditions: bool = False


def inventory(gpus: Gpus) -> Inventory:
    """Return what is published where counters are stored."""
    counters = [_counters(index) for index in range(gpus.number) if gpus.partitions]
    return Inventory.of(*_devices(gpus), counters=tuple(counters))


def static_inventory(gpus: Gpus) -> Inventory:
    """Return what is published where they are not: the partitions, which fit beside each other."""
    found = [each for each in _devices(gpus) if "full" not in each.attributes]
    return Inventory.of(*(replace(each, consumes=()) for each in found))


def former(gpus: Gpus, names: Collection[str]) -> Inventory:
    """Return devices of these names, and the wholes of theirs, whatever partitions there are now.

    Each takes all of its GPU: how large a partition was nobody knows, nor whether it was shared.
    """
    alone = replace(gpus, shared=False)
    indexes = {name: int(match[1]) for name in sorted(names) if (match := _NAME.fullmatch(name))}
    wholes = {f"{PREFIX}{index}": index for index in indexes.values()}
    devices = (
        _part(alone, index, name, _MEMORY_GI, _COMPUTE, {})
        for name, index in {**wholes, **indexes}.items()
    )
    return Inventory.of(*devices, counters=tuple(map(_counters, sorted({*wholes.values()}))))


def names(found: Inventory) -> list[str]:
    """Return the names of all devices."""
    return [device.name for pool in found.pools for device in pool.devices]


def parents(gpus: Gpus) -> Mapping[str, str]:
    """Return partitions, each with the device that is the whole."""
    return {
        f"{PREFIX}{index}-partition-{number}": f"{PREFIX}{index}-full"
        for index in range(gpus.number)
        for number in range(gpus.partitions)
    }


def check(gpus: Gpus) -> None:
    """Check what a user has set.

    Raises:
        CannotServe: there are no such GPUs.
    """
    if gpus.number < 0:
        raise CannotServe(f"{gpus.number} devices cannot be; set num-devices to 0 or more")
    if not 0 <= gpus.partitions <= _MEMORY_GI:
        raise CannotServe(
            f"a GPU of {_MEMORY_GI}Gi has no {gpus.partitions} partitions of 1Gi or more; set "
            f"gpu-partitions to 0 to {_MEMORY_GI}"
        )


def ready_condition(name: str) -> JSON:
    """Return a binding condition that is true."""
    return {"type": name, "status": "True", "reason": "Ready", "message": "Device is ready"}


def device_uuid(kind: str, node: str, index: int) -> str:
    """Return the uuid of a device, the same after each start."""
    return f"{kind}-{uuid.uuid5(_NAMESPACE, f'{kind}/{node}/{index}')}"


def _devices(gpus: Gpus) -> Iterator[Device]:
    """Yield devices in the order in which they are to be given out: partitions before wholes."""
    conditions = (BINDING_CONDITION,) if gpus.binding_conditions else ()
    failures = (BINDING_FAILURE_CONDITION,) if gpus.binding_conditions else ()
    for index in range(gpus.number):
        for device in _partitioned(gpus, index) if gpus.partitions else [_whole(gpus, index)]:
            yield replace(
                device,
                shared=gpus.shared,
                binding_conditions=conditions,
                binding_failure_conditions=failures,
            )


def _whole(gpus: Gpus, index: int) -> Device:
    capacity = _capacity(_MEMORY_GI, _COMPUTE, shared=gpus.shared)
    return Device(f"{PREFIX}{index}", _attributes(gpus.node, index), capacity)


def _partitioned(gpus: Gpus, index: int) -> Iterator[Device]:
    # in whole steps of the request policy, which has to end at the capacity
    memory, compute = _MEMORY_GI // gpus.partitions, _COMPUTE // gpus.partitions
    for number in range(gpus.partitions):
        name = f"{PREFIX}{index}-partition-{number}"
        yield _part(gpus, index, name, memory, compute, {"partition": number})
    yield _part(gpus, index, f"{PREFIX}{index}-full", _MEMORY_GI, _COMPUTE, {"full": True})


def _part(
    gpus: Gpus, index: int, name: str, memory: int, compute: int, own: Mapping[str, Attribute]
) -> Device:
    taken = Consumption(_counter_set(index), _amounts(memory, compute))
    attributes = {**_attributes(gpus.node, index), "partitionable": True, **own}
    capacity = _capacity(memory, compute, shared=gpus.shared)
    return Device(name, attributes, capacity, consumes=(taken,))


def _attributes(node: str, index: int) -> Mapping[str, Attribute]:
    return {
        "index": index,
        "uuid": device_uuid("gpu", node, index),
        "model": _MODEL,
        "driverVersion": DRIVER_VERSION,
    }


def _capacity(memory: int, compute: int, *, shared: bool) -> Mapping[str, Capacity]:
    steps = _amounts(1, 1)
    return {
        name: Capacity(value, _policy(value, steps[name]) if shared else None)
        for name, value in _amounts(memory, compute).items()
    }


def _policy(value: str, step: str) -> RequestPolicy:
    """Let shares take any whole amount; one that does not say how much takes all of it."""
    if value == step:
        return RequestPolicy(value, (value,))
    return RequestPolicy(value, (), step, value, step)


def _amounts(memory: int, compute: int) -> Mapping[str, str]:
    return {"memory": f"{memory}Gi", "compute": str(compute)}


def _counters(index: int) -> CounterSet:
    return CounterSet(_counter_set(index), _amounts(_MEMORY_GI, _COMPUTE))


def _counter_set(index: int) -> str:
    return f"{PREFIX}{index}-counters"
