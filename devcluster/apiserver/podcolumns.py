"""What `kubectl get pods` tells of a pod: one word for its state, restarts, readiness.

Source: kubernetes pkg/printers/internalversion/printers.go, printPod.
"""

from datetime import datetime

from api.conditions import condition_of
from api.humantime import age
from api.objects import JSON, is_deleting
from devcluster.apiserver.kinds import Column

NONE = "<none>"
_FINISHED = ("Failed", "Succeeded")


def ready(obj: JSON, _now: datetime) -> str:
    """Return `ready/all` of the containers."""
    statuses = _statuses(obj, "containerStatuses")
    count = sum(bool(s.get("ready")) and _is_running(s) for s in statuses)
    return f"{count}/{len(_spec(obj).get('containers') or ())}"


def status(obj: JSON, _now: datetime) -> str:
    """Return the state in one word, such as Running, ContainerCreating or Terminating."""
    own = _status(obj)
    phase = str(own.get("phase", ""))
    if is_deleting(obj) and own.get("reason") == "NodeLost":
        return "Unknown"
    if is_deleting(obj) and phase not in _FINISHED:
        return "Terminating"
    initial = _initial_state(obj)
    if initial and not _has_condition(obj, "Initialized", "True"):
        return initial
    word = str(own.get("reason") or phase)
    if _is_gated(obj):
        word = "SchedulingGated"
    return _containers_state(obj) or initial or word


def restarts(obj: JSON, now: datetime) -> str:
    """Return how often containers restarted, and when last, such as `3 (5m ago)`."""
    name = "initContainerStatuses" if _initial_state(obj) else "containerStatuses"
    statuses = _statuses(obj, name)
    count = sum(s.get("restartCount") or 0 for s in statuses)
    ends = [
        ((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for s in statuses
    ]
    last = max(filter(None, ends), default=None)
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _spec(obj: JSON) -> JSON:
    return obj.get("spec") or {}


def _status(obj: JSON) -> JSON:
    return obj.get("status") or {}


def _statuses(obj: JSON, name: str) -> list[JSON]:
    return _status(obj).get(name) or []


def _state(status: JSON) -> JSON:
    return status.get("state") or {}


def _is_running(status: JSON) -> bool:
    return _state(status).get("running") is not None


def _has_condition(obj: JSON, name: str, wanted: str) -> bool:
    return bool(condition_of(obj, name).get("status") == wanted)


def _is_gated(obj: JSON) -> bool:
    return bool(condition_of(obj, "PodScheduled").get("reason") == "SchedulingGated")


def _initial_state(obj: JSON) -> str:
    """Return how far the init containers are, empty when they are done or there are none."""
    for index, one in enumerate(_statuses(obj, "initContainerStatuses")):
        ended, waiting = _state(one).get("terminated"), _state(one).get("waiting") or {}
        if ended is not None:
            if ended.get("exitCode") == 0:
                continue
            return f"Init:{_end(ended)}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(_spec(obj).get('initContainers') or ())}"
    return ""


def _end(ended: JSON) -> str:
    """Return the reason of a terminated container, or else its signal or exit code."""
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _containers_state(obj: JSON) -> str:
    """Return the state of the first container that does not simply run, empty when all do."""
    found, running = "", False
    for one in reversed(_statuses(obj, "containerStatuses")):
        ended, waiting = _state(one).get("terminated"), _state(one).get("waiting") or {}
        if waiting.get("reason"):
            found = str(waiting["reason"])
        elif ended is not None:
            found = _end(ended)
        running = running or (bool(one.get("ready")) and _is_running(one))
    if found == "Completed" and running:
        return "Running" if _has_condition(obj, "Ready", "True") else "NotReady"
    return found


def _ip(obj: JSON, _now: datetime) -> str:
    return _status(obj).get("podIP") or NONE


def _node(obj: JSON, _now: datetime) -> str:
    return _spec(obj).get("nodeName") or NONE


def _nominated(obj: JSON, _now: datetime) -> str:
    return _status(obj).get("nominatedNodeName") or NONE


def _gates(obj: JSON, _now: datetime) -> str:
    gates = _spec(obj).get("readinessGates") or []
    if not gates:
        return NONE
    passed = sum(_has_condition(obj, gate.get("conditionType", ""), "True") for gate in gates)
    return f"{passed}/{len(gates)}"


MIDDLE = (
    Column("Ready", "string", ready, description="Containers that are ready."),
    Column("Status", "string", status, description="State of the pod in one word."),
    Column("Restarts", "string", restarts, description="How often containers restarted."),
)
"""Between name and age."""

WIDE = (
    Column("IP", "string", _ip, 1, description="Address of the pod."),
    Column("Node", "string", _node, 1, description="Node that the pod is on."),
    Column("Nominated Node", "string", _nominated, 1, description="Node that is made free."),
    Column("Readiness Gates", "string", _gates, 1, description="Conditions that hold."),
)
"""After the age."""
