"""Why a pod waits, where kube-scheduler allocates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from allocation.allocator import World
from allocation.inuse import InUse
from allocation.pools import Node
from allocation.published import Published
from allocation.selectors import Selectors
from allocation.verdicts import Outcome
from api.conditions import condition_of
from api.nodefit import NodeView, misfit
from api.objects import JSON, uid_of
from api.pods import Pod
from api.texts import counted
from explain.advice import advice, nearest
from explain.diagnosis import Cause, Diagnosis, NodeVerdict
from explain.dropped import dropped
from explain.holders import holders
from explain.nodeverdict import Ground, Wanted
from explain.podclaims import allocated, claims_of
from explain.preparing import on_its_node
from explain.room import Room, lacking, taken
from explain.seen import Seen

_ENDED: Final = ("Succeeded", "Failed")
_NOTHING: Final[Room] = {}


def explain_pod(raw: JSON, seen: Seen, selectors: Selectors) -> Diagnosis:
    """Say why a pod waits, or that it does not.

    Args:
        raw: the Pod.
        seen: the cluster; its events are those of the pod.
        selectors: compiled expressions.
    """
    pod = Pod(raw)
    found = _Explained(pod, seen, selectors).diagnosis()
    return replace(
        found,
        quoted=found.quoted or scheduler_says(raw),
        gates=seen.features.source,
        unread=seen.unread,
    )


def scheduler_says(pod: JSON) -> str:
    """Return what kube-scheduler says of a pod that it has not put on a node."""
    condition = condition_of(pod, "PodScheduled")
    return str(condition.get("message", "")) if condition.get("status") == "False" else ""


def ground(seen: Seen, selectors: Selectors) -> Ground:
    """Return what nodes are judged by."""
    gates = seen.features.gates
    in_use = InUse.of(seen.claims, gates)
    world = World(Published(seen.slices, gates), seen.classes, in_use, selectors)
    return Ground(world, holders(seen.claims))


def node_of(raw: JSON) -> Node:
    """Return a core/v1 Node as allocating takes it."""
    return Node(raw["metadata"]["name"], raw["metadata"].get("labels") or {})


@dataclass(frozen=True, slots=True)
class _Explained:
    pod: Pod
    seen: Seen
    selectors: Selectors

    @property
    def subject(self) -> str:
        return f"pod {self.pod.namespace}/{self.pod.name}"

    def diagnosis(self) -> Diagnosis:
        raw = self.pod.raw
        phase = (raw.get("status") or {}).get("phase")
        if phase in _ENDED:
            return Diagnosis(self.subject, Cause.ENDED, None, f"it has ended: {phase}")
        if not raw["spec"].get("resourceClaims"):
            return self._not_dra()
        claims, problems = claims_of(self.pod, self.seen)
        if raw["spec"].get("nodeName") and not problems:
            return on_its_node(self.pod, claims, self.seen)
        if gates := [each["name"] for each in raw["spec"].get("schedulingGates") or ()]:
            text = f"its scheduling gates are not taken away: {', '.join(gates)}"
            advised = ("see to whoever is to take the gates away",)
            return Diagnosis(self.subject, Cause.GATED, False, text, helps=advised)
        if unread := self._unread():
            return Diagnosis(self.subject, Cause.UNKNOWN, None, unread)
        if problems:
            first = problems[0]
            others = tuple(each.summary for each in problems[1:])
            helps = tuple(dict.fromkeys(each.help for each in problems))
            return Diagnosis(self.subject, first.cause, False, first.summary, others, helps=helps)
        return self._scheduled(claims)

    def _unread(self) -> str:
        """Return what there is no explanation without; empty if it was read."""
        if self.seen.lacks("resourceclaims") and not self.seen.claims:
            return "its claims can't be read"
        return "DeviceClasses can't be read" if self.seen.lacks("deviceclasses") else ""

    def _not_dra(self) -> Diagnosis:
        text = "it has no claims: whatever it waits for has nothing to do with DRA"
        if node := self.pod.raw["spec"].get("nodeName"):
            text = f"it has no claims, and is on {node}"
        return Diagnosis(self.subject, Cause.NOT_DRA, None, text)

    def _scheduled(self, claims: Sequence[JSON]) -> Diagnosis:
        """Explain a pod for which the scheduler looks for a node."""
        having = allocated(claims)
        pending = [each for each in claims if each not in having]
        wanted = Wanted(having, pending)
        nodes = tuple(self._verdicts(wanted))
        if self.seen.lacks("resourceslices") and pending:
            return Diagnosis(self.subject, Cause.UNKNOWN, None, "ResourceSlices can't be read")
        waiting = tuple(_unbound(having))
        cause, fits, summary = _conclusion(nodes)
        if fits and waiting:
            cause, fits = Cause.BINDING_CONDITIONS, False
            summary = "its devices are not ready to be bound"
        elif fits and pending and self.seen.lacks("resourceclaims"):
            cause, fits = Cause.UNKNOWN, None
            summary = f"as far as it can be seen, {summary}; who holds devices can't be read"
        invalid = [each for each in nodes if each.outcome is Outcome.INVALID]
        near = None if fits else nearest(tuple(invalid) if cause is Cause.INVALID else nodes)
        helps = tuple(dict.fromkeys(advice(near, self.seen.now))) if near else ()
        lost = (text for claim in pending for text in dropped(claim))
        facts = (*waiting, *lost, *_oddities(nodes))
        return Diagnosis(
            self.subject, cause, fits, summary, facts, nodes=nodes, nearest=near, helps=helps
        )

    def _verdicts(self, wanted: Wanted) -> Iterator[NodeVerdict]:
        judged = ground(self.seen, self.selectors)
        others = [each for each in self.seen.pods if uid_of(each) != self.pod.uid]
        used = taken(others)
        for raw in self.seen.nodes:
            name = raw["metadata"]["name"]
            place = _place(self.pod, raw, used.get(name, _NOTHING))
            yield judged.verdict(node_of(raw), wanted, place)


def _place(pod: Pod, node: JSON, used: Room) -> list[str]:
    why = misfit(pod, NodeView.parse(node))
    return [*([why] if why else []), *lacking(pod.raw, node, used)]


def _conclusion(nodes: Sequence[NodeVerdict]) -> tuple[Cause, bool | None, str]:
    if not nodes:
        return Cause.NO_NODES, False, "the cluster shows no nodes"
    reachable = [each for each in nodes if not each.place]
    invalid = next((each for each in reachable if each.outcome is Outcome.INVALID), None)
    if invalid is not None:
        return Cause.INVALID, False, f"kube-scheduler gives up on all nodes: {invalid.message}"
    if fitting := [each for each in nodes if each.fits]:
        what = f"{counted(len(fitting), 'node')}: {fitting[0].node}"
        return Cause.FITS, True, f"it fits now on {what}{', …' if len(fitting) > 1 else ''}"
    unknown = next((each for each in nodes if each.fits is None), None)
    if unknown is not None:
        return Cause.UNKNOWN, None, f"it can't be told here: {unknown.message}"
    if all(each.place for each in nodes):
        return Cause.NODES, False, "no node takes the pod, whatever its devices"
    if all(each.elsewhere for each in reachable):
        claims = ", ".join(dict.fromkeys(name for each in reachable for name in each.elsewhere))
        text = f"claim {claims} is allocated, but its devices are on none of the nodes for the pod"
        return Cause.ELSEWHERE, False, text
    return Cause.DEVICES, False, "no node has the devices that its claims ask for"


def _oddities(nodes: Sequence[NodeVerdict]) -> Iterator[str]:
    """Yield where Kubernetes refuses what one would expect to fit."""
    found = [each.oddity for each in nodes]
    found += [device.oddity for n in nodes for r in n.requests for device in r.refused]
    yield from (f"note: {each}" for each in dict.fromkeys(filter(None, found)))


def _unbound(claims: Sequence[JSON]) -> Iterator[str]:
    """Yield the binding conditions that allocated devices wait for."""
    for claim in claims:
        true = {
            (each.get("driver"), each.get("pool"), each.get("device"), condition["type"])
            for each in claim["status"].get("devices") or ()
            for condition in each.get("conditions") or ()
            if condition.get("status") == "True"
        }
        for result in claim["status"]["allocation"].get("devices", {}).get("results") or ():
            device = (result["driver"], result["pool"], result["device"])
            for condition in result.get("bindingConditions") or ():
                if (*device, condition) not in true:
                    yield f"device {'/'.join(device)}: binding condition {condition} is not true"
