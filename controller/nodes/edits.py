"""Edits of a node's allocations, as values: what somebody wants of `allocatedClaims`.

Made by controller.claims.writer, applied and written by controller.nodes.commits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from api.claims.view import ClaimView
from api.nas import AllocatedClaim, NodeAllocationState
from api.nasvalues import Allocated
from api.objects import ClaimUID
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.nodes.ledger import view_of

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Applied(Generic[R_co]):
    """What becomes of a node's state by an edit.

    Attributes:
        allocated: what ought to be allocated there; None leaves everything as it is.
        result: for who wanted the edit.
    """

    allocated: Allocated | None
    result: R_co


class Edit(Protocol[R_co]):
    """Something that is wanted of a node."""

    def apply(self, state: NodeAllocationState | None) -> Applied[R_co]:
        """Return what becomes of a state, None if the node has none; without side effects.

        It is asked anew for each attempt to write, perhaps by another thread; its last answer is
        the one that counts.

        Raises:
            DriverError: the edit cannot be applied.
        """
        ...


@dataclass(frozen=True, slots=True)
class Allocate:
    """Give claims the devices that they ask for, all or nothing."""

    claims: Mapping[ClaimUID, ClaimView]
    requests: Sequence[DeviceRequest]

    def apply(self, state: NodeAllocationState | None) -> Applied[Plan | Refusal]:
        """Plan anew on this state; what a claim has there already it keeps."""
        view = view_of(state)
        planned = view if isinstance(view, Refusal) else view.plan(self.requests)
        if state is None or isinstance(planned, Refusal):
            return Applied(None, planned)
        given = {
            uid: state.allocated.get(uid)
            or AllocatedClaim(devices, self.claims[uid].namespace, self.claims[uid].name)
            for uid, devices in planned.items()
        }
        return Applied({**state.allocated, **given}, planned)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the devices of a claim back.

    Attributes:
        claim: whose.
        still: asked once no allocation on the node can be under way; False calls it off.
    """

    claim: ClaimUID
    still: Callable[[], bool] = lambda: True

    def apply(self, state: NodeAllocationState | None) -> Applied[bool]:
        """Tell whether there was something to take back."""
        if state is None or self.claim not in state.allocated or not self.still():
            return Applied(None, False)
        left = {uid: given for uid, given in state.allocated.items() if uid != self.claim}
        return Applied(left, True)


@dataclass(frozen=True, slots=True)
class Enter:
    """Give a claim devices again.

    Attributes:
        claim: that has none there.
        entry: what to enter in a state, decided on nothing newer or older; None calls it off.
    """

    claim: ClaimUID
    entry: Callable[[NodeAllocationState], AllocatedClaim | None]

    def apply(self, state: NodeAllocationState | None) -> Applied[bool]:
        """Tell whether something was entered."""
        absent = state is not None and self.claim not in state.allocated
        given = self.entry(state) if state is not None and absent else None
        if state is None or given is None:
            return Applied(None, False)
        return Applied({**state.allocated, self.claim: given}, True)
