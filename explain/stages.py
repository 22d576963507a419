"""What keeps a pod from being looked at for a node, and what it waits for when it has one."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from api.conditions import condition_of
from api.nodefit import NodeView, misfit
from api.noderoom import lacking, taken
from api.objects import JSON, uid_of
from api.pods import Pod
from explain.diagnosis import Cause, Diagnosis
from explain.extended import extended_claim
from explain.podclaims import claims_of
from explain.preparing import on_its_node
from explain.seen import Seen

_ENDED: Final = ("Succeeded", "Failed")
_NOTHING: Final[Mapping[str, Fraction]] = {}


def settled(pod: Pod, seen: Seen) -> list[JSON] | Diagnosis:
    """Return the claims of a pod that waits for a node, or the explanation of one that doesn't."""
    subject, raw = f"pod {pod.namespace}/{pod.name}", pod.raw
    phase = (raw.get("status") or {}).get("phase")
    if phase in _ENDED:
        return Diagnosis(subject, Cause.ENDED, None, f"it has ended: {phase}")
    extended = extended_claim(pod, seen)
    if not raw["spec"].get("resourceClaims") and extended is None:
        text = "it has no claims: whatever it waits for has nothing to do with DRA"
        if node := raw["spec"].get("nodeName"):
            text = f"it has no claims, and is on {node}"
        return Diagnosis(subject, Cause.NOT_DRA, None, text)
    claims, problems = claims_of(pod, seen)
    claims += [extended] if extended is not None else []
    if raw["spec"].get("nodeName") and not problems:
        return on_its_node(pod, claims, seen)
    if gates := [each["name"] for each in raw["spec"].get("schedulingGates") or ()]:
        text = f"its scheduling gates are not taken away: {', '.join(gates)}"
        advised = ("see to whoever is to take the gates away",)
        return Diagnosis(subject, Cause.GATED, False, text, helps=advised)
    if unread := _unread(seen):
        return Diagnosis(subject, Cause.UNKNOWN, None, unread)
    if problems:
        first = problems[0]
        others = tuple(each.summary for each in problems[1:])
        helps = tuple(dict.fromkeys(each.help for each in problems))
        return Diagnosis(subject, first.cause, False, first.summary, others, helps=helps)
    return claims


def scheduler_says(pod: JSON) -> str:
    """Return what kube-scheduler says of a pod that it has not put on a node."""
    condition = condition_of(pod, "PodScheduled")
    return str(condition.get("message", "")) if condition.get("status") == "False" else ""


def places(pod: Pod, seen: Seen) -> Iterator[tuple[JSON, list[str]]]:
    """Yield each node, with what keeps a pod from there beside its claims."""
    used = taken(each for each in seen.pods if uid_of(each) != pod.uid)
    for node in seen.nodes:
        why = misfit(pod, NodeView.parse(node))
        lacks = lacking(pod.raw, node, used.get(node["metadata"]["name"], _NOTHING))
        yield node, [*([why] if why else []), *lacks]


def _unread(seen: Seen) -> str:
    """Return what there is no explanation without; empty if it was read."""
    if seen.lacks("resourceclaims") and not seen.claims:
        return "its claims can't be read"
    unread = seen.lacks("deviceclasses", "resourceclasses")
    return "classes of devices can't be read" if unread else ""
