"""The status of a Deployment: numbers of pods, and whether it gets on. Pure.

Source: kubernetes pkg/controller/deployment/{sync,progress}.go v1.30.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from api.conditions import condition, condition_of, with_condition
from api.objects import JSON
from api.times import parse_time
from devcluster.apiserver.clock import timestamp
from devcluster.workloads.rollout import Limits

PROGRESSING: Final = "Progressing"
_UPDATED: Final = "ReplicaSetUpdated"
_DONE: Final = "NewReplicaSetAvailable"
_LATE: Final = "ProgressDeadlineExceeded"
_COUNTS: Final = ("updatedReplicas", "readyReplicas", "availableReplicas")


def deployment_status(
    deployment: JSON, new: JSON | None, sets: Sequence[JSON], now: datetime
) -> JSON:
    """Return the status of a Deployment.

    Args:
        deployment: with its last status.
        new: the ReplicaSet of the current template, None if there is none yet.
        sets: all its ReplicaSets.
        now: time of day.
    """
    counts = {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": _sum(sets, "availableReplicas"),
    }
    wanted = sum(each["spec"]["replicas"] for each in sets)
    counts["unavailableReplicas"] = max(0, wanted - counts["availableReplicas"])
    status: JSON = {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = deployment["metadata"]["generation"]
    conditions = (deployment.get("status") or {}).get("conditions") or []
    moved, at = _has_moved(deployment.get("status") or {}, status), timestamp(now)
    progress = _progressing(deployment, new, status, now, moved=moved)
    for each, got_on in ((_available(deployment, status), False), (progress, moved)):
        dated = _dated(deployment, each, at, moved=got_on)
        conditions = with_condition(conditions, dated, at)
    return {**status, "conditions": conditions}


def is_complete(deployment: JSON, status: JSON) -> bool:
    """Tell whether all pods of a Deployment are new ones, and available."""
    wanted = deployment["spec"]["replicas"]
    fields = ("replicas", "updatedReplicas", "availableReplicas")
    return all(status.get(field, 0) == wanted for field in fields)


def late_in(deployment: JSON, now: datetime) -> float | None:
    """Return the seconds after which a rollout that stands still is late; None if none is on."""
    known = condition_of(deployment, PROGRESSING)
    since = parse_time(known.get("lastUpdateTime"))
    if since is None or known["reason"] != _UPDATED:
        return None
    passed = (now - since).total_seconds()
    return max(0.0, float(deployment["spec"]["progressDeadlineSeconds"]) - passed)


def _sum(sets: Sequence[JSON], field: str) -> int:
    return sum((each.get("status") or {}).get(field, 0) for each in sets)


def _available(deployment: JSON, status: JSON) -> JSON:
    limits = Limits.of(deployment["spec"])
    if status.get("availableReplicas", 0) >= limits.replicas - limits.unavailable:
        text = "Deployment has minimum availability."
        return condition("Available", "True", "MinimumReplicasAvailable", text)
    text = "Deployment does not have minimum availability."
    return condition("Available", "False", "MinimumReplicasUnavailable", text)


def _progressing(
    deployment: JSON, new: JSON | None, status: JSON, now: datetime, *, moved: bool
) -> JSON:
    truth, reason, what = _progress(deployment, status, now, moved=moved)
    owner = f'ReplicaSet "{new["metadata"]["name"]}"' if new else "Deployment"
    return condition(PROGRESSING, truth, reason, f"{owner} {what}.")


def _dated(deployment: JSON, new: JSON, now: str, *, moved: bool) -> JSON:
    """Return a condition with the time at which it changed, or something got on."""
    old = condition_of(deployment, new["type"])
    still = not moved and all(old.get(key) == value for key, value in new.items())
    return {**new, "lastUpdateTime": old["lastUpdateTime"] if still else now}


def _progress(
    deployment: JSON, status: JSON, now: datetime, *, moved: bool
) -> tuple[str, str, str]:
    """Return status, reason, and what the ReplicaSet does, of the condition Progressing."""
    reason = condition_of(deployment, PROGRESSING).get("reason")
    settled = reason == _DONE and status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if deployment["spec"].get("paused"):
        return "Unknown", "DeploymentPaused", "is paused"
    if settled or is_complete(deployment, status):
        return "True", _DONE, "has successfully progressed"
    if not moved and (reason == _LATE or late_in(deployment, now) == 0):
        return "False", _LATE, "has timed out progressing"
    return "True", _UPDATED, "is progressing"


def _has_moved(before: JSON, status: JSON) -> bool:
    """Tell whether there are more new, ready or available pods, or less old ones, than before."""
    if any(status.get(field, 0) > before.get(field, 0) for field in _COUNTS):
        return True
    old, now = (s.get("replicas", 0) - s.get("updatedReplicas", 0) for s in (before, status))
    return bool(now < old)
