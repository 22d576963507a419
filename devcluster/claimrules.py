"""The decisions of the resourceclaim controller of kube-controller-manager.

Pure: objects in, objects to write out; podclaimsync.py and claimrelease.py carry them out.
Source: kubernetes pkg/controller/resourceclaim/controller.go v1.28 to v1.30.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from api.claims.view import ClaimView, with_status
from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON, Key, object_key
from api.pods import Pod, PodClaim, PodSchedulingContext
from api.resources import DRA_V1ALPHA2, Resource
from devcluster.podclaims import (
    can_be_reserved,
    is_finished,
    is_reserved_for,
    node_of,
)

FINALIZER: Final = "resource.kubernetes.io/delete-protection"
"""Of claims that the scheduler has allocated."""

_BASE_LENGTH = 57
"""A name has at most 63 characters, of which a hyphen and 5 random ones are generated."""


def owned_by(pod: Pod) -> list[JSON]:
    """Return the ownerReferences of an object that lives as long as a pod."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
    return [owner | {"controller": True, "blockOwnerDeletion": True}]


def generated_name(pod_name: str, claim_name: str) -> str:
    """Return the generateName of a claim made from a template.

    When the two names are too long together, both lose the same share of their characters.
    """
    length = len(pod_name) + 1 + len(claim_name)
    if length > _BASE_LENGTH:
        pod_name = pod_name[: len(pod_name) * _BASE_LENGTH // length]
        claim_name = claim_name[: len(claim_name) * _BASE_LENGTH // length]
    return f"{pod_name}-{claim_name}-"


def template_name(pod: Pod, entry: PodClaim) -> str | None:
    """Return the name of the ResourceClaimTemplate of an entry, None if it has none."""
    for raw in (pod.raw.get("spec") or {}).get("resourceClaims") or []:
        if raw["name"] == entry.name:
            source = raw.get("source") or raw
            return source.get("resourceClaimTemplateName") or None
    return None


def template_keys(pod: Pod) -> Iterator[Key]:
    """Yield the cache keys of the templates that a pod's claims are made from."""
    for entry in pod.claims:
        name = template_name(pod, entry)
        if name:
            yield object_key(pod.namespace, name)


def claim_from(template: JSON, pod: Pod, entry: PodClaim, resource: Resource) -> JSON:
    """Return the claim to create for a pod's entry, in a version of resource.k8s.io."""
    spec = template.get("spec") or {}
    extra = spec.get("metadata") or {}
    annotations = {**(extra.get("annotations") or {}), POD_CLAIM_NAME_ANNOTATION: entry.name}
    meta: JSON = {
        "generateName": generated_name(pod.name, entry.name),
        "namespace": pod.namespace,
        "annotations": annotations,
        "ownerReferences": owned_by(pod),
    }
    if extra.get("labels"):
        meta["labels"] = dict(extra["labels"])
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": meta,
        "spec": spec.get("spec") or {},
    }


def existing_claim(pod: Pod, entry: PodClaim, claims: Iterable[ClaimView]) -> ClaimView | None:
    """Return the claim that was made for a pod's entry before, recorded or not.

    A claim without the annotation counts when it has the name that Kubernetes 1.27 gave it.

    Args:
        pod: the pod.
        entry: one of its template entries.
        claims: all claims of the pod's namespace that the pod owns.
    """
    legacy = f"{pod.name}-{entry.name}"
    for claim in claims:
        if claim.owner_uid != pod.uid or claim.deleting:
            continue
        if (claim.pod_claim_name or entry.name) != entry.name:
            continue
        if claim.pod_claim_name == entry.name or claim.name == legacy:
            return claim
    return None


def recorded_statuses(pod: Pod, made: dict[str, str]) -> list[JSON]:
    """Return `status.resourceClaimStatuses` of a pod with newly made claims added.

    Args:
        pod: the pod.
        made: names of claim objects by the entries' names.
    """
    old = (pod.raw.get("status") or {}).get("resourceClaimStatuses") or []
    kept = [status for status in old if status["name"] not in made]
    return kept + [{"name": k, "resourceClaimName": v} for k, v in sorted(made.items())]


def still_consumes(pod: Pod | None, consumer: JSON) -> bool:
    """Tell whether a consumer of a claim is still there.

    Args:
        pod: the pod of the consumer's name, None when there is none.
        consumer: an entry of `status.reservedFor`.
    """
    return pod is not None and pod.uid == consumer.get("uid") and not is_finished(pod)


def foreign_consumers(claim: ClaimView) -> list[JSON]:
    """Return the consumers that are no pods, about which this controller knows nothing."""
    return [c for c in claim.reserved_for if c.get("apiGroup") or c.get("resource") != "pods"]


def released(claim: ClaimView, keep: Callable[[JSON], bool]) -> JSON | None:
    """Return the claim without its departed consumers, None when all of them are there.

    When the last one of a WaitForFirstConsumer claim goes, the driver is asked to deallocate; what
    the scheduler allocated is free at once.
    """
    kept = [consumer for consumer in claim.reserved_for if keep(consumer)]
    free = not kept and not claim.immediate and claim.allocation is not None
    unused = free and claim.deleting and FINALIZER in claim.finalizers
    if len(kept) == len(claim.reserved_for) and not unused:
        return None
    return deallocated(claim) if free else with_status(claim.raw, reservedFor=kept or None)


def deallocated(claim: ClaimView) -> JSON:
    """Return a claim without consumers and devices; those of a driver it is asked to free."""
    if FINALIZER in claim.finalizers:
        return with_status(claim.raw, reservedFor=None, allocation=None, devices=None)
    return with_status(claim.raw, reservedFor=None, deallocationRequested=True)


def without_finalizer(claim: ClaimView) -> JSON | None:
    """Return a claim that the scheduler need not protect, None where it has to, or never did."""
    if claim.allocation is not None or FINALIZER not in claim.finalizers:
        return None
    kept = [name for name in claim.finalizers if name != FINALIZER]
    return {**claim.raw, "metadata": {**claim.raw["metadata"], "finalizers": kept}}


def is_leftover(claim: ClaimView, owner: Pod | None) -> bool:
    """Tell whether a generated claim has no more use although its pod's name still exists.

    Args:
        claim: an unreserved claim.
        owner: the pod that owns it by name, whatever its uid.
    """
    if claim.owner_uid is None or claim.deleting or owner is None:
        return False
    return owner.uid != claim.owner_uid or is_finished(owner)


@dataclass(frozen=True, slots=True)
class SelectNode:
    """Publish a PodSchedulingContext that selects the node of an already scheduled pod."""

    body: JSON
    exists: bool


def for_scheduled_pod(
    pod: Pod, claims: Iterable[ClaimView], context: PodSchedulingContext | None
) -> list[ClaimView | SelectNode]:
    """Decide what to do for a pod that got its node without the scheduler.

    Args:
        pod: a pod with spec.nodeName that is not finished.
        claims: the claims of the pod that it may use.
        context: the object of the pod's name.

    Returns:
        claims to reserve for the pod, then at most one SelectNode for its first claim that is
        not allocated; drivers allocate all of the pod's claims when they see it.
    """
    steps: list[ClaimView | SelectNode] = []
    for claim in claims:
        if claim.allocation is None:
            if not claim.immediate:
                steps.extend(_select_node(pod, context))
                break
        elif _may_reserve(pod, claim):
            steps.append(claim)
    return steps


def _may_reserve(pod: Pod, claim: ClaimView) -> bool:
    """Tell whether to add a pod to the consumers of an allocated claim; the API has the rules."""
    settled = not claim.deallocation_requested and not claim.deleting
    return settled and can_be_reserved(claim) and not is_reserved_for(pod, claim)


def _select_node(pod: Pod, context: PodSchedulingContext | None) -> list[SelectNode]:
    spec = {"selectedNode": node_of(pod)}
    if context is None:
        meta = {
            "name": pod.name,
            "namespace": pod.namespace,
            "ownerReferences": owned_by(pod),
        }
        head = {
            "apiVersion": DRA_V1ALPHA2.contexts.api_version,
            "kind": DRA_V1ALPHA2.contexts.kind,
        }
        return [SelectNode({**head, "metadata": meta, "spec": spec}, exists=False)]
    if context.owner_uid != pod.uid or context.selected_node == node_of(pod):
        return []
    old = context.raw.get("spec") or {}
    return [SelectNode(context.raw | {"spec": {**old, **spec}}, exists=True)]
