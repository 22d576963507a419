"""What a driver offers on its node: pools of devices, and the counters that these share.

Values without syntax of an API version; `dra.publish` makes ResourceSlices of them. The limits of
the API are checked there, before anything is published.
Source: k8s.io/api/resource/v1 types.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self, TypeAlias

from api.objects import JSON


class Version(str):
    """An attribute that is compared as a semantic version, such as `1.2.3`."""

    __slots__ = ()


Attribute: TypeAlias = bool | int | str | Version
"""A value of an attribute; a Version is one of its own kind."""


def attribute_json(value: Attribute) -> JSON:
    """Return an attribute in the form that it has in a ResourceSlice."""
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": value}
    return {"version" if isinstance(value, Version) else "string": str(value)}


class Effect(StrEnum):
    """What a taint does to pods. Source: DeviceTaintEffect."""

    NONE = "None"
    NO_SCHEDULE = "NoSchedule"
    NO_EXECUTE = "NoExecute"


@dataclass(frozen=True, slots=True)
class Taint:
    """Keeps pods that do not tolerate it from a device.

    Attributes:
        key: a label name.
        effect: on pods.
        value: a label value.
        time_added: RFC 3339; None is when the API server stores it.
    """

    key: str
    effect: Effect
    value: str = ""
    time_added: str | None = None


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """How much of a capacity a share may take.

    Attributes:
        default: what a request that names none takes; a quantity.
        valid_values: the amounts there are, ascending; excludes a range.
        minimum: of the range; empty without one.
        maximum: of the range; empty is the whole capacity.
        step: of the range; empty is none.
    """

    default: str = ""
    valid_values: tuple[str, ...] = ()
    minimum: str = ""
    maximum: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much of something a device has.

    Attributes:
        value: a quantity, such as `80Gi`.
        policy: of shares; only for a device with `shared`.
    """

    value: str
    policy: RequestPolicy | None = None


@dataclass(frozen=True, slots=True)
class CounterSet:
    """What several devices of a pool draw on, such as the memory of one card.

    Attributes:
        name: a DNS label, unique in the pool.
        counters: quantities by name, which is a DNS label.
    """

    name: str
    counters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a device takes of a counter set while it is allocated."""

    counter_set: str
    counters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Device:
    """A device that claims may get.

    Attributes:
        name: a DNS label, unique in its pool.
        attributes: by name, a C identifier, with or without `domain/` before it.
        capacity: likewise; a text is a quantity without policy.
        consumes: of counter sets of its pool.
        taints: on it now.
        shared: whether several claims may have shares of it.
        node_selector: NodeSelector of the nodes that reach it; None is the pool's.
        binding_conditions: that have to be true before a pod that was given it is bound.
        binding_failure_conditions: of which a true one gives the device back.
    """

    name: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    capacity: Mapping[str, Capacity | str] = field(default_factory=dict)
    consumes: tuple[Consumption, ...] = ()
    taints: tuple[Taint, ...] = ()
    shared: bool = False
    node_selector: JSON | None = None
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """Devices that are published together, in the order in which they are to be given out.

    Attributes:
        name: of the pool; empty is the name of the node.
        devices: in order.
        counters: that they share.
    """

    name: str = ""
    devices: tuple[Device, ...] = ()
    counters: tuple[CounterSet, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that a driver offers on its node."""

    pools: tuple[Pool, ...] = ()

    @classmethod
    def of(cls, *devices: Device, counters: tuple[CounterSet, ...] = ()) -> Self:
        """Return an inventory of one pool, named like the node."""
        return cls((Pool("", devices, counters),))
