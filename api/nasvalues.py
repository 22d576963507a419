"""NodeAllocationState (NAS) as values: what a node offers, who got it, what is prepared there.

Made by the readers of api.nas, from which everybody takes them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

from api.devices import PreparedDevice, Share
from api.names import STATUS_NOT_READY, STATUS_READY
from api.objects import ClaimUID, DeviceID, NodeName
from api.sharing import Clients, sharers


@dataclass(frozen=True, slots=True)
class Device:
    """A whole device that the node offers."""

    id: DeviceID
    model: str


@dataclass(frozen=True, slots=True)
class AllocatedDevice:
    """A device given to a claim; `split` children of it when that is 2 or more.

    Attributes:
        share: of the device, which other claims may use too; None if the claim has it alone.
    """

    id: DeviceID
    split: int = 0
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class AllocatedClaim:
    """The devices of one claim, and the claim's place for people who look at the NAS."""

    devices: tuple[AllocatedDevice, ...]
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of the node's plugin.

    Attributes:
        renewed: when it was given, by the clock of the node: for people, and to tell it from the
            one before.
        seconds: within which the next one follows; None if the plugin has ended.
    """

    renewed: str
    seconds: int | None = None


Allocated: TypeAlias = Mapping[ClaimUID, AllocatedClaim]
Prepared: TypeAlias = Mapping[ClaimUID, tuple[PreparedDevice, ...]]


@dataclass(frozen=True, slots=True)
class NodeAllocationState:
    """One NAS as a value.

    Attributes:
        allocatable: in the order of the object, which is the order of preference.
        allocated: by claim uid.
        prepared: by claim uid.
        sharing: how devices of the node may be shared between claims, of the strategies in
            api.names; none where plugin or definition of the NAS are too old for that.
        in_claims: by claim uid, what claims on the node say themselves; not a part of the object.
        unreadable: why a claim on the node cannot be read, empty if all can; likewise.
        writer: who wrote `allocated` last; empty where it tells of all claims.
        prepared_here: whether `prepared` tells of all prepared claims.
        uid: of the object that was read; one that was deleted and made anew has another.
        resource_version: of the object that was read; guards every write of `allocated`.
        heartbeat: the last one of the plugin; None if it never gave one.
    """

    node: NodeName
    namespace: str
    resource_version: str = ""
    status: str = STATUS_NOT_READY
    allocatable: tuple[Device, ...] = ()
    allocated: Allocated = field(default_factory=lambda: MappingProxyType({}))
    prepared: Prepared = field(default_factory=lambda: MappingProxyType({}))
    heartbeat: Heartbeat | None = None
    sharing: tuple[str, ...] = ()
    in_claims: Allocated = field(default_factory=lambda: MappingProxyType({}))
    unreadable: str = ""
    writer: str = ""
    prepared_here: bool = True
    uid: str = ""

    @property
    def ready(self) -> bool:
        """Whether the node's plugin serves the kubelet."""
        return self.status == STATUS_READY

    @property
    def written(self) -> tuple[str, str]:
        """In which object, and by whom, `allocated` was written last."""
        return self.uid, self.writer

    def with_spec_of(self, other: "NodeAllocationState") -> "NodeAllocationState":
        """Return this state with what another one offers, has allocated and has prepared."""
        return replace(
            self,
            allocatable=other.allocatable,
            allocated=other.allocated,
            prepared=other.prepared,
            sharing=other.sharing,
        )

    @property
    def holders(self) -> Allocated:
        """Claims with devices of the node, wherever that is written; what they say counts."""
        return {**self.allocated, **self.in_claims} if self.in_claims else self.allocated

    def used(self) -> frozenset[DeviceID]:
        """Return the ids of all devices that some claim holds."""
        places = (*self.allocated.values(), *self.in_claims.values())
        return frozenset(d.id for claim in places for d in claim.devices)

    def occupied(self) -> frozenset[DeviceID]:
        """Return the ids of all devices that no claim may have alone.

        Besides those that are held these are the ones that a container may still see: of a claim
        that was taken back without its node, or whose entry somebody deleted.
        """
        prepared = (d for devices in self.prepared.values() for d in devices)
        return self.used() | {d.parent or d.id for d in prepared}

    def clients(self) -> Mapping[DeviceID, Clients]:
        """Return who shares each of the devices that are shared, and that nobody has alone.

        A claim that is prepared with another share than is allocated to it counts for both.
        """
        return sharers(self._held())

    def _held(self) -> Iterator[tuple[DeviceID, ClaimUID, Share | None]]:
        """Yield what each claim has of each device, allocated or prepared."""
        for place in (self.allocated, self.in_claims):
            for uid, claim in place.items():
                for given in claim.devices:
                    yield given.id, uid, given.share
        for uid, devices in self.prepared.items():
            for made in devices:
                yield made.parent or made.id, uid, made.share
