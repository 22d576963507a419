"""One round of negotiation over a pod: answer for its nodes, allocate on the selected one.

Source: k8s.io/dynamic-resource-allocation controller.go, syncPodSchedulingContexts (release-1.30).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from api.errors import UserError
from api.objects import JSON, Key, NodeName
from api.pods import Pod, PodSchedulingContext
from api.resources import Resource
from controller.claims.pending import PendingClaims
from controller.claims.writer import ClaimWriter, PendingClaim
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.decide.negotiation import SILENT, Answer, answered, explain, favoured, negotiate
from controller.errors import NoSuitableNode
from controller.nodes.ledger import Ledger
from controller.outcome import After, Blocked, Done, Outcome, Topic
from controller.versions.dialect import Unusable
from kube.client import Client
from kube.errors import KubeError, NotFound
from kube.store import Store

RECHECK_SECONDS = 30.0
"""How often a PodSchedulingContext is looked at again although nothing has changed."""


class Pods(Protocol):
    """Finds pods."""

    def get(self, namespace: str, name: str, uid: str | None) -> Pod | None:
        """Return the pod with this uid, None when it does not exist."""
        ...


class Observer(Protocol):
    """Is told what was answered."""

    def unsuitable(self, reason: str, nodes: int) -> None:
        """Count nodes that were refused for a reason."""
        ...


class SchedulingSync:
    """Brings one PodSchedulingContext up to date."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        cache: Store,
        pods: Pods,
        pending: PendingClaims,
        ledger: Ledger,
        writer: ClaimWriter,
        observer: Observer,
    ) -> None:
        """Work on the objects of `resource` in `cache`."""
        self._client = client
        self._resource = resource
        self._cache = cache
        self._pods = pods
        self._pending = pending
        self._ledger = ledger
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
        def plan_on(node: NodeName, requests: Sequence[DeviceRequest]) -> Plan | Refusal:
            return self._ledger.plan(node, requests, pod.uid)

        claims = _distinct(pending.values())
        requests = [request for claim in claims for request in claim.asked.requests]
        is_silent = self._ledger.heartbeats.is_silent
        alone = favoured(psc, pending, is_silent)
        if alone and self._allocate(pod, claims, alone, plan_on(alone, requests)) is None:
            return After(RECHECK_SECONDS)
        answer = negotiate(psc, pending, requests, plan_on, is_silent)
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
        self._ledger.reserve(pod.uid, node, planned)
        refusal = self._writer.allocate(claims, node, _consumer(pod))
        self._ledger.release(pod.uid)
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
            error = NoSuitableNode(explain(answer.refusals, asked))
            claims: tuple[JSON, ...] = tuple(p.claim.raw for p in pending.values())
            return Blocked(error, (pod.raw, *claims), topics)
        return After(RECHECK_SECONDS, topics)


def _distinct(pending: Iterable[PendingClaim]) -> list[PendingClaim]:
    """Return every claim once; a pod may list one claim under several names."""
    return list({each.claim.uid: each for each in pending}.values())


def _consumer(pod: Pod) -> JSON:
    return {"resource": "pods", "name": pod.name, "uid": pod.uid}
