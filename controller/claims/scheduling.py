"""One round of negotiation over a pod: answer for its nodes, allocate on the selected one.

Source: k8s.io/dynamic-resource-allocation controller.go, syncPodSchedulingContexts (release-1.30).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.errors import UserError
from api.objects import JSON, Key, NodeName, object_key
from api.pods import Pod, PodClaim, PodSchedulingContext
from api.resources import PODS, Resource
from controller.claims.nearest import nearest_miss
from controller.claims.writer import ClaimWriter, PendingClaim
from controller.decide.allocator import Plan, Refusal
from controller.decide.negotiation import SILENT, Answer, answered, explain, favoured, negotiate
from controller.errors import ClaimNotReady, ForeignClaim, NoSuitableNode
from controller.nodes.infos import NodeInfos
from controller.outcome import After, Blocked, Done, Outcome, Topic
from controller.versions.dialect import ClaimRequests, Dialect, Unusable
from kube.client import Client
from kube.errors import KubeError, NotFound
from kube.store import Store

UNSCHEDULED = "spec.nodeName="
"""Selects the pods whose cache a PodSource needs."""

RECHECK_SECONDS = 30.0
"""How often a PodSchedulingContext is looked at again although nothing has changed."""


class Observer(Protocol):
    """Is told what was answered."""

    def unsuitable(self, reason: str, nodes: int) -> None:
        """Count nodes that were refused for a reason."""
        ...


class PodSource:
    """Finds pods by name."""

    def __init__(self, client: Client, unscheduled: Store) -> None:
        """Look into a cache of the pods that match UNSCHEDULED, then ask the API server."""
        self._client = client
        self._unscheduled = unscheduled

    def get(self, namespace: str, name: str, uid: str | None) -> Pod | None:
        """Return the pod with this uid, None when it does not exist (any more).

        Args:
            namespace: of the pod.
            name: of the pod.
            uid: another pod of the same name is not meant.
        """
        cached = self._unscheduled.get(object_key(namespace, name))
        pod = Pod(cached) if cached is not None else None
        if pod is None or pod.uid != uid:
            try:
                pod = Pod(self._client.get(PODS, name, namespace))
            except NotFound:
                return None
        return pod if pod.uid == uid else None


class PendingClaims:
    """Finds the pending claims of pods in the watch cache of claims."""

    def __init__(self, claims: Store, dialect: Dialect) -> None:
        """Look into `claims`, and read them with `dialect`."""
        self._claims = claims
        self._dialect = dialect

    def of_pod(self, pod: Pod) -> dict[str, PendingClaim] | Unusable:
        """Return the unallocated delayed claims that are ours, by name within the pod.

        Raises:
            ClaimNotReady: a claim is not in the cache yet, or is on its way out.
            ForeignClaim: a claim of the expected name was not made for this pod.
        """
        found: dict[str, PendingClaim] = {}
        for entry in pod.claims:
            claim = self._claim(pod, entry)
            if claim is None or claim.immediate or claim.allocation is not None:
                continue
            if claim.deleting:
                raise ClaimNotReady(f"claim {claim.key} is being deleted")
            reading = self._dialect.read(claim)
            if isinstance(reading, Unusable):
                return reading
            if isinstance(reading, ClaimRequests):
                found[entry.name] = PendingClaim(claim, reading)
        return found

    def nearest(
        self, infos: NodeInfos, nodes: Iterable[NodeName], pending: Sequence[PendingClaim], pod: Pod
    ) -> str:
        """Return which of the nodes lacks least for the claims of a pod, in words."""
        requests = [request for each in pending for request in each.asked.requests]
        return nearest_miss(infos, self._claims, nodes, requests, pod.uid)

    def _claim(self, pod: Pod, entry: PodClaim) -> ClaimView | None:
        """Return the claim of one entry, None for one that was deliberately not created."""
        if entry.omitted:
            return None
        raw = self._claims.get(self._key(pod, entry))
        if raw is None:
            raise ClaimNotReady(f"claim {entry.name} of pod {pod.namespace}/{pod.name} is unknown")
        claim = read_claim(raw)
        if entry.from_template and claim.owner_uid != pod.uid:
            raise ForeignClaim(
                f"ResourceClaim {claim.key} was not made for pod {pod.namespace}/{pod.name}; "
                "delete the claim or the pod"
            )
        return claim

    def _key(self, pod: Pod, entry: PodClaim) -> Key:
        """Return the claim's key; Kubernetes up to 1.27 names template claims by rule."""
        name = entry.claim_name or f"{pod.name}-{entry.name}"
        return object_key(pod.namespace, name)


class SchedulingSync:
    """Brings one PodSchedulingContext up to date."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        cache: Store,
        pods: PodSource,
        pending: PendingClaims,
        infos: NodeInfos,
        writer: ClaimWriter,
        observer: Observer,
    ) -> None:
        """Work on the objects of `resource` in `cache`."""
        self._client = client
        self._resource = resource
        self._cache = cache
        self._pods = pods
        self._pending = pending
        self._infos = infos
        self._writer = writer
        self._observer = observer

    def sync(self, key: Key) -> Outcome:
        """Answer, allocate, and say when to look again.

        Raises:
            StaleWorld: try again soon.
            KubeError: a request failed.
        """
        raw = self._cache.get(key)
        psc = PodSchedulingContext(raw) if raw is not None else None
        if psc is None or psc.deleting:
            return Done()
        if psc.selected_node is None and not psc.potential_nodes:
            return Done()
        pod = self._pods.get(psc.namespace, psc.name, psc.owner_uid)
        if pod is None or pod.deleting:
            return Done()
        try:
            pending = self._pending.of_pod(pod)
        except UserError as error:
            return Blocked(error, (pod.raw,))
        if isinstance(pending, Unusable):
            return Blocked(pending.error, (pending.claim.raw, pod.raw), pending.topics)
        return self._negotiate(psc, pod, pending) if pending else After(RECHECK_SECONDS)

    def _negotiate(
        self, psc: PodSchedulingContext, pod: Pod, pending: Mapping[str, PendingClaim]
    ) -> Outcome:
        claims = _distinct(pending.values())
        requests = [request for claim in claims for request in claim.asked.requests]

        def plan_on(node: NodeName) -> Plan | Refusal:
            return self._infos.plan(node, requests, pod.uid)

        is_silent = self._infos.heartbeats.is_silent
        alone = favoured(psc, pending, is_silent)
        if alone and self._allocate(pod, claims, alone, plan_on(alone)) is None:
            return After(RECHECK_SECONDS)
        judge = self._infos.judge(requests, pod.uid)
        answer = negotiate(psc, pending, judge, plan_on, is_silent)
        failure: KubeError | None = None
        if answer.allocate_on is not None:
            node, planned = answer.allocate_on
            try:
                refusal = self._allocate(pod, claims, node, planned)
            except KubeError as error:
                failure = error
            else:
                answer = answer if refusal is None else answer.refuse(node, refusal)
        changed = self._publish(psc, answer)
        if failure is not None:
            raise failure
        return self._next(psc, pod, pending, answer, changed)

    def _allocate(
        self, pod: Pod, claims: Sequence[PendingClaim], node: NodeName, planned: Plan | Refusal
    ) -> Refusal | None:
        """Allocate as planned or near it; what was planned stays reserved if a request fails."""
        if isinstance(planned, Refusal):
            return planned
        self._infos.reserve(pod.uid, node, planned)
        refusal = self._writer.allocate(claims, node, _consumer(pod))
        self._infos.release(pod.uid)
        return refusal

    def _publish(self, psc: PodSchedulingContext, answer: Answer) -> bool:
        body = answered(psc, answer.unsuitable)
        if body is None:
            return False
        try:
            self._cache.written(self._client.update(self._resource, body, subresource="status"))
        except NotFound:
            return False
        for reason, nodes in Counter(r.reason for r in answer.refusals.values()).items():
            self._observer.unsuitable(reason, nodes)
        return True

    def _next(
        self,
        psc: PodSchedulingContext,
        pod: Pod,
        pending: Mapping[str, PendingClaim],
        answer: Answer,
        changed: bool,
    ) -> Outcome:
        topics = frozenset(
            Topic("heartbeat" if refusal == SILENT else "node", node)
            for node, refusal in answer.refusals.items()
        )
        asked = len({*psc.potential_nodes, *answer.refusals})
        if answer.allocate_on is None and changed and len(answer.refusals) == asked:
            claims_once = _distinct(pending.values())
            near = self._pending.nearest(self._infos, answer.refusals, claims_once, pod)
            error = NoSuitableNode(explain(answer.refusals, asked, near))
            claims: tuple[JSON, ...] = tuple(p.claim.raw for p in pending.values())
            return Blocked(error, (pod.raw, *claims), topics)
        return After(RECHECK_SECONDS, topics)


def _distinct(pending: Iterable[PendingClaim]) -> list[PendingClaim]:
    """Return every claim once; a pod may list one claim under several names."""
    return list({each.claim.uid: each for each in pending}.values())


def _consumer(pod: Pod) -> JSON:
    return {"resource": "pods", "name": pod.name, "uid": pod.uid}
