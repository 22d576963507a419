"""What became of a pod's containers under an earlier kubelet of the node, as its status tells.

Pure. Containers do not outlive their kubelet here, as they do not outlive a reboot.
Source: kubernetes pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses).
"""

from collections.abc import Iterator
from typing import Final

from api.objects import JSON
from api.times import parse_time
from devcluster.kubelet.podlife import ContainerState, Terminated, Waiting

_LISTS: Final = ("initContainerStatuses", "containerStatuses")
_LOST_CODE: Final = 137
_LOST: Final = "ContainerStatusUnknown"
_LOST_TEXT: Final = "The container could not be located when the kubelet started"


def earlier_states(pod: JSON) -> dict[str, ContainerState]:
    """Return the states of the containers that have run before, by name."""
    return {str(status["name"]): _state(status) for status in _statuses(pod) if _has_run(status)}


def _statuses(pod: JSON) -> Iterator[JSON]:
    for part in _LISTS:
        yield from (pod.get("status") or {}).get(part) or []


def _has_run(status: JSON) -> bool:
    return bool(_phase(status, "running") or _end(status))


def _state(status: JSON) -> ContainerState:
    restarts, last = int(status.get("restartCount") or 0), _end(status)
    if running := _phase(status, "running"):
        began = _seconds(running.get("startedAt"))
        return ContainerState(
            Terminated(_LOST_CODE, began, began, _LOST, _LOST_TEXT), None, restarts
        )
    if _phase(status, "terminated") and last is not None:
        return ContainerState(last, None, restarts)
    return ContainerState(Waiting(), last, restarts)


def _end(status: JSON) -> Terminated | None:
    """Return how the latest run that is over ended."""
    ended = _phase(status, "terminated") or (status.get("lastState") or {}).get("terminated")
    if not ended:
        return None
    return Terminated(
        int(ended.get("exitCode") or 0),
        _seconds(ended.get("startedAt")),
        _seconds(ended.get("finishedAt")),
        str(ended.get("reason") or ""),
        str(ended.get("message") or ""),
    )


def _phase(status: JSON, name: str) -> JSON | None:
    found: JSON | None = (status.get("state") or {}).get(name)
    return found


def _seconds(time: str | None) -> float:
    return at.timestamp() if (at := parse_time(time)) else 0.0
