"""The status that a kubelet publishes for a pod, from the states of its containers.

Pure. Source: kubernetes pkg/kubelet/status/generate.go and kubelet_pods.go.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from api.objects import JSON
from api.pods import Pod
from api.times import timestamp
from devcluster.kubelet.podlife import (
    ContainerState,
    Phase,
    Running,
    States,
    Terminated,
    Waiting,
)

NO_RESOURCES: Final[Mapping[str, list[JSON]]] = MappingProxyType({})
"""Of pods without devices whose health is known."""

_CONDITIONS: Final = ("Initialized", "Ready", "ContainersReady", "PodScheduled")


def pod_status(
    pod: Pod,
    states: States,
    *,
    phase: str | None,
    host_ip: str,
    pod_ip: str,
    now: float,
    resources: Mapping[str, list[JSON]] = NO_RESOURCES,
) -> JSON:
    """Return the fields of `status` that the kubelet owns.

    Args:
        pod: with its last published status, from which unchanged times are kept.
        states: by container name; absent is waiting.
        phase: the final phase, None to derive it.
        host_ip: of the node.
        pod_ip: of the pod, empty before it starts.
        now: seconds since the epoch.
        resources: how the devices of containers are, by container name.
    """
    spec, old = pod.raw.get("spec") or {}, pod.raw.get("status") or {}
    inits, mains = spec.get("initContainers") or [], spec.get("containers") or []
    status: JSON = {
        "phase": phase or _phase(mains, states),
        "conditions": _conditions(_truths(inits, mains, states), old, phase, now),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": old.get("startTime") or timestamp(now),
        "containerStatuses": [
            _container_status(c, states) | _allocated(resources.get(c["name"])) for c in mains
        ],
    }
    if inits:
        status["initContainerStatuses"] = [_container_status(c, states) for c in inits]
    if pod_ip:
        status |= {"podIP": pod_ip, "podIPs": [{"ip": pod_ip}]}
    return status


def changed(old: JSON, new: JSON) -> JSON:
    """Return the fields of `new` that `old` does not already have."""
    return {key: value for key, value in new.items() if old.get(key) != value}


def _phase(mains: Sequence[JSON], states: States) -> str:
    """Pending until a main container has run; a crashed one that restarts is still Running."""
    seen = [states.get(c["name"], ContainerState()) for c in mains]
    begun = any(not isinstance(s.current, Waiting) or s.last is not None for s in seen)
    return "Running" if begun else "Pending"


def _truths(inits: Sequence[JSON], mains: Sequence[JSON], states: States) -> Mapping[str, bool]:
    def current(container: JSON) -> Phase:
        return states.get(container["name"], ContainerState()).current

    ends = [current(c) for c in inits]
    initialized = all(isinstance(e, Terminated) and e.code == 0 for e in ends)
    ready = bool(mains) and all(isinstance(current(c), Running) for c in mains)
    return {
        "Initialized": initialized,
        "Ready": ready and initialized,
        "ContainersReady": ready and initialized,
        "PodScheduled": True,
    }


def _conditions(truths: Mapping[str, bool], old: JSON, phase: str | None, now: float) -> list[JSON]:
    known = {c["type"]: c for c in old.get("conditions") or []}
    return [_condition(name, truths[name], known.get(name), phase, now) for name in _CONDITIONS]


def _condition(name: str, truth: bool, old: JSON | None, phase: str | None, now: float) -> JSON:
    condition: JSON = {"type": name, "status": str(truth)}
    if not truth:
        not_initialized = "ContainersNotInitialized" if name == "Initialized" else None
        reason = "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
        condition["reason"] = not_initialized or reason
    same = old is not None and old.get("status") == condition["status"]
    since = old.get("lastTransitionTime") if same and old else None
    return condition | {"lastTransitionTime": since or timestamp(now)}


def _container_status(container: JSON, states: States) -> JSON:
    state = states.get(container["name"], ContainerState())
    running = isinstance(state.current, Running)
    status: JSON = {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": running,
        "started": running,
        "restartCount": state.restarts,
        "state": _state(state.current),
    }
    if state.last is not None:
        status["lastState"] = _state(state.last)
    return status


def _allocated(resources: list[JSON] | None) -> JSON:
    return {"allocatedResourcesStatus": resources} if resources else {}


def _state(phase: Phase) -> JSON:
    if isinstance(phase, Running):
        return {"running": {"startedAt": timestamp(phase.started_at)}}
    if isinstance(phase, Waiting):
        waiting = {"reason": phase.reason}
        return {"waiting": waiting | ({"message": phase.message} if phase.message else {})}
    ended: JSON = {
        "exitCode": phase.code,
        "reason": phase.reason or ("Error" if phase.code else "Completed"),
        "startedAt": timestamp(phase.started_at),
        "finishedAt": timestamp(phase.finished_at),
    }
    return {"terminated": ended | ({"message": phase.message} if phase.message else {})}
