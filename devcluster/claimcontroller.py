"""The claim controller of the embedded cluster, as kube-controller-manager has one.

Finds out which pods and claims to look at; podclaimsync.py gives pods their claims, and
claimrelease.py takes claims back. Finalizers of claims belong to drivers, but for
the one of the scheduler, which goes with its allocation.
Source: kubernetes pkg/controller/resourceclaim/controller.go v1.30 (enqueuePod, enqueueClaim).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from api.objects import JSON, Key, key_of
from api.pods import Pod
from api.resources import PODS, DraResources, Resource
from devcluster.caches import Caches
from devcluster.claimapi import CLASSIC, ClaimApi
from devcluster.claimrelease import ClaimRelease
from devcluster.claimrules import template_keys
from devcluster.controlloop import ControlLoop
from devcluster.extendedresources import recorded
from devcluster.podclaims import claim_keys, is_finished
from devcluster.podclaimsync import BY_OWNER, PodClaimSync, by_owner
from kube.cache import Indexer
from kube.client import Client
from kube.events import EventRecorder
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle

_POD: Final = "pod:"
_CLAIM: Final = "claim:"
_BY_CLAIM: Final = "claim"
_BY_TEMPLATE: Final = "template"


def _indexers(known: ClaimApi) -> Mapping[Resource, Mapping[str, Indexer]]:
    contexts = [known.contexts] if isinstance(known, DraResources) else []
    return {
        PODS: {
            _BY_CLAIM: lambda pod: claim_keys(Pod(pod)),
            _BY_TEMPLATE: lambda pod: template_keys(Pod(pod)),
        },
        known.claims: {BY_OWNER: by_owner},
        known.templates: {},
        **{each: {} for each in contexts},
    }


class ClaimController:
    """Makes, reserves, releases and deletes claims on behalf of pods.

    Attributes:
        caches: what it decides on.
        queue: `pod:` and `claim:` keys to look at.
    """

    def __init__(
        self,
        client: Client,
        *,
        events: EventRecorder,
        known: ClaimApi = CLASSIC,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a controller that is not running.

        Args:
            client: the API server.
            events: where FailedResourceClaimCreation goes.
            known: the resources that the API server has.
            clock: seconds, monotonic, for back-off.
        """
        self.caches = Caches(client, _indexers(known))
        self.queue = WorkQueue(clock=clock)
        self._claims = known.claims
        self._of_pods = PodClaimSync(client, self.caches, events, known)
        self._of_claims = ClaimRelease(client, self.caches, known)
        self._loop = ControlLoop("claim-controller", self.caches, self.queue, self._handle)
        self.caches[PODS].subscribe(self._on_pod)
        self.caches[known.claims].subscribe(self._on_claim)
        self.caches[known.templates].subscribe(self._on_template)
        if isinstance(known, DraResources):
            self.caches[known.contexts].subscribe(self._on_context)

    def start(self, life: Lifecycle) -> None:
        """Start watching and working, on threads that `life` stops."""
        self._loop.start(life)

    def process(self, key: str) -> None:
        """Bring the object of a queue key up to date; a failed request leads to another try."""
        self._loop.process(key)

    def _handle(self, key: str) -> None:
        if key.startswith(_POD):
            self._of_pods.sync(Key(key.removeprefix(_POD)))
        else:
            self._of_claims.sync(Key(key.removeprefix(_CLAIM)))

    def _on_pod(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a pod with claims; at its claims when it needs them no more."""
        pod = Pod(new or old or {})
        extended = recorded(pod)
        if not any(pod.claims) and extended is None:
            return
        if new is not None:
            self.queue.add(f"{_POD}{key_of(new)}")
        if new is None or is_finished(pod):
            self._add(_CLAIM, claim_keys(pod))
            owned = self.caches[self._claims].by_index(BY_OWNER, pod.uid)
            self._add(_CLAIM, (key_of(claim) for claim in owned))

    def _on_claim(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a claim, and at the pods that may have waited for this change."""
        key = key_of(new or old or {})
        if new is not None:
            self.queue.add(f"{_CLAIM}{key}")
        self._add(_POD, map(key_of, self.caches[PODS].by_index(_BY_CLAIM, key)))

    def _on_template(self, _old: JSON | None, new: JSON | None) -> None:
        """Look at the pods whose claims can be made now."""
        if new is not None:
            pods = self.caches[PODS].by_index(_BY_TEMPLATE, key_of(new))
            self._add(_POD, map(key_of, pods))

    def _on_context(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a pod whose object of another pod got out of its way."""
        if new is None and old is not None:
            self._add(_POD, [key_of(old)])

    def _add(self, prefix: str, keys: Iterable[Key]) -> None:
        for key in keys:
            self.queue.add(f"{prefix}{key}")
