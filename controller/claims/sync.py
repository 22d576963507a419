"""One look at a claim by itself: free it, or allocate it when it does not wait for a pod.

Source: k8s.io/dynamic-resource-allocation controller.go, syncClaim (release-1.30).
"""

from collections.abc import Iterator

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.contract import Contract
from api.objects import JSON, Key, NodeName, object_key
from api.selectors import selects
from controller.claims.nearest import nearest_miss
from controller.claims.writer import ClaimWriter, PendingClaim
from controller.decide.allocator import DeviceRequest, Refusal, left_over
from controller.decide.negotiation import explain
from controller.decide.nodehealth import Severity, objection
from controller.decide.placement import Candidate, preferred
from controller.errors import NodeOfLastResort, NoSuitableNode
from controller.nodes.infos import NodeInfos
from controller.outcome import ANY_NODE, After, Again, Blocked, Done, Outcome, Topic, Warned
from controller.versions.dialect import ClaimRequests, Dialect, NotOurs, Unusable
from kube.errors import NotFound
from kube.store import Store


class ClaimSync:
    """Brings one ResourceClaim up to date."""

    def __init__(
        self,
        contract: Contract,
        cache: Store,
        dialect: Dialect,
        nodes: Store,
        infos: NodeInfos,
        writer: ClaimWriter,
    ) -> None:
        """Work on the claims in `cache`, by what the Nodes in `nodes` say."""
        self._contract = contract
        self._cache = cache
        self._dialect = dialect
        self._nodes = nodes
        self._infos = infos
        self._writer = writer

    def sync(self, key: Key) -> Outcome:
        """Free the claim if nobody needs it, allocate it if it is Immediate.

        Raises:
            StaleWorld: try again soon.
            KubeError: a request failed.
        """
        raw = self._cache.get(key)
        if raw is None:
            return Done()
        claim = read_claim(raw)
        if rests(claim, self._contract):
            return Done()
        if claim.leaving:
            return self._free(claim)
        return self._allocate(claim)

    def _free(self, claim: ClaimView) -> Outcome:
        try:
            busy = self._writer.deallocate(claim)
        except NotFound:
            return Done()
        if busy is None:
            return Done()
        return After(busy.seconds_left, frozenset({Topic("node", busy.node)}))

    def _allocate(self, claim: ClaimView) -> Outcome:
        reading = self._dialect.read(claim)
        if isinstance(reading, NotOurs):
            return Again(reading.topics)
        if isinstance(reading, Unusable):
            return Blocked(reading.error, (claim.raw,), reading.topics)
        waiting = PendingClaim(claim, reading)
        refusals: dict[NodeName, Refusal] = {}
        # v1alpha2 alone has Immediate claims, and one request in each
        policy = reading.requests[0].offered_by_class.policy
        for candidate in preferred(self._candidates(waiting), policy):
            refusal = self._try(waiting, candidate)
            if refusal is None:
                return _allocated(claim, candidate)
            refusals[candidate.node] = refusal
        near = nearest_miss(
            self._infos, self._cache, refusals, waiting.asked.requests, waiting.claim.uid
        )
        told = explain(refusals, len(refusals), near) if refusals else "no node offers devices"
        return Blocked(NoSuitableNode(told), (claim.raw,), frozenset({ANY_NODE}))

    def _try(self, waiting: PendingClaim, candidate: Candidate) -> Refusal | None:
        objection = candidate.objection
        if objection is not None and objection.severity == Severity.CLOSED:
            return Refusal("Closed", f"no pod can run there: {objection.message}")
        planned = self._infos.plan(candidate.node, waiting.asked.requests, waiting.claim.uid)
        if isinstance(planned, Refusal):
            return planned
        return self._writer.allocate([waiting], candidate.node, None)

    def _candidates(self, waiting: PendingClaim) -> Iterator[Candidate]:
        """Yield the nodes with a state that the claim's classes select."""
        holding = self._infos.holders(waiting.claim.uid)
        for name in self._infos.nodes():
            node = self._nodes.get(object_key(None, name))
            if _selected(waiting.asked, name, node):
                silent = self._infos.heartbeats.is_silent(name)
                left = self._left(name, waiting.asked.requests[0])
                yield Candidate(name, objection(node, silent=silent), name in holding, left)

    def _left(self, node: NodeName, request: DeviceRequest) -> int:
        """Return how much of a node is free, by which its class's policy goes."""
        view = self._infos.view(node)
        if isinstance(view, Refusal):
            return 0
        policy = request.offered_by_class.policy
        return len(view.free) if policy is None else left_over(view.free, view.shared, request)


def _selected(asked: ClaimRequests, name: NodeName, node: JSON | None) -> bool:
    if node is None:
        return not asked.node_selectors
    labels = node["metadata"]["labels"]
    return all(selects(selector, name, labels) for selector in asked.node_selectors)


def _allocated(claim: ClaimView, candidate: Candidate) -> Outcome:
    if candidate.objection is None:
        return Done()
    text = (
        f"allocated on node {candidate.node} because no better one can serve the claim: "
        f"{candidate.objection.message}"
    )
    return Warned(NodeOfLastResort(text), (claim.raw,))


def rests(claim: ClaimView, contract: Contract) -> bool:
    """Tell whether there is nothing to do for a claim, whatever else there is."""
    if claim.reserved_for:
        return True
    if claim.leaving:
        return not claim.held_by(contract)
    return claim.allocation is not None or not claim.immediate
