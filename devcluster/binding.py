"""Carries out the verdicts of a scheduling cycle: every write of the scheduler is in here.

Answers of the API server go into the caches at once, so that the next attempt builds on them.
Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.30 (podSchedulingState,
PostFilter, Unreserve, PreBind, PostBind) and pkg/scheduler/framework/plugins/defaultbinder.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from api.claims.versions import read_claim
from api.claims.view import ClaimView, with_status
from api.objects import JSON, Key, NodeName
from api.pods import Pod, PodSchedulingContext
from api.resources import PODS, binding_of
from api.times import timestamp
from devcluster.bindingconditions import TIMEOUT_SECONDS, is_ready
from devcluster.caches import Caches
from devcluster.claimapi import CLASSIC, ClaimApi
from devcluster.claimrules import FINALIZER, deallocated, owned_by
from devcluster.errors import DevicesNotReady, NotBound
from devcluster.extendedresources import ExtendedClaim, with_extended_claim
from devcluster.podclaims import with_consumer, without_consumer
from devcluster.schedulingverdicts import Bind, Change
from kube.client import Client
from kube.errors import ApiError, Conflict, KubeError, NotFound
from ops.logs import get_logger

_PRE_BIND: Final = 'PreBind plugin "DynamicResources"'
_BIND: Final = 'Bind plugin "DefaultBinder"'

_LOG = get_logger("scheduler")


@dataclass(frozen=True, slots=True)
class Reserved:
    """A pod that has its node and its claims, and is still to be bound.

    Attributes:
        since: seconds since the epoch.
    """

    pod: Pod
    node: NodeName
    claims: tuple[Key, ...]
    since: float


class Binder:
    """Writes claims, PodSchedulingContexts and bindings; raises KubeError."""

    def __init__(
        self,
        client: Client,
        caches: Caches,
        known: ClaimApi,
        now: Callable[[], float],
        *,
        stamps: bool,
    ) -> None:
        """Write to `client`, and show the answers in `caches`.

        Args:
            client: the API server.
            caches: of the scheduler.
            known: the resources that the API server has.
            now: seconds since the epoch.
            stamps: whether allocations bear a time.
        """
        self._client = client
        self._caches = caches
        self._claims = known.claims
        self._now = now
        self._stamps = stamps

    def publish(self, pod: Pod, context: PodSchedulingContext | None, change: Change) -> None:
        """Create or change the PodSchedulingContext of a pod; nothing to do for an empty change.

        Only fields of the spec are sent, so that an answer of a driver in between is no conflict.
        """
        if not change:
            return
        if context is None:
            stored = self._client.create(CLASSIC.contexts, _new_context(pod, change))
        else:
            stored = self._client.patch(
                CLASSIC.contexts,
                pod.name,
                {"metadata": {"uid": context.raw["metadata"]["uid"]}, "spec": _spec(change)},
                namespace=pod.namespace,
            )
        self._caches[CLASSIC.contexts].written(stored)

    def deallocate(self, claim: ClaimView) -> None:
        """Free a claim, or ask its driver to, that is in nobody's way but the pod's own."""
        self._write(deallocated(claim))

    def give_back(self, pod: Pod, claims: Iterable[ClaimView]) -> None:
        """Take a pod off the consumers of claims, so that it blocks nobody while it waits."""
        for claim in claims:
            self._write(without_consumer(claim, pod))

    def reserve(self, pod: Pod, to: Bind) -> Reserved:
        """Allocate claims, and make a pod their consumer.

        When something fails the pod gives back what it got, as in `bind`; allocations stay.

        Raises:
            NotBound: the API server refused; with the words of kube-scheduler about it.
            Conflict: an object has changed meanwhile.
        """
        claims = [*to.held]
        with self._given_back(pod, claims, _PRE_BIND):
            for claim in to.reserve:
                ready = self._allocated(self._made(claim), to.allocations.get(claim.uid))
                claims.append(self._write(with_consumer(ready, pod)).key)
                if isinstance(claim, ExtendedClaim):
                    self._record(pod, claim, ready.name)
        return Reserved(pod, to.node, tuple(claims), self._now())

    def bind(self, reserved: Reserved) -> bool:
        """Bind a pod to its node, unless it has to wait for devices; tell whether it is bound.

        Raises:
            NotBound: the API server refused, or the devices will not be ready.
            Conflict: an object has changed meanwhile.
        """
        pod = reserved.pod
        with self._given_back(pod, reserved.claims, _PRE_BIND):
            if not self._are_ready(reserved):
                return False
        with self._given_back(pod, reserved.claims, _BIND):
            self._client.create(binding_of(pod.name), _binding(pod, reserved.node), pod.namespace)
        return True

    def clean_up(self, pod: Pod) -> None:
        """Delete the PodSchedulingContext of a bound pod; failing that the garbage collector does.

        The cache may not know of it yet, so it is deleted without looking.
        """
        try:
            self._client.delete(CLASSIC.contexts, pod.name, pod.namespace)
        except NotFound:
            return
        except KubeError as error:
            _LOG.warning("left a PodSchedulingContext behind", pod=pod.name, error=str(error))

    def _made(self, claim: ClaimView) -> ClaimView:
        """Create the claim for extended resources; the others are there."""
        if not isinstance(claim, ExtendedClaim):
            return claim
        meta = {k: v for k, v in claim.raw["metadata"].items() if k not in ("name", "uid")}
        stored = self._client.create(self._claims, {**claim.raw, "metadata": meta})
        self._caches[self._claims].written(stored)
        return read_claim(stored)

    def _record(self, pod: Pod, claim: ExtendedClaim, name: str) -> None:
        patch = {"metadata": {"uid": pod.uid}, "status": with_extended_claim(claim, name)}
        stored = self._client.patch(
            PODS, pod.name, patch, namespace=pod.namespace, subresource="status"
        )
        self._caches[PODS].written(stored)

    def _allocated(self, claim: ClaimView, allocation: JSON | None) -> ClaimView:
        """Return a claim with its allocation, to be written; its finalizer is written before."""
        if allocation is None:
            return claim
        if FINALIZER not in claim.finalizers:
            meta = {**claim.raw["metadata"], "finalizers": [*claim.finalizers, FINALIZER]}
            claim = self._write({**claim.raw, "metadata": meta}, None)
        time = {"allocationTimestamp": timestamp(self._now())} if self._stamps else {}
        return read_claim(with_status(claim.raw, allocation={**allocation, **time}))

    def _are_ready(self, reserved: Reserved) -> bool:
        now = self._now()
        ready = all(is_ready(claim, now) for claim in self._stored(reserved.claims))
        if not ready and now - reserved.since > TIMEOUT_SECONDS:
            # also of a claim that somebody has freed meanwhile
            raise DevicesNotReady("device binding timeout: context deadline exceeded")
        return ready

    def _stored(self, claims: Iterable[Key]) -> Iterator[ClaimView]:
        found = (self._caches[self._claims].get(key) for key in claims)
        return (read_claim(raw) for raw in found if raw is not None)

    @contextmanager
    def _given_back(self, pod: Pod, claims: Collection[Key], plugin: str) -> Iterator[None]:
        """Let a pod be no consumer of claims if what is done inside fails."""
        try:
            yield
        except (KubeError, DevicesNotReady) as error:
            self._roll_back(pod, claims)
            if isinstance(error, DevicesNotReady):
                raise NotBound(f"running {plugin}: {error}") from error
            if isinstance(error, Conflict) or not isinstance(error, ApiError):
                raise
            raise NotBound(f"running {plugin}: {error.message}") from error

    def _roll_back(self, pod: Pod, claims: Iterable[Key]) -> None:
        try:
            self.give_back(pod, self._stored(claims))
        except KubeError as error:
            _LOG.warning("pod keeps a reserved claim", pod=pod.name, error=str(error))

    def _write(self, claim: JSON, subresource: str | None = "status") -> ClaimView:
        stored = self._client.update(self._claims, claim, subresource=subresource)
        self._caches[self._claims].written(stored)
        return read_claim(stored)


def _spec(change: Change) -> JSON:
    fields: JSON = {}
    if change.selected_node is not None:
        fields["selectedNode"] = change.selected_node
    if change.potential_nodes is not None:
        fields["potentialNodes"] = [*change.potential_nodes]
    return fields


def _new_context(pod: Pod, change: Change) -> JSON:
    return {
        "apiVersion": CLASSIC.contexts.api_version,
        "kind": CLASSIC.contexts.kind,
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "ownerReferences": owned_by(pod),
        },
        "spec": _spec(change),
    }


def _binding(pod: Pod, node: NodeName) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
