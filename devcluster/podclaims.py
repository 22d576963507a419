"""Which ResourceClaim objects a pod means, and whether it may have them.

Source: k8s.io/dynamic-resource-allocation/resourceclaim v0.30. The scheduler, the claim
controller and the kubelet all ask these questions.
"""

from collections.abc import Callable, Iterator

from api.claims.versions import read_claim
from api.claims.view import ClaimView, with_status
from api.objects import JSON, Key, object_key
from api.pods import Pod, PodClaim

FINISHED_PHASES = frozenset({"Succeeded", "Failed"})


def is_finished(pod: Pod) -> bool:
    """Tell whether a pod runs no more and never will, so that it needs no claims."""
    status = pod.raw.get("status") or {}
    return status.get("phase") in FINISHED_PHASES or (pod.deleting and not node_of(pod))


def node_of(pod: Pod) -> str:
    """Return the node that a pod is bound to, empty before that."""
    return str((pod.raw.get("spec") or {}).get("nodeName") or "")


def claim_keys(pod: Pod) -> Iterator[Key]:
    """Yield the cache keys of the claims that exist for a pod, as far as its status tells."""
    for entry in pod.claims:
        if entry.claim_name:
            yield object_key(pod.namespace, entry.claim_name)


def refusal(pod: Pod, entry: PodClaim, claim: ClaimView | None) -> str | None:
    """Tell why a pod cannot use a claim object, None when it can.

    Args:
        pod: the pod.
        entry: the pod's entry that names the claim.
        claim: the object of that name.
    """
    if not entry.claim_name:
        return f'waiting for the ResourceClaim of pod claim "{entry.name}" to be created'
    if claim is None:
        return f'resourceclaim "{entry.claim_name}" not found'
    if entry.from_template and claim.owner_uid != pod.uid:
        return (
            f"ResourceClaim {claim.key} was not created for pod "
            f"{pod.namespace}/{pod.name} (pod is not owner)"
        )
    return None


def usable_claims(
    pod: Pod, lookup: Callable[[Key], JSON | None]
) -> list[tuple[str, ClaimView]] | str:
    """Join a pod's claim entries with their objects.

    Args:
        pod: the pod.
        lookup: returns the raw claim under a key.

    Returns:
        (name within the pod, claim) in the order of the pod, without entries for which
        deliberately no claim exists; or the reason why the pod has to wait.
    """
    found: list[tuple[str, ClaimView]] = []
    for entry in pod.claims:
        if entry.omitted:
            continue
        raw = lookup(object_key(pod.namespace, entry.claim_name)) if entry.claim_name else None
        claim = read_claim(raw) if raw is not None else None
        reason = refusal(pod, entry, claim)
        if reason is None and claim is not None and claim.deleting:
            reason = f'resourceclaim "{claim.name}" is being deleted'
        if reason is not None:
            return reason
        if claim is not None:
            found.append((entry.name, claim))
    return found


def is_reserved_for(pod: Pod, claim: ClaimView) -> bool:
    """Tell whether a pod is among the consumers of a claim."""
    return any(consumer.get("uid") == pod.uid for consumer in claim.reserved_for)


def can_be_reserved(claim: ClaimView) -> bool:
    """Tell whether one more consumer may be added to an allocated claim.

    One that names its devices can be shared; how many consumers it has, the API server counts.
    """
    found = claim.allocation.raw if claim.allocation else {}
    return bool(found.get("shareable")) or "devices" in found or not claim.reserved_for


def with_consumer(claim: ClaimView, pod: Pod) -> JSON:
    """Return the claim as JSON with the pod among its consumers."""
    consumer = {"resource": "pods", "name": pod.name, "uid": pod.uid}
    return with_status(claim.raw, reservedFor=[*claim.reserved_for, consumer])


def without_consumer(claim: ClaimView, pod: Pod) -> JSON:
    """Return the claim as JSON without the pod among its consumers."""
    kept = [c for c in claim.reserved_for if c.get("uid") != pod.uid]
    return with_status(claim.raw, reservedFor=kept or None)
