"""What `kubectl get` tells of Deployments, ReplicaSets and Jobs.

Source: kubernetes pkg/printers/internalversion/printers.go v1.30 (printDeployment,
printReplicaSet, printJob).
"""

from datetime import datetime
from typing import Final

from api.humantime import human_duration
from api.objects import JSON
from api.times import parse_time
from devcluster.apiserver.kinds import Cell, Column
from devcluster.apiserver.podcolumns import NONE
from devcluster.apiserver.selectors import label_selector_text


def _count(obj: JSON, part: str, field: str) -> int:
    return int((obj.get(part) or {}).get(field) or 0)


def _number(part: str, field: str) -> Cell:
    def read(obj: JSON, _now: datetime) -> object:
        return _count(obj, part, field)

    return read


def _ready(obj: JSON, _now: datetime) -> str:
    return f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas')}"


def _completions(obj: JSON, _now: datetime) -> str:
    succeeded, parallel = _count(obj, "status", "succeeded"), _count(obj, "spec", "parallelism")
    if (obj.get("spec") or {}).get("completions") is not None:
        return f"{succeeded}/{_count(obj, 'spec', 'completions')}"
    return f"{succeeded}/1 of {parallel}" if parallel > 1 else f"{succeeded}/1"


def _duration(obj: JSON, now: datetime) -> str:
    status = obj.get("status") or {}
    begun, done = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    return human_duration(((done or now) - begun).total_seconds()) if begun else ""


def _of_containers(field: str) -> Cell:
    def read(obj: JSON, _now: datetime) -> str:
        pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
        containers = pod.get("containers") or []
        return ",".join(str(each.get(field, "")) for each in containers)

    return read


def _selector(obj: JSON, _now: datetime) -> str:
    return label_selector_text((obj.get("spec") or {}).get("selector")) or NONE


WIDE: Final = (
    Column("Containers", "string", _of_containers("name"), 1, description="Of each pod."),
    Column("Images", "string", _of_containers("image"), 1, description="Of the containers."),
    Column("Selector", "string", _selector, 1, description="Labels of the pods."),
)
"""After the age."""

DEPLOYMENT: Final = (
    Column("Ready", "string", _ready, description="Pods that are ready, of those wanted."),
    Column("Up-to-date", "integer", _number("status", "updatedReplicas"), description="New pods."),
    Column(
        "Available",
        "integer",
        _number("status", "availableReplicas"),
        description="Pods that are ready for long enough.",
    ),
)
REPLICA_SET: Final = (
    Column("Desired", "integer", _number("spec", "replicas"), description="Pods wanted."),
    Column("Current", "integer", _number("status", "replicas"), description="Pods there."),
    Column("Ready", "integer", _number("status", "readyReplicas"), description="Pods ready."),
)
JOB: Final = (
    Column("Completions", "string", _completions, description="Pods that succeeded."),
    Column("Duration", "string", _duration, description="From its start to its success."),
)
"""Between name and age."""
