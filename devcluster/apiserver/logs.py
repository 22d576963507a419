"""Which container's log is meant, and the port through which the kubelet hands it out.

`choose_container` decides as kube-apiserver and kubelet do; `devcluster.kubelet` implements
LogSource; `devcluster.apiserver.views.pods` calls both.
Source: kubernetes pkg/registry/core/pod/strategy.go (LogLocation), pkg/kubelet/kubelet_pods.go.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest

_LISTS = ("containers", "initContainers", "ephemeralContainers")


class LogSource(Protocol):
    """Where logs of containers come from: the kubelet of the pod's node."""

    def read(
        self, pod: JSON, container: str, *, follow: bool, previous: bool, tail: int | None
    ) -> Iterator[bytes]:
        """Return what a container wrote, in pieces of any size.

        Args:
            pod: as stored.
            container: of the pod; it has started.
            follow: whether to go on until the container ends, or the iterator is closed. An empty
                piece now and then is fine: it lets the server notice that the reader has gone.
            previous: the container that ran before a restart.
            tail: only so many lines at the end.
        """


def choose_container(pod: JSON, wanted: str) -> str:
    """Return the container whose log is meant.

    Args:
        pod: as stored.
        wanted: name, or empty for the only one.

    Raises:
        BadRequest: it is not in the pod, or there are several to choose from.
    """
    names = {part: _names(pod, part) for part in _LISTS}
    if not wanted and len(names["containers"]) == 1:
        return names["containers"][0]
    if not wanted:
        raise BadRequest(_several(pod, names["containers"], names["initContainers"]))
    if not any(wanted in found for found in names.values()):
        raise BadRequest(f"container {wanted} is not valid for pod {pod['metadata']['name']}")
    return wanted


def check_started(pod: JSON, container: str, *, previous: bool) -> None:
    """Raise BadRequest if the container has no log yet, with the reason that its status gives."""
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise BadRequest(f"pod {name} does not have a host assigned")
    status = status_of(pod, container)
    last = (status.get("lastState") or {}).get("terminated")
    if previous and not last:
        text = f'previous terminated container "{container}" in pod "{name}" not found'
        raise BadRequest(text)
    state = status.get("state") or {}
    if previous or last or state.keys() & {"running", "terminated"}:
        return
    why = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
    raise BadRequest(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def _names(pod: JSON, part: str) -> list[str]:
    return [str(each["name"]) for each in pod["spec"].get(part) or []]


def _several(pod: JSON, names: Sequence[str], init: Sequence[str]) -> str:
    text = f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: "
    text += f"[{' '.join(names)}]"
    return f"{text} or one of the init containers: [{' '.join(init)}]" if init else text


def status_of(pod: JSON, container: str) -> JSON:
    """Return the status of a container, empty if it has none yet."""
    status = pod.get("status") or {}
    for part in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for each in status.get(part) or []:
            if each.get("name") == container:
                found: JSON = each
                return found
    return {}
