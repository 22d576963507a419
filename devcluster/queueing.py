"""When another attempt at a pod is worth while: queueing hints and back-off.

Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.30 (the isSchedulableAfter
functions) and pkg/scheduler/internal/queue (isPodUpdated; back-off of 1 s, doubled up to 10 s).
"""

from collections.abc import Sequence

from api.claims.view import ClaimView
from api.objects import JSON
from api.pods import PodSchedulingContext
from kube.backoff import Backoff

BACKOFF = Backoff(first=1.0, longest=10.0)


def claim_matters(old: JSON | None, new: JSON | None) -> bool:
    """Tell whether a change of one of its claims may let a pod go on.

    A driver that only adds its finalizer changes nothing for the pod.
    """
    if old is None or new is None:
        return new is not None
    return (old.get("status") or {}) != (new.get("status") or {}) or (
        "deletionTimestamp" in new["metadata"]
    )


def context_matters(
    old: PodSchedulingContext | None,
    new: PodSchedulingContext | None,
    claims: Sequence[tuple[str, ClaimView]],
) -> bool:
    """Tell whether a change of a pod's PodSchedulingContext is worth another attempt.

    Args:
        old: None when it is new.
        new: None when it was deleted, which the scheduler does itself.
        claims: the pod's claims, by their names within the pod.
    """
    if new is None:
        return False
    answers = new.unsuitable_nodes
    waiting = (c.allocation is None and not c.immediate and n not in answers for n, c in claims)
    if any(waiting):
        return False
    if old is None or len(old.unsuitable_nodes) < len(answers):
        return True
    if any(new.selected_node in nodes for nodes in answers.values()):
        return True
    return old.raw.get("status") != new.raw.get("status")


def pod_matters(old: JSON | None, new: JSON | None) -> bool:
    """Tell whether a change of a waiting pod itself is worth another attempt.

    Of its status only the names of its claims count; the scheduler itself writes the conditions.
    """
    if old is None or new is None:
        return new is not None
    return _pod_facts(old) != _pod_facts(new)


def node_matters(old: JSON | None, new: JSON | None) -> bool:
    """Tell whether a change of a node may let pods go on; heartbeats do not."""
    if old is None or new is None:
        return new is not None
    return _scheduling_facts(old) != _scheduling_facts(new)


class PodBackoff:
    """Delays attempts at pods that did not fit, by uid.

    One thread counts attempts; any other may make it forget a pod.
    """

    def __init__(self) -> None:
        """Start without a memory of any attempt."""
        self._failed: dict[str, tuple[int, float]] = {}

    def failed(self, uid: str, now: float) -> None:
        """Count an attempt that found no node."""
        attempts, _ = self._failed.get(uid, (0, 0.0))
        self._failed[uid] = (attempts + 1, now)

    def forget(self, uid: str) -> None:
        """Let the next attempt be at once, and count from the start."""
        self._failed.pop(uid, None)

    def remaining(self, uid: str, now: float) -> float:
        """Return the seconds until the next attempt is due, 0 when it is."""
        attempts, last = self._failed.get(uid, (0, 0.0))
        return max(0.0, last + BACKOFF.pause(attempts) - now)


def _pod_facts(pod: JSON) -> list[object]:
    meta, status = pod["metadata"], pod.get("status") or {}
    claims = status.get("resourceClaimStatuses") or []
    return [meta.get("labels") or {}, meta.get("uid"), pod.get("spec") or {}, claims]


def _scheduling_facts(node: JSON) -> list[object]:
    spec = node.get("spec") or {}
    status = node.get("status") or {}
    conditions = status.get("conditions") or []
    states = sorted((c.get("type", ""), c.get("status", "")) for c in conditions)
    labels = node["metadata"].get("labels") or {}
    room = status.get("allocatable") or {}
    return [labels, spec.get("taints") or [], bool(spec.get("unschedulable")), states, room]
