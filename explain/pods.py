"""Why a pod waits, where kube-scheduler allocates."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from allocation.allocator import World
from allocation.inuse import InUse, device_id
from allocation.pools import Node
from allocation.published import Published
from allocation.selectors import Selectors
from allocation.verdicts import Outcome
from api.claims.view import results_of, true_conditions
from api.objects import JSON
from api.pods import Pod
from explain.advice import advice, nearest
from explain.conclusion import conclusion, oddities
from explain.diagnosis import Cause, Diagnosis
from explain.dropped import dropped
from explain.holders import holders
from explain.nodeverdict import Ground, Wanted
from explain.podclaims import allocated
from explain.seen import Seen
from explain.stages import places, scheduler_says, settled


def explain_pod(raw: JSON, seen: Seen, selectors: Selectors) -> Diagnosis:
    """Say why a pod waits, or that it does not.

    Args:
        raw: the Pod.
        seen: the cluster; its events are those of the pod.
        selectors: compiled expressions.
    """
    pod = Pod(raw)
    found = settled(pod, seen)
    if not isinstance(found, Diagnosis):
        found = _scheduled(pod, found, seen, selectors)
    return replace(
        found,
        quoted=found.quoted or scheduler_says(raw),
        gates=seen.features.source,
        unread=seen.unread,
    )


def ground(seen: Seen, selectors: Selectors) -> Ground:
    """Return what nodes are judged by."""
    gates = seen.features.gates
    in_use = InUse.of(seen.claims, gates)
    world = World(Published(seen.slices, gates), seen.classes, in_use, selectors)
    return Ground(world, holders(seen.claims))


def node_of(raw: JSON) -> Node:
    """Return a core/v1 Node as allocating takes it."""
    return Node(raw["metadata"]["name"], raw["metadata"].get("labels") or {})


def _scheduled(pod: Pod, claims: Sequence[JSON], seen: Seen, selectors: Selectors) -> Diagnosis:
    """Explain a pod for which the scheduler looks for a node."""
    subject, having = f"pod {pod.namespace}/{pod.name}", allocated(claims)
    pending = [each for each in claims if each not in having]
    if seen.lacks("resourceslices") and pending:
        return Diagnosis(subject, Cause.UNKNOWN, None, "ResourceSlices can't be read")
    judged, wanted = ground(seen, selectors), Wanted(having, pending)
    nodes = tuple(judged.verdict(node_of(node), wanted, place) for node, place in places(pod, seen))
    waiting = tuple(_unbound(having))
    decide = ("resourceclaims", "devicetaintrules") if pending else ()
    cause, fits, summary = conclusion(nodes, seen, decide)
    if fits and waiting:
        cause, fits = Cause.BINDING_CONDITIONS, False
        summary = "its devices are not ready to be bound"
    invalid = tuple(each for each in nodes if each.outcome is Outcome.INVALID)
    near = None if fits else nearest(invalid if cause is Cause.INVALID else nodes)
    helps = tuple(dict.fromkeys(advice(near, seen.now))) if near else ()
    lost = (text for claim in pending for text in dropped(claim))
    facts = (*waiting, *lost, *oddities(nodes))
    return Diagnosis(subject, cause, fits, summary, facts, "", nodes, near, helps)


def _unbound(claims: Sequence[JSON]) -> Iterator[str]:
    """Yield the binding conditions that allocated devices wait for."""
    for claim in claims:
        for result in results_of(claim):
            name, true = "/".join(device_id(result)), true_conditions(claim, result)
            for condition in result.get("bindingConditions") or ():
                if condition not in true:
                    yield f"device {name}: binding condition {condition} is not true"
