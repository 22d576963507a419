"""Gives a pod its claims: makes them from templates, and stands in for a scheduler it never met.

One half of the claim controller; claimrelease.py is the other. Decisions are in claimrules.py.
Source: kubernetes pkg/controller/resourceclaim/controller.go v1.30 (syncPod, handleClaim).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import JSON, Key, controller_uid, object_key
from api.pods import Pod, PodClaim, PodSchedulingContext
from api.resources import PODS, DraResources
from devcluster.caches import Caches
from devcluster.claimapi import ClaimApi
from devcluster.claimrules import (
    SelectNode,
    claim_from,
    existing_claim,
    for_scheduled_pod,
    recorded_statuses,
    template_name,
)
from devcluster.errors import ClaimNotMade
from devcluster.podclaims import is_finished, node_of, refusal, usable_claims, with_consumer
from kube.client import Client
from kube.errors import KubeError
from kube.events import EventRecorder

BY_OWNER: Final = "owner"


def by_owner(claim: JSON) -> Iterable[str]:
    """Index claims by the uid of the pod that they were made for."""
    uid = controller_uid(claim)
    return (uid,) if uid else ()


class PodClaimSync:
    """Brings the claims of one pod up to date."""

    def __init__(
        self, client: Client, caches: Caches, events: EventRecorder, known: ClaimApi
    ) -> None:
        """Decide on `caches`, whose claims are indexed by `BY_OWNER`; write to `client`."""
        self._known = known
        self._client = client
        self._caches = caches
        self._events = events

    def sync(self, key: Key) -> None:
        """Make missing claims, then serve a pod that has its node already.

        Raises:
            ClaimNotMade: a claim cannot be made, which the pod was told.
            KubeError: a write failed.
        """
        raw = self._caches[PODS].get(key)
        pod = Pod(raw) if raw is not None else None
        if pod is None or pod.deleting or is_finished(pod):
            return
        pod = self._record(pod, self._make_missing(pod))
        if node_of(pod):
            self._serve(pod)

    def _make_missing(self, pod: Pod) -> dict[str, str]:
        """Return the names of claim objects that the pod's status has yet to name, by entry."""
        made: dict[str, str] = {}
        for entry in pod.claims:
            try:
                claim = self._ensure(pod, entry)
            except (ClaimNotMade, KubeError) as error:
                text = f"PodResourceClaim {entry.name}: {error}"
                self._events.warning(pod.raw, "FailedResourceClaimCreation", text)
                raise
            if claim is not None:
                made[entry.name] = claim.name
        return made

    def _ensure(self, pod: Pod, entry: PodClaim) -> ClaimView | None:
        """Return the claim that has to be recorded for an entry; None if all is well."""
        if not entry.from_template or entry.omitted:
            return None
        if entry.claim_name:
            raw = self._caches[self._known.claims].get(object_key(pod.namespace, entry.claim_name))
            if raw is not None:
                self._check_owner(pod, entry, read_claim(raw))
                return None
        owned = (
            read_claim(raw) for raw in self._caches[self._known.claims].by_index(BY_OWNER, pod.uid)
        )
        return existing_claim(pod, entry, owned) or self._make(pod, entry)

    def _check_owner(self, pod: Pod, entry: PodClaim, claim: ClaimView) -> None:
        reason = refusal(pod, entry, claim)
        if reason is not None:
            raise ClaimNotMade(f"{reason}; delete the claim or the pod")

    def _make(self, pod: Pod, entry: PodClaim) -> ClaimView:
        name = template_name(pod, entry) or ""
        template = self._caches[self._known.templates].get(object_key(pod.namespace, name))
        if template is None:
            raise ClaimNotMade(f'resourceclaimtemplate "{name}" not found; create it')
        stored = self._client.create(
            self._known.claims, claim_from(template, pod, entry, self._known.claims)
        )
        self._caches[self._known.claims].written(stored)
        return read_claim(stored)

    def _record(self, pod: Pod, made: Mapping[str, str]) -> Pod:
        if not made:
            return pod
        status = {"resourceClaimStatuses": recorded_statuses(pod, dict(made))}
        stored = self._client.patch(
            PODS,
            pod.name,
            {"metadata": {"uid": pod.uid}, "status": status},
            namespace=pod.namespace,
            subresource="status",
        )
        self._caches[PODS].written(stored)
        return Pod(stored)

    def _serve(self, pod: Pod) -> None:
        claims = usable_claims(pod, self._caches[self._known.claims].get)
        if isinstance(claims, str):
            return
        known = self._known
        contexts = known.contexts if isinstance(known, DraResources) else None
        raw = self._caches[contexts].get(object_key(pod.namespace, pod.name)) if contexts else None
        context = PodSchedulingContext(raw) if raw is not None else None
        for step in for_scheduled_pod(pod, (claim for _, claim in claims), context):
            if not isinstance(step, SelectNode):
                body = with_consumer(step, pod)
                stored = self._client.update(self._known.claims, body, subresource="status")
                self._caches[self._known.claims].written(stored)
            elif contexts is not None:
                write = self._client.update if step.exists else self._client.create
                self._caches[contexts].written(write(contexts, step.body))
