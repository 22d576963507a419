"""What comes of an attempt to schedule a pod."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from api.claims.view import ClaimView
from api.objects import JSON, ClaimUID, Key, NodeName
from api.pods import PodSchedulingContext


@dataclass(frozen=True, slots=True)
class Change:
    """What to publish in the spec of a PodSchedulingContext; None leaves a field as it is."""

    selected_node: str | None = None
    potential_nodes: tuple[NodeName, ...] | None = None

    def __bool__(self) -> bool:
        return self.selected_node is not None or self.potential_nodes is not None


NO_CHANGE: Final = Change()


@dataclass(frozen=True, slots=True)
class Bind:
    """The pod may run on `node` once it is a consumer of all `reserve`.

    Attributes:
        allocations: to be written before that, of the claims that have none.
        held: claims that it is a consumer of already.
    """

    node: NodeName
    reserve: tuple[ClaimView, ...]
    allocations: Mapping[ClaimUID, JSON] = field(default_factory=lambda: MappingProxyType({}))
    held: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Await:
    """A driver has to act before the pod can go on.

    Attributes:
        message: for the FailedScheduling event.
        change: to be published first.
        unreserve: claims that the pod gives back meanwhile, so that it blocks nobody.
        context: to be changed; None if it has to be made.
    """

    message: str
    change: Change
    unreserve: tuple[ClaimView, ...] = ()
    context: PodSchedulingContext | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node fits.

    Attributes:
        message: for the FailedScheduling event.
        deallocate: a claim whose deallocation may help.
        change: to be published before that.
        context: to be changed.
    """

    message: str
    deallocate: ClaimView | None = None
    change: Change = NO_CHANGE
    context: PodSchedulingContext | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended with an error, on whichever node; `message` is for the event."""

    message: str


Verdict: TypeAlias = Bind | Await | Unschedulable | Failed
