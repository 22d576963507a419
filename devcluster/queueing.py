"""When another attempt at a pod is worth while: queueing hints and back-off.

Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.30 (the isSchedulableAfter
functions) and pkg/scheduler/internal/queue (back-off of 1 s, doubled up to 10 s).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from api.claims import Claim, PodSchedulingContext
from api.objects import JSON

INITIAL_BACKOFF = 1.0
MAX_BACKOFF = 10.0


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
    claims: Sequence[tuple[str, Claim]],
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


def node_matters(old: JSON | None, new: JSON | None) -> bool:
    """Tell whether a change of a node may let pods go on; heartbeats do not."""
    if old is None or new is None:
        return new is not None
    return _scheduling_facts(old) != _scheduling_facts(new)


@dataclass(slots=True)
class Backoff:
    """Delays attempts at pods that did not fit, by uid; not thread-safe."""

    _attempts: dict[str, int] = field(default_factory=dict)
    _last: dict[str, float] = field(default_factory=dict)

    def failed(self, uid: str, now: float) -> None:
        """Count an attempt that found no node."""
        self._attempts[uid] = self._attempts.get(uid, 0) + 1
        self._last[uid] = now

    def forget(self, uid: str) -> None:
        """Let the next attempt be at once, and count from the start."""
        self._attempts.pop(uid, None)
        self._last.pop(uid, None)

    def remaining(self, uid: str, now: float) -> float:
        """Return the seconds until the next attempt is due, 0 when it is."""
        attempts = self._attempts.get(uid, 0)
        if not attempts:
            return 0.0
        pause: float = min(INITIAL_BACKOFF * 2 ** (attempts - 1), MAX_BACKOFF)
        return max(0.0, self._last[uid] + pause - now)


def _scheduling_facts(node: JSON) -> list[object]:
    spec = node.get("spec") or {}
    conditions = (node.get("status") or {}).get("conditions") or []
    states = sorted((c.get("type", ""), c.get("status", "")) for c in conditions)
    labels = node["metadata"].get("labels") or {}
    return [labels, spec.get("taints") or [], bool(spec.get("unschedulable")), states]
