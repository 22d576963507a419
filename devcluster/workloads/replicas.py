"""How many pods a ReplicaSet has, and which are too many. Pure.

Source: kubernetes pkg/controller/controller_utils.go (ActivePods, ActivePodsWithRanks),
pkg/controller/replicaset/replica_set_utils.go.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from api.conditions import condition_of, holds
from api.objects import JSON, is_deleting
from api.times import parse_time
from devcluster.podclaims import FINISHED_PHASES

_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def is_active(pod: JSON) -> bool:
    """Tell whether a pod counts as one of its workload's: it may still run, or runs."""
    return phase_of(pod) not in FINISHED_PHASES and not is_deleting(pod)


def phase_of(pod: JSON) -> str:
    """Return the phase of a pod."""
    return str((pod.get("status") or {}).get("phase", ""))


def unavailable_for(pod: JSON, min_ready: float, now: datetime) -> float | None:
    """Return the seconds until a pod is available: 0 if it is, None if it is not even ready."""
    if not holds(pod, "Ready"):
        return None
    since = parse_time(condition_of(pod, "Ready").get("lastTransitionTime"))
    return max(0.0, min_ready - (now - since).total_seconds()) if min_ready and since else 0.0


def surplus(pods: Sequence[JSON], count: int) -> list[JSON]:
    """Return as many of the pods, those first that are missed least.

    These are pods without a node, then those that do not run, are not ready, cost less, share
    their node with more others, became ready later, restarted more often, are younger.
    """
    on_node = Counter(pod["spec"].get("nodeName") for pod in pods)
    return sorted(pods, key=lambda pod: _worth(pod, on_node))[:count]


def _worth(pod: JSON, on_node: Mapping[str | None, int]) -> tuple[float, ...]:
    node, meta = pod["spec"].get("nodeName"), pod["metadata"]
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return (
        bool(node),
        _PHASES.get(phase_of(pod), 0),
        holds(pod, "Ready"),
        _cost(pod),
        -on_node[node],
        -_seconds(condition_of(pod, "Ready").get("lastTransitionTime")),
        -sum(each.get("restartCount", 0) for each in statuses),
        -_seconds(meta.get("creationTimestamp")),
    )


def _cost(pod: JSON) -> int:
    text = str((pod["metadata"].get("annotations") or {}).get(_COST, "0"))
    return int(text) if text.removeprefix("-").isdecimal() else 0


def _seconds(time: object) -> float:
    parsed = parse_time(time)
    return parsed.timestamp() if parsed else 0.0


def replica_status(replica_set: JSON, pods: Sequence[JSON], now: datetime) -> JSON:
    """Return the status of a ReplicaSet with these pods."""
    spec = replica_set["spec"]
    wanted = (spec["template"].get("metadata") or {}).get("labels") or {}
    waits = [unavailable_for(pod, spec.get("minReadySeconds", 0), now) for pod in pods]
    counts = {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(
            wanted.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods
        ),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0 for wait in waits),
    }
    shown = {name: count for name, count in counts.items() if count or name == "replicas"}
    return {**shown, "observedGeneration": replica_set["metadata"]["generation"]}
