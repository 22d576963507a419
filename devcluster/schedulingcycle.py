"""One attempt to schedule a pod: everything that is known in, one verdict out, no effects.

The order of the extension points and the texts of the events are those of kube-scheduler.
Source: kubernetes pkg/scheduler/schedule_one.go and framework/types.go (FitError) v1.30.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from api.nodefit import NodeView, misfit
from api.objects import NodeName
from api.pods import Pod
from devcluster.schedulingverdicts import Failed, Unschedulable, Verdict


class FilterFailed(Exception):
    """A filter ends the attempt on all nodes; the text is for the event."""


class Claims(Protocol):
    """The claims of a pod as the plugin DynamicResources treats them in one attempt."""

    def pre_filter(self) -> str | None:
        """Tell why no node at all can serve the pod now; None when nodes should be looked at."""

    def filter(self, node: NodeView) -> str | None:
        """Tell why the claims rule a node out; None when they do not. May raise FilterFailed."""

    def post_filter(
        self, explained: str, usable: Sequence[NodeView], chance: Random
    ) -> Unschedulable:
        """Say what may help a pod that fits nowhere.

        Args:
            explained: why.
            usable: nodes that only the claims may have ruled out.
            chance: breaks ties between claims.
        """

    def choose(
        self, fitting: Sequence[NodeView], pods_on: Mapping[NodeName, int], chance: Random
    ) -> Verdict:
        """Choose one of the nodes that fit, and say what comes before the pod is bound to it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the scheduler knows when it looks at a pod.

    Attributes:
        claims: the pod's; all of them exist and may be used by it.
        nodes: every node of the cluster.
        pods_on: how many pods each node has.
        lacking: what nodes have too little of for the pod, in the words of kube-scheduler.
    """

    pod: Pod
    claims: Claims
    nodes: tuple[NodeView, ...]
    pods_on: Mapping[NodeName, int]
    lacking: Mapping[NodeName, Sequence[str]] = field(default_factory=dict)

    def unfit(self, node: NodeView) -> Sequence[str]:
        """Return what keeps the pod from a node beside its claims."""
        why = misfit(self.pod, node)
        return [why] if why is not None else self.lacking.get(node.name, ())


def attempt(given: Attempt, chance: Random) -> Verdict:
    """Decide what to do about a pod that waits for a node.

    Args:
        given: the state of the cluster.
        chance: breaks ties between nodes and claims.
    """
    if not given.nodes:
        return Unschedulable("no nodes available to schedule pods")
    reason = given.claims.pre_filter()
    if reason is not None:
        text = f"{_available_of(given)} {reason}. no new claims to deallocate"
        return Unschedulable(text)
    usable = [node for node in given.nodes if not given.unfit(node)]
    try:
        fitting = [node for node in usable if given.claims.filter(node) is None]
    except FilterFailed as error:
        return Failed(f'running "DynamicResources" filter plugin: {error}')
    if fitting:
        return given.claims.choose(fitting, given.pods_on, chance)
    explained = f"{_available_of(given)} {_histogram(given)}."
    return given.claims.post_filter(explained, usable, chance)


def _histogram(given: Attempt) -> str:
    counted = Counter(reason for node in given.nodes for reason in _reasons(given, node))
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counted.items()))


def _reasons(given: Attempt, node: NodeView) -> Sequence[str]:
    if found := given.unfit(node):
        return found
    refused = given.claims.filter(node)
    return [refused] if refused is not None else []


def _available_of(given: Attempt) -> str:
    return f"0/{len(given.nodes)} nodes are available:"
