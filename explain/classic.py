"""Why a pod waits, where a driver's controller allocates: what ours would answer, and why.

The verdicts are those of the controller itself, on the node states as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from allocation.verdicts import Outcome
from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.errors import MalformedState
from api.handles import by_node, with_claims
from api.nas import AllocatedClaim, parse_nas
from api.objects import JSON, ClaimUID, NodeName, uid_of
from api.pods import Pod, PodSchedulingContext
from api.selectors import selects
from controller.decide.allocator import DeviceRequest, Refusal
from controller.decide.nearmiss import Miss
from controller.decide.nearmiss import nearest as nearest_of
from controller.decide.nodeview import NodeView, view_of
from controller.versions.dialect import ClaimRequests, Dialect, NotOurs
from controller.versions.v1alpha2 import V1Alpha2
from controller.versions.v1alpha3 import V1Alpha3
from explain.advice import nearest
from explain.conclusion import conclusion
from explain.diagnosis import Cause, Diagnosis, NodeVerdict
from explain.seen import Classic, Seen
from explain.stages import places, scheduler_says, settled


def _dialect(classic: Classic) -> Dialect:
    """Return who reads claims."""
    sources = {kind: _Source(found) for kind, found in classic.objects.items()}
    made = V1Alpha2 if classic.version == "v1alpha2" else V1Alpha3
    return made(classic.contract.driver_name, sources)


def _node(classic: Classic, name: str, claims: Sequence[ClaimView]) -> NodeView | Refusal:
    """Return what a node offers, or why it takes no claims; `claims` are those that are there."""
    raw = classic.states.get(name)
    if raw is None:
        return view_of(None)
    try:
        state = parse_nas(raw, classic.contract.device_key)
    except MalformedState as error:
        return Refusal("Malformed", str(error))
    return view_of(with_claims(state, claims, classic.contract))


@dataclass(frozen=True, slots=True)
class _Source:
    """Implements controller.versions.dialect.ObjectSource."""

    found: Mapping[str, JSON]

    def get(self, name: str, namespace: str | None) -> JSON | None:
        """Return what was listed."""
        return self.found.get(f"{namespace}/{name}" if namespace else name)


def explain_classic(raw: JSON, seen: Seen, classic: Classic) -> Diagnosis:
    """Say why a pod waits, or that it does not.

    Args:
        raw: the Pod.
        seen: the cluster; its claims are as they were read.
        classic: what there is besides.
    """
    pod = Pod(raw)
    found = settled(pod, seen)
    if not isinstance(found, Diagnosis):
        there = by_node(map(read_claim, seen.claims), classic.contract)
        claims = [read_claim(each) for each in found]
        found = _Waiting(pod, claims, seen, classic, there).diagnosis()
    return replace(found, quoted=found.quoted or scheduler_says(raw), unread=seen.unread)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A pod that waits for a node."""

    pod: Pod
    claims: Sequence[ClaimView]
    seen: Seen
    classic: Classic
    there: Mapping[NodeName, Sequence[ClaimView]]

    def diagnosis(self) -> Diagnosis:
        subject = f"pod {self.pod.namespace}/{self.pod.name}"
        leaving = [each for each in self.claims if each.deallocation_requested]
        if leaving:
            text = f"claim {leaving[0].key} is being deallocated, and will be allocated anew"
            helps = ("see that the controller of the driver runs, which gives devices back",)
            return Diagnosis(subject, Cause.DRIVER, False, text, helps=helps)
        if immediate := [each for each in self._pending() if each.immediate]:
            text = f"claim {immediate[0].key} is to be allocated at once, and is not"
            helps = ("see what the events of the claim and the driver's controller say",)
            return Diagnosis(subject, Cause.DRIVER, False, text, helps=helps)
        requests: list[DeviceRequest] = []
        others: list[ClaimView] = []
        selectors: list[JSON] = []
        for claim in self._pending():
            reading = _dialect(self.classic).read(claim)
            if isinstance(reading, NotOurs):
                others.append(claim)
            elif isinstance(reading, ClaimRequests):
                requests += reading.requests
                selectors += reading.node_selectors
            else:
                return Diagnosis(subject, Cause.INVALID, False, str(reading.error))
        nodes = tuple(self._verdicts(requests, selectors, others))
        return self._concluded(subject, nodes, requests, others)

    def _pending(self) -> list[ClaimView]:
        return [each for each in self.claims if each.allocation is None]

    def _concluded(
        self,
        subject: str,
        nodes: tuple[NodeVerdict, ...],
        requests: Sequence[DeviceRequest],
        others: Sequence[ClaimView],
    ) -> Diagnosis:
        decide = ("resourceclaims", "nodeallocationstates")
        cause, fits, summary = conclusion(nodes, self.seen, decide)
        if self.seen.lacks("nodeallocationstates") and self._pending():
            cause, fits = Cause.UNKNOWN, None
        miss = None if fits else self._nearest(nodes, requests)
        near = None if fits else nearest(nodes)
        if miss:
            near = next(each for each in nodes if each.node == miss.node)
        helps = tuple(self._advice(near, miss)) if near else ()
        silent = self._unanswered()
        if silent and fits:
            cause, fits = Cause.DRIVER, False
            summary += f"; but the driver has not answered for {', '.join(silent)}"
            helps = ("see that the controller of the driver runs, and what its log says",)
        facts = tuple(f"claim {each.key} is another driver's" for each in others)
        return Diagnosis(subject, cause, fits, summary, facts, "", nodes, near, helps)

    def _verdicts(
        self,
        requests: Sequence[DeviceRequest],
        selectors: Sequence[JSON],
        others: Sequence[ClaimView],
    ) -> Iterator[NodeVerdict]:
        for raw, place in places(self.pod, self.seen):
            name, labels = raw["metadata"]["name"], raw["metadata"].get("labels") or {}
            elsewhere = tuple(
                each.key
                for each in self.claims
                if each.allocation and not selects(each.allocation.nodes, name, labels)
            )
            if any(not selects(each, name, labels) for each in selectors):
                place.append("excluded by resource class node filter")
            message = self._refusal(name, requests) or self._unsuitable(name, others)
            outcome = Outcome.REFUSED if message else None
            fits = not (place or elsewhere or message)
            yield NodeVerdict(name, fits, tuple(place), elsewhere, outcome, message)

    def _refusal(self, node: str, requests: Sequence[DeviceRequest]) -> str:
        """Return why our driver refuses a node, empty if it doesn't."""
        if not requests:
            return ""
        view = self._view(node)
        found = view.plan(requests) if isinstance(view, NodeView) else view
        return found.message if isinstance(found, Refusal) else ""

    def _view(self, node: str) -> NodeView | Refusal:
        return _node(self.classic, node, self.there.get(NodeName(node), ()))

    def _unsuitable(self, node: str, others: Sequence[ClaimView]) -> str:
        """Return what other drivers have answered about a node."""
        if self.classic.context is None:
            return ""
        answers = PodSchedulingContext(self.classic.context).unsuitable_nodes
        names = [each.name for each in self.pod.claims if each.claim_name in _named(others)]
        refused = [each for each in names if NodeName(node) in answers.get(each, [])]
        return f"another driver refuses it for {', '.join(refused)}" if refused else ""

    def _unanswered(self) -> list[str]:
        """Return the claims for which a driver was asked, and has not answered."""
        if self.classic.context is None:
            return []
        context = PodSchedulingContext(self.classic.context)
        if not context.potential_nodes and not context.selected_node:
            return []
        pending = _named(self._pending())
        known = context.unsuitable_nodes
        return [e.name for e in self.pod.claims if e.claim_name in pending and e.name not in known]

    def _advice(self, node: NodeVerdict, miss: Miss | None) -> Iterator[str]:
        yield from (f"make {node.node} take the pod: {each}" for each in node.place)
        for claim in node.elsewhere:
            yield f"{node.node} can't reach the devices of claim {claim}: delete what uses it"
        if node.message:
            told = f"; {miss.told(self._claim_of)}" if miss else ""
            yield f"have more devices free on {node.node}: {node.message}{told}"

    def _nearest(
        self, nodes: Sequence[NodeVerdict], requests: Sequence[DeviceRequest]
    ) -> Miss | None:
        """Return which node that takes the pod lacks least devices of ours."""
        views = (self._view(each.node) for each in nodes if not each.elsewhere)
        supplies = (view.supply() for view in views if isinstance(view, NodeView))
        return nearest_of(supplies, requests)

    def _claim_of(self, uid: ClaimUID, _entry: AllocatedClaim) -> JSON | None:
        return next((each for each in self.seen.claims if uid_of(each) == uid), None)


def _named(claims: Sequence[ClaimView]) -> set[str | None]:
    return {each.name for each in claims}
