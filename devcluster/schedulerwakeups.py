"""From watch events to pods: which of them another attempt may help now.

Source: kubernetes pkg/scheduler/eventhandlers.go v1.30; what counts is in queueing.py.
"""

from collections.abc import Iterable

from api.claims.view import allocation_of
from api.objects import JSON, key_of
from api.pods import Pod, PodSchedulingContext
from api.resources import NODES, PODS, DraResources
from devcluster.caches import Caches
from devcluster.claimapi import RULES, ClaimApi
from devcluster.clusterview import ClusterView
from devcluster.podclaims import is_finished, node_of, usable_claims
from devcluster.queueing import (
    PodBackoff,
    claim_matters,
    context_matters,
    node_matters,
    pod_matters,
)
from kube.workqueue import WorkQueue


class Wakeups:
    """Handlers for the caches of the scheduler."""

    def __init__(
        self,
        caches: Caches,
        view: ClusterView,
        backoff: PodBackoff,
        queue: WorkQueue,
        known: ClaimApi,
    ) -> None:
        """Put keys of pods into `queue`; tell `view` and `backoff` which pods to forget."""
        self._known = known
        self._caches = caches
        self._view = view
        self._backoff = backoff
        self._queue = queue

    def subscribe(self) -> None:
        """Listen to every cache."""
        self._caches[PODS].subscribe(self.on_pod)
        self._caches[NODES].subscribe(self.on_node)
        known = self._known
        self._caches[known.claims].subscribe(self.on_claim)
        self._caches[known.classes].subscribe(self.on_offer)
        if isinstance(known, DraResources):
            self._caches[known.contexts].subscribe(self.on_context)
        else:
            self._caches[known.claims].subscribe(self.on_freed)
            for resource in (known.slices, RULES):
                if resource in self._caches:
                    self._caches[resource].subscribe(self.on_offer)

    def on_pod(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a pod that waits; forget one that is bound or gone; its room is for others."""
        pod = Pod(new or old or {})
        if new is None or (new.get("spec") or {}).get("nodeName"):
            self._view.forget(pod.uid)
            self._backoff.forget(pod.uid)
        elif pod_matters(old, new):
            self._queue.add(key_of(new))
        if _has_left(old, new):
            self._add(self._view.all_waiting())

    def on_node(self, old: JSON | None, new: JSON | None) -> None:
        """Look at all pods that wait when a node may serve more or others than before."""
        if node_matters(old, new):
            self._add(self._view.all_waiting())

    def on_offer(self, _old: JSON | None, _new: JSON | None) -> None:
        """Look at all pods with claims when a class, slice or rule comes, changes or goes.

        Without a slice that was left over, a pool may be complete.
        """
        self._add(pod for pod in self._view.all_waiting() if _may_use_claims(pod))

    def on_freed(self, old: JSON | None, new: JSON | None) -> None:
        """Look at all pods with claims when a claim gives devices back."""
        if old is not None and allocation_of(old) and not (new and allocation_of(new)):
            self._add(pod for pod in self._view.all_waiting() if _may_use_claims(pod))

    def on_claim(self, old: JSON | None, new: JSON | None) -> None:
        """Look at the pods that use a claim."""
        if new is not None and claim_matters(old, new):
            self._add(self._view.waiting_for(key_of(new)))

    def on_context(self, old: JSON | None, new: JSON | None) -> None:
        """Look at the pod that negotiates; also when another pod's object got out of its way."""
        key = key_of(new or old or {})
        pod = self._view.waiting(key)
        if pod is not None and (new is None or self._answered(pod, old, new)):
            self._queue.add(key)

    def _answered(self, pod: Pod, old: JSON | None, new: JSON) -> bool:
        claims = usable_claims(pod, self._caches[self._known.claims].get)
        if isinstance(claims, str):
            return False
        before = PodSchedulingContext(old) if old is not None else None
        return context_matters(before, PodSchedulingContext(new), claims)

    def _add(self, pods: Iterable[Pod]) -> None:
        for pod in pods:
            self._queue.add(key_of(pod.raw))


def _has_left(old: JSON | None, new: JSON | None) -> bool:
    """Tell whether a pod takes no more room on its node."""
    was_there = old is not None and bool(node_of(Pod(old))) and not is_finished(Pod(old))
    return was_there and (new is None or is_finished(Pod(new)))


def _may_use_claims(pod: Pod) -> bool:
    """Tell whether a pod has claims, or resources that a class may stand for."""
    containers = (pod.raw.get("spec") or {}).get("containers") or ()
    asked = (((c.get("resources") or {}).get("requests") or {}) for c in containers)
    return any(pod.claims) or any("/" in name for requests in asked for name in requests)
