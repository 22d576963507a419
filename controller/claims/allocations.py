"""The trace of a success for users: the Normal event `Allocated` on the claim.

Recorded by controller.claims.writer after the last write of an allocation, so once for each of
them; what is found allocated already was told of by whoever allocated it.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

from api.nas import AllocatedDevice
from api.objects import JSON, NodeName
from api.texts import counted, listed

_SHOWN: Final = 8

Told: TypeAlias = Callable[[JSON, NodeName, Sequence[AllocatedDevice]], None]
"""Takes a claim as it is stored with its allocation, its node, and its devices there."""


class Events(Protocol):
    """What is needed of kube.events.EventRecorder."""

    def normal(self, obj: JSON, reason: str, message: str) -> None:
        """Record a Normal event about an object."""
        ...


def teller(events: Events) -> Told:
    """Return what records the event of each allocation in `events`."""

    def tell(claim: JSON, node: NodeName, devices: Sequence[AllocatedDevice]) -> None:
        events.normal(claim, "Allocated", described(node, devices))

    return tell


def described(node: NodeName, devices: Sequence[AllocatedDevice]) -> str:
    """Return what a claim got, for people."""
    names = [f"{d.id} split in {d.split}" if d.split > 1 else d.id for d in devices]
    return f"{counted(len(devices), 'device')} of node {node}: {listed(names, _SHOWN)}"
