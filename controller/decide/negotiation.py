"""What to answer in a PodSchedulingContext: unsuitable nodes per claim, and where to allocate.

Pure: nodes are asked through a function, time and writes are the caller's.
Source: k8s.io/dynamic-resource-allocation controller.go, syncPodSchedulingContexts (release-1.30);
unlike there an answer is cut to the API's limit before it is compared with the stored one.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from api.objects import JSON, NodeName
from api.pods import PodSchedulingContext
from api.texts import counted, listed
from controller.decide.allocator import Plan, Refusal
from kube.events import LONGEST_MESSAGE

SILENT: Final = Refusal("Silent", "its plugin has stopped sending heartbeats")

MAX_NODES = 128
"""PodSchedulingSelectorMaxSize: most nodes that one list may have."""

_SHOWN_NODES: Final = 3
_SHOWN_REASONS: Final = 5

Results: TypeAlias = Mapping[NodeName, Refusal | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the driver says about one pod.

    Attributes:
        unsuitable: for every pending claim of the pod, by its name within the pod.
        refusals: why each refused node cannot serve the pod.
        allocate_on: the selected node with its plan, None when there is nothing to allocate now.
    """

    unsuitable: Mapping[str, list[NodeName]]
    refusals: Mapping[NodeName, Refusal]
    allocate_on: tuple[NodeName, Plan] | None

    def refuse(self, node: NodeName, refusal: Refusal) -> "Answer":
        """Return the answer after the selected node turned out not to serve the pod."""
        refusals = {**self.refusals, node: refusal}
        unsuitable = {
            claim: nodes if node in nodes else _cut([*nodes, node], node)
            for claim, nodes in self.unsuitable.items()
        }
        return Answer(unsuitable, refusals, None)


def favoured(
    psc: PodSchedulingContext, claims: Iterable[str], is_silent: Callable[[NodeName], bool]
) -> NodeName | None:
    """Return the selected node if the stored answer names it unsuitable for none of the claims.

    The scheduler selected it by that answer. If it still serves the pod, nobody needs to know any
    more about the other potential nodes, unless one of these is better than a silent one.

    Args:
        psc: maybe with our answer.
        claims: names of all pending claims within the pod.
        is_silent: tells whether a node's plugin may not be there to prepare claims.
    """
    selected, known = psc.selected_node, psc.unsuitable_nodes
    if selected is None or any(selected in known.get(name, [selected]) for name in claims):
        return None
    return None if is_silent(selected) else selected


def negotiate(
    psc: PodSchedulingContext,
    claims: Collection[str],
    judge: Callable[[NodeName], Refusal | None],
    plan_on: Callable[[NodeName], Plan | Refusal],
    is_silent: Callable[[NodeName], bool],
) -> Answer:
    """Ask every node that the scheduler considers.

    Args:
        psc: with potential nodes, a selected node, or both.
        claims: names of all pending claims within the pod.
        judge: tells why a node cannot serve all of these claims, None if it can.
        plan_on: plans all of them on the selected node.
        is_silent: tells whether a node's plugin may not be there to prepare claims.

    Returns:
        The same unsuitable nodes for every claim, since a pod needs them all. Without potential
        nodes (the pod has spec.nodeName) no list is given, only the selected node is tried.
    """
    selected = psc.selected_node
    results = {node: judge(node) for node in psc.potential_nodes}
    plans: dict[NodeName, Plan] = {}
    if selected is not None:
        planned = plan_on(selected)
        if isinstance(planned, Refusal):
            results[selected] = planned
        else:
            results[selected], plans[selected] = None, planned
    results |= dict.fromkeys(_to_avoid(psc, claims, results, is_silent), SILENT)
    refusals = {node: refusal for node, refusal in results.items() if refusal is not None}
    unsuitable = _cut(list(refusals), selected) if psc.potential_nodes else []
    return Answer(
        unsuitable={name: list(unsuitable) for name in claims},
        refusals=refusals,
        allocate_on=next((it for it in plans.items() if it[0] not in refusals), None),
    )


def _to_avoid(
    psc: PodSchedulingContext,
    claims: Container[str],
    results: Results,
    is_silent: Callable[[NodeName], bool],
) -> list[NodeName]:
    """Return the silent nodes if another potential node suits, to us and to other drivers."""
    suitable = [node for node, refusal in results.items() if refusal is None]
    silent = [node for node in suitable if is_silent(node)]
    if not silent:
        return []
    others = [nodes for name, nodes in psc.unsuitable_nodes.items() if name not in claims]
    better = {*suitable} & {*psc.potential_nodes} - {*silent}.union(*others)
    return silent if better else []


def answered(psc: PodSchedulingContext, unsuitable: Mapping[str, list[NodeName]]) -> JSON | None:
    """Return the PodSchedulingContext with our entries in its status, None if they are there.

    An entry is written for every claim, even an empty one: the scheduler waits for it. Entries of
    other drivers stay as they are.
    """
    known = psc.unsuitable_nodes
    if all(known.get(name) == nodes for name, nodes in unsuitable.items()):
        return None
    status = psc.raw.get("status") or {}
    entries = [e for e in status.get("resourceClaims") or [] if e["name"] not in unsuitable]
    ours = [{"name": name, "unsuitableNodes": nodes} for name, nodes in unsuitable.items()]
    return {**psc.raw, "status": {**status, "resourceClaims": [*entries, *ours]}}


def explain(refusals: Mapping[NodeName, Refusal], asked: int, nearest: str = "") -> str:
    """Return one line for people: how many nodes fit, and why the others do not.

    Nodes with the same reason are named together; the most frequent reason comes first. What would
    not fit into an event is left out, by reasons.

    Args:
        refusals: of nodes.
        asked: how many nodes there were.
        nearest: the nearest miss, empty if there is none.
    """
    nodes: dict[str, list[str]] = {}
    for node, refusal in refusals.items():
        nodes.setdefault(refusal.message, []).append(node)
    reasons = sorted(nodes.items(), key=lambda item: (-len(item[1]), item[0]))
    told = [f"{listed(sorted(names), _SHOWN_NODES)}: {message}" for message, names in reasons]
    text = head = f"{asked - len(refusals)} of {asked} nodes can serve the claims"
    if nearest:
        text = head = f"{head}; {nearest}"
    for shown in range(min(len(told), _SHOWN_REASONS), 0, -1):
        more = len(told) - shown
        rest = [counted(more, "more reason")] if more else []
        text = "; ".join([head, *told[:shown], *rest])
        if len(text.encode()) <= LONGEST_MESSAGE:
            break
    return text


def _cut(nodes: list[NodeName], selected: NodeName | None) -> list[NodeName]:
    """Cut to the API's limit without losing the selected node."""
    if selected in nodes[:MAX_NODES]:
        return nodes[:MAX_NODES]
    return nodes[-MAX_NODES:]
