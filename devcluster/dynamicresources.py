"""The decisions of the scheduler plugin DynamicResources, for claims that a driver allocates.

One pure function per extension point; schedulingcycle.py calls them in the scheduler's order, by
way of `DriverClaims`, and binding.py carries out what they decide. The reasons they return are the
ones of kube-scheduler.
Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.30.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from api.claims.v1alpha2 import ResourceClass
from api.claims.view import ClaimView
from api.nodefit import NodeView, least_loaded
from api.objects import NodeName
from api.pods import Pod, PodSchedulingContext
from api.selectors import selects
from devcluster.podclaims import can_be_reserved, is_reserved_for
from devcluster.schedulingverdicts import NO_CHANGE, Await, Bind, Change, Unschedulable

MAX_POTENTIAL_NODES = 128
"""PodSchedulingNodeListMaxSize of k8s.io/api/resource/v1alpha2."""


@dataclass(frozen=True, slots=True)
class Use:
    """A pod's use of one claim.

    Attributes:
        name: of the claim within the pod.
        resource_class: None when it does not exist.
        unsuitable: what the driver answered; None while it has not.
    """

    name: str
    claim: ClaimView
    resource_class: ResourceClass | None
    unsuitable: frozenset[NodeName] | None

    @property
    def pending(self) -> bool:
        """Whether the claim still has to be allocated."""
        return self.claim.allocation is None


@dataclass(frozen=True, slots=True)
class Proceed:
    """Reserve agrees with the node: publish `change` if there is one, else bind."""

    change: Change


@dataclass(frozen=True, slots=True)
class Hold:
    """Reserve waits for a driver."""

    reason: str


def join_uses(
    claims: Iterable[tuple[str, ClaimView]],
    classes: Mapping[str, ResourceClass],
    context: PodSchedulingContext | None,
) -> tuple[Use, ...]:
    """Join each claim of a pod with its class and with the driver's answer about it."""
    answers = context.unsuitable_nodes if context else {}
    return tuple(
        Use(
            name=name,
            claim=claim,
            resource_class=classes.get(claim.class_name),
            unsuitable=frozenset(answers[name]) if name in answers else None,
        )
        for name, claim in claims
    )


def pre_filter(pod: Pod, uses: Sequence[Use]) -> str | None:
    """Tell why no node at all can serve the pod now; None when nodes should be looked at."""
    for use in uses:
        claim = use.claim
        if claim.deallocation_requested:
            return "resourceclaim must be reallocated"
        if claim.allocation is not None:
            if not can_be_reserved(claim) and not is_reserved_for(pod, claim):
                return "resourceclaim in use"
        elif use.resource_class is None:
            return f"resource class {claim.class_name} does not exist"
        elif claim.immediate:
            return "unallocated immediate resourceclaim"
    return None


def filter_node(uses: Sequence[Use], node: NodeView) -> str | None:
    """Tell why the pod's claims rule a node out; None when they do not."""
    for use in uses:
        if not use.pending:
            continue
        suitable = use.resource_class.suitable_nodes if use.resource_class else None
        if not selects(suitable, node.name, node.labels):
            return "excluded by resource class node filter"
        if use.unsuitable and node.name in use.unsuitable:
            return "resourceclaim cannot be allocated for the node (unsuitable)"
    if any(not _available(use.claim, node) for use in uses):
        return "resourceclaim not available on the node"
    return None


def deallocatable(pod: Pod, uses: Sequence[Use], nodes: Sequence[NodeView]) -> list[ClaimView]:
    """Return the claims whose deallocation might let the pod run somewhere.

    PostFilter asks for the deallocation of one of them: claims that sit on the wrong node, that
    were allocated for a consumer rather than at once, and that nobody else uses.

    Args:
        pod: the pod that fits nowhere.
        uses: its claims.
        nodes: those that only the claims may have ruled out.
    """
    unavailable = [use.claim for use in uses if any(_blocks(use, uses, node) for node in nodes)]
    return [
        claim
        for claim in unavailable
        if not claim.immediate and all(c.get("uid") == pod.uid for c in claim.reserved_for)
    ]


def pre_score(
    uses: Sequence[Use],
    context: PodSchedulingContext | None,
    nodes: Sequence[NodeView],
    chance: Random,
) -> tuple[NodeName, ...] | None:
    """Return the potential nodes to publish, None when the published ones will do.

    Args:
        uses: the pod's claims.
        context: the pod's, if there is one.
        nodes: those that passed the filters.
        chance: picks the 128 when there are more.
    """
    if not any(use.pending for use in uses):
        return None
    names = [node.name for node in nodes]
    if context is not None and set(names) <= set(context.potential_nodes):
        return None
    if len(names) > MAX_POTENTIAL_NODES:
        names = chance.sample(names, MAX_POTENTIAL_NODES)
    return tuple(sorted(names))


def reserve(
    uses: Sequence[Use],
    context: PodSchedulingContext | None,
    node: NodeName,
    scored: tuple[NodeName, ...] | None,
    *,
    only_candidate: bool,
) -> Proceed | Hold:
    """Decide whether to select a node now.

    With one pending claim the node is selected at once; with more, only after the drivers have
    answered for each of them, since a wrong choice would have to be undone.

    Args:
        uses: the pod's claims.
        context: the pod's, if there is one.
        node: the scheduler's choice.
        scored: what pre_score returned.
        only_candidate: no other node passed the filters, so that pre_score was not asked.
    """
    pending = [use for use in uses if use.pending]
    if not pending:
        return Proceed(NO_CHANGE)
    known = context.potential_nodes if context else []
    potential = (node,) if only_candidate and node not in known else scored
    ready = len(pending) == 1 or all(use.unsuitable is not None for use in pending)
    selected = context.selected_node if context else None
    change = Change(node if ready and selected != node else None, potential)
    if change:
        return Proceed(change)
    return Hold("waiting for resource driver to provide information")


def _available(claim: ClaimView, node: NodeView) -> bool:
    where = claim.allocation.nodes if claim.allocation else None
    return selects(where, node.name, node.labels)


def _blocks(use: Use, uses: Sequence[Use], node: NodeView) -> bool:
    """Whether a claim is among those that hold the pod off a node which is fine otherwise."""
    if _available(use.claim, node):
        return False
    return filter_node([u for u in uses if u.pending], node) is None


@dataclass(frozen=True, slots=True)
class DriverClaims:
    """The claims of a pod in one attempt: the port `devcluster.schedulingcycle.Claims`.

    Attributes:
        context: the pod's own PodSchedulingContext, if there is one.
    """

    pod: Pod
    uses: tuple[Use, ...]
    context: PodSchedulingContext | None

    def pre_filter(self) -> str | None:
        """See `pre_filter`."""
        return pre_filter(self.pod, self.uses)

    def filter(self, node: NodeView) -> str | None:
        """See `filter_node`."""
        return filter_node(self.uses, node)

    def post_filter(
        self, explained: str, usable: Sequence[NodeView], chance: Random
    ) -> Unschedulable:
        """Have a claim deallocated that sits on the wrong node, if there is one."""
        if not self.uses:
            return Unschedulable(explained)
        candidates = deallocatable(self.pod, self.uses, usable)
        if not candidates:
            return Unschedulable(f"{explained} still not schedulable")
        selected = self.context.selected_node if self.context else None
        return Unschedulable(
            f"{explained} deallocation of ResourceClaim completed",
            chance.choice(candidates),
            Change(selected_node="") if selected else NO_CHANGE,
            self.context,
        )

    def choose(
        self, fitting: Sequence[NodeView], pods_on: Mapping[NodeName, int], chance: Random
    ) -> Bind | Await:
        """Bind the pod, or have the drivers asked first."""
        only = len(fitting) == 1
        scored = None if only else pre_score(self.uses, self.context, fitting, chance)
        node = least_loaded(fitting, pods_on, chance)
        answer = reserve(self.uses, self.context, node, scored, only_candidate=only)
        if isinstance(answer, Proceed) and not answer.change:
            missing = (u.claim for u in self.uses if not is_reserved_for(self.pod, u.claim))
            return Bind(node, tuple(missing))
        held = tuple(
            u.claim for u in self.uses if not u.pending and is_reserved_for(self.pod, u.claim)
        )
        if isinstance(answer, Hold):
            return Await(_one_node(answer.reason), NO_CHANGE, held)
        return Await("waiting for resource driver", answer.change, held, self.context)


def _one_node(reason: str) -> str:
    """What Reserve says counts just the chosen node; what PreBind says is told as it is."""
    return f"0/1 nodes are available: 1 {reason}."
