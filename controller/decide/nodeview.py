"""What one node offers to claims, and what the nodes say to the requests of a pod: pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from api.names import NAS_KIND
from api.nas import AllocatedClaim, Device, NodeAllocationState
from controller.decide.allocator import DeviceRequest, Plan, Refusal, plan
from controller.decide.nearmiss import Supply
from controller.decide.timeslices import SharedDevice, at_hand
from ops.pruning import APPLY

NO_SHARING: Final = Refusal(
    "SharingNotOffered",
    f"its plugin, or the definition of {NAS_KIND}, is too old to record that claims share devices; "
    f"upgrade both: {APPLY}",
)
"""Nothing is shared then: what a NAS does not record, nobody would keep to."""

NONE_RESERVED: Final[Plan] = MappingProxyType({})

_Models: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node that takes claims.

    Attributes:
        state: of the node.
        free: devices that no claim occupies.
        shared: devices that claims share, and that nobody has alone.
        models: how many devices of each model the node has, and how many of these are free.
    """

    state: NodeAllocationState
    free: tuple[Device, ...]
    shared: tuple[SharedDevice, ...]
    models: tuple[_Models, _Models]

    @classmethod
    def of(cls, state: NodeAllocationState) -> "NodeView":
        """Return the view of a node in this state."""
        free, shared = at_hand(state)
        return cls(state, free, shared, (_models(state.allocatable), _models(free)))

    def plan(
        self, requests: Sequence[DeviceRequest], reserved: Plan = NONE_RESERVED
    ) -> Plan | Refusal:
        """Plan requests on this node, leaving out what is reserved."""
        allocated = self.state.holders
        held = {r.claim: allocated[r.claim].devices for r in requests if r.claim in allocated}
        if not all(r.recordable(self.state) or r.claim in held for r in requests):
            return NO_SHARING
        free, shared = self._left(reserved)
        return plan(free, held, requests, self.state.allocatable, shared)

    def supply(self, reserved: Plan = NONE_RESERVED) -> Supply:
        """Return what this node has, of which others are about to get something."""
        return Supply(self.state, *self._left(reserved), reserved)

    def _left(self, reserved: Plan) -> tuple[tuple[Device, ...], tuple[SharedDevice, ...]]:
        """Return what is free and shared as if claims had what is reserved for them."""
        if not reserved:
            return self.free, self.shared
        more = {uid: AllocatedClaim(devices) for uid, devices in reserved.items()}
        return at_hand(replace(self.state, allocated={**more, **self.state.holders}))


def view_of(state: NodeAllocationState | None) -> NodeView | Refusal:
    """Return what a node in this state offers, or why it takes no claims."""
    if state is None:
        return Refusal("NotPublished", "no plugin has published its devices")
    if not state.ready:
        return Refusal("NotReady", f"its plugin reports status {state.status}")
    if state.unreadable:
        return Refusal("Malformed", state.unreadable)
    return NodeView.of(state)


class Verdicts:
    """What nodes say to the requests of one pod; those that differ by names only are asked once."""

    def __init__(self, requests: Sequence[DeviceRequest]) -> None:
        """Judge by these requests, which a node has to serve together."""
        self._requests = requests
        self._claims = frozenset(each.claim for each in requests)
        self._whole = all(each.max_clients is None for each in requests)
        self._known: dict[object, Refusal | None] = {}

    def refusal(self, view: NodeView, reserved: Plan = NONE_RESERVED) -> Refusal | None:
        """Return why a node cannot serve the requests, None if it can.

        Args:
            view: of the node.
            reserved: what claims of other pods are about to get.
        """
        # whole devices are chosen by their models, and only a claim that has some already stays
        if reserved or not self._whole or not self._claims.isdisjoint(view.state.holders):
            return self._asked(view, reserved)
        try:
            return self._known[view.models]
        except KeyError:
            return self._known.setdefault(view.models, self._asked(view, reserved))

    def _asked(self, view: NodeView, reserved: Plan) -> Refusal | None:
        planned = view.plan(self._requests, reserved)
        return planned if isinstance(planned, Refusal) else None


def _models(devices: Iterable[Device]) -> _Models:
    return tuple(sorted(Counter(each.model for each in devices).items()))
