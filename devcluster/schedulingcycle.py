"""One attempt to schedule a pod: everything that is known in, one verdict out, no effects.

The order of the extension points and the texts of the events are those of kube-scheduler.
Source: kubernetes pkg/scheduler/schedule_one.go and framework/types.go (FitError) v1.30.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from api.claims.view import ClaimView
from api.nodefit import NodeView, least_loaded, misfit
from api.objects import NodeName
from api.pods import Pod, PodSchedulingContext
from devcluster.dynamicresources import (
    NO_CHANGE,
    Change,
    Hold,
    Proceed,
    Use,
    deallocatable,
    filter_node,
    pre_filter,
    pre_score,
    reserve,
)
from devcluster.podclaims import is_reserved_for


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the scheduler knows when it looks at a pod.

    Attributes:
        uses: the pod's claims; all of them exist and may be used by it.
        context: the pod's own PodSchedulingContext, if there is one.
        nodes: every node of the cluster.
        pods_on: how many pods each node has.
    """

    pod: Pod
    uses: tuple[Use, ...]
    context: PodSchedulingContext | None
    nodes: tuple[NodeView, ...]
    pods_on: Mapping[NodeName, int]


@dataclass(frozen=True, slots=True)
class Bind:
    """The pod may run on `node` once it is a consumer of all `reserve`."""

    node: NodeName
    reserve: tuple[ClaimView, ...]


@dataclass(frozen=True, slots=True)
class Await:
    """A driver has to act before the pod can go on.

    Attributes:
        message: for the FailedScheduling event.
        change: to be published first.
        unreserve: claims that the pod gives back meanwhile, so that it blocks nobody.
    """

    message: str
    change: Change
    unreserve: tuple[ClaimView, ...] = ()


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node fits.

    Attributes:
        message: for the FailedScheduling event.
        deallocate: a claim whose deallocation may help.
        change: to be published before that.
    """

    message: str
    deallocate: ClaimView | None = None
    change: Change = NO_CHANGE


Verdict: TypeAlias = Bind | Await | Unschedulable


def attempt(given: Attempt, chance: Random) -> Verdict:
    """Decide what to do about a pod that waits for a node.

    Args:
        given: the state of the cluster.
        chance: breaks ties between nodes and claims.
    """
    if not given.nodes:
        return Unschedulable("no nodes available to schedule pods")
    reason = pre_filter(given.pod, given.uses)
    if reason is not None:
        text = f"{_available_of(given)} {reason}. no new claims to deallocate"
        return Unschedulable(text)
    usable = [node for node in given.nodes if misfit(given.pod, node) is None]
    fitting = [node for node in usable if filter_node(given.uses, node) is None]
    if not fitting:
        return _post_filter(given, usable, chance)
    return _choose(given, fitting, chance)


def _choose(given: Attempt, fitting: Sequence[NodeView], chance: Random) -> Verdict:
    only = len(fitting) == 1
    scored = None if only else pre_score(given.uses, given.context, fitting, chance)
    node = least_loaded(fitting, given.pods_on, chance)
    answer = reserve(given.uses, given.context, node, scored, only_candidate=only)
    if isinstance(answer, Proceed) and not answer.change:
        missing = (u.claim for u in given.uses if not is_reserved_for(given.pod, u.claim))
        return Bind(node, tuple(missing))
    held = tuple(
        u.claim for u in given.uses if not u.pending and is_reserved_for(given.pod, u.claim)
    )
    if isinstance(answer, Hold):
        return Await(_one_node(answer.reason), NO_CHANGE, held)
    return Await("waiting for resource driver", answer.change, held)


def _post_filter(given: Attempt, usable: Sequence[NodeView], chance: Random) -> Unschedulable:
    explained = f"{_available_of(given)} {_histogram(given)}."
    if not given.uses:
        return Unschedulable(explained)
    candidates = deallocatable(given.pod, given.uses, usable)
    if not candidates:
        return Unschedulable(f"{explained} still not schedulable")
    selected = given.context.selected_node if given.context else None
    return Unschedulable(
        f"{explained} deallocation of ResourceClaim completed",
        chance.choice(candidates),
        Change(selected_node="") if selected else NO_CHANGE,
    )


def _histogram(given: Attempt) -> str:
    reasons = (misfit(given.pod, n) or filter_node(given.uses, n) for n in given.nodes)
    counted = Counter(reason for reason in reasons if reason)
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counted.items()))


def _available_of(given: Attempt) -> str:
    return f"0/{len(given.nodes)} nodes are available:"


def _one_node(reason: str) -> str:
    """What Reserve says counts just the chosen node; what PreBind says is told as it is."""
    return f"0/1 nodes are available: 1 {reason}."
