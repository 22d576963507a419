"""The decisions of the scheduler plugin DynamicResources, for claims that it allocates itself.

Pure but for what it remembers of the nodes that it was asked about. How devices are allocated is
decided in `allocation`.
Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.37.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

from allocation.allocator import World, allocate
from allocation.pools import Node
from allocation.verdicts import Allocation, Outcome, Refusals
from api.claims.view import ClaimView
from api.nodefit import NodeView, least_loaded
from api.objects import JSON, NodeName
from api.pods import Pod
from api.selectors import selects
from devcluster.bindingconditions import is_ready
from devcluster.errors import DevicesNotReady
from devcluster.podclaims import is_reserved_for
from devcluster.schedulingcycle import FilterFailed
from devcluster.schedulingverdicts import Bind, Unschedulable

_BEST_SCORE: Final = 8
"""Of the first of several alternatives: FirstAvailableDeviceRequestMaxSize."""

_TOLD: Final = 3
_REASONS: Final = {
    Outcome.REFUSED: "cannot allocate all claims",
    Outcome.GAVE_UP: "timed out trying to allocate devices",
}


class StructuredClaims:
    """The claims of a pod in one attempt: the port `devcluster.schedulingcycle.Claims`."""

    def __init__(
        self,
        pod: Pod,
        claims: Sequence[ClaimView],
        world: World,
        share_id: Callable[[], str],
        now: float,
    ) -> None:
        """Look at the world as it is now.

        Args:
            pod: the pod.
            claims: in the order of the pod.
            world: slices, classes, and what is allocated.
            share_id: makes the uid of a share of a device.
            now: seconds since the epoch.
        """
        self._pod = pod
        self._now = now
        self._claims = claims
        self._pending = [claim for claim in claims if claim.allocation is None]
        self._world = world
        self._share_id = share_id
        self._found: dict[NodeName, Allocation | Refusals] = {}

    def pre_filter(self) -> str | None:
        """Tell which class is missing."""
        for claim in self._pending:
            for name, request in _requests(claim):
                wanted = request["deviceClassName"]
                if wanted not in self._world.classes:
                    return f"request {name}: device class {wanted} does not exist"
        return None

    def filter(self, node: NodeView) -> str | None:
        """Allocate on a node, unless an allocated claim is elsewhere."""
        if not all(self._available(claim, node) for claim in self._claims):
            return "resourceclaim not available on the node"
        found = self._on(node) if self._pending else None
        if not isinstance(found, Refusals):
            return None
        if found.outcome not in _REASONS:
            raise FilterFailed(found.message)
        return _REASONS[found.outcome]

    def post_filter(
        self, explained: str, usable: Sequence[NodeView], _chance: Random
    ) -> Unschedulable:
        """Free a claim that keeps the pod from a node, and say what the allocator said."""
        for claim in self._claims:
            elsewhere = any(not self._available(claim, node) for node in usable)
            if elsewhere and all(c.get("uid") == self._pod.uid for c in claim.reserved_for):
                text = f"{explained} deallocation of ResourceClaim completed"
                return Unschedulable(text, deallocate=claim)
        return Unschedulable(" ".join([explained, *self._told()]))

    def choose(
        self, fitting: Sequence[NodeView], pods_on: Mapping[NodeName, int], chance: Random
    ) -> Bind:
        """Bind to one of the nodes with the best alternatives."""
        scores = {node.name: self._score(node.name) for node in fitting}
        best = [node for node in fitting if scores[node.name] == max(scores.values())]
        node = least_loaded(best, pods_on, chance)
        missing = tuple(c for c in self._claims if not is_reserved_for(self._pod, c))
        held = tuple(c.key for c in self._claims if is_reserved_for(self._pod, c))
        found = self._found.get(node)
        made = found.claims if isinstance(found, Allocation) else ()
        uids = (claim.uid for claim in self._pending)
        return Bind(node, missing, dict(zip(uids, made, strict=True)), held)

    def _available(self, claim: ClaimView, node: NodeView) -> bool:
        """Tell whether an allocated claim can be used on a node, or waited for there."""
        if claim.allocation is None:
            return True
        if not selects(claim.allocation.nodes, node.name, node.labels):
            return False
        try:
            is_ready(claim, self._now)
        except DevicesNotReady:
            return False
        return True

    def _on(self, node: NodeView) -> Allocation | Refusals:
        if node.name not in self._found:
            raw = [claim.raw for claim in self._pending]
            where = Node(node.name, node.labels)
            self._found[node.name] = allocate(raw, where, self._world, self._share_id)
        return self._found[node.name]

    def _score(self, node: NodeName) -> int:
        found = self._found.get(node)
        if not isinstance(found, Allocation):
            return 0
        made = zip(self._pending, found.claims, strict=True)
        return sum(_score(claim, allocation) for claim, allocation in made)

    def _told(self) -> Iterator[str]:
        """Yield what was refused, first what most nodes have in common."""
        refused = [each for each in self._found.values() if isinstance(each, Refusals)]
        counted = Counter(each.message for each in refused)
        for message, nodes in counted.most_common(_TOLD):
            yield f"({message})" if len(counted) == 1 else f"({nodes}: {message})"


def _requests(claim: ClaimView) -> Iterator[tuple[str, JSON]]:
    """Yield the requests of a claim by name, with alternatives in place of what they are for."""
    for request in claim.raw["spec"]["devices"].get("requests") or ():
        if "exactly" in request:
            yield request["name"], request["exactly"]
        for each in request.get("firstAvailable") or ():
            yield f"{request['name']}/{each['name']}", each


def _score(claim: ClaimView, allocation: JSON) -> int:
    chosen = {each["request"] for each in allocation["devices"].get("results") or ()}
    return sum(
        _BEST_SCORE - index
        for request in claim.raw["spec"]["devices"].get("requests") or ()
        for index, each in enumerate(request.get("firstAvailable") or ())
        if f"{request['name']}/{each['name']}" in chosen
    )
