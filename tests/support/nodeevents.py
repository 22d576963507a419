"""What happens to a node while pods run on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from tests.e2e.cluster import containerd, kubelet
from tests.e2e.cluster.cluster import Cluster as Machine


class OnMachine(Protocol):
    """A cluster whose node is this machine."""

    @property
    def machine(self) -> Machine:
        """Return the node and the control plane."""


_C = TypeVar("_C", contravariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[_C]):
    """Something that happens to a node.

    Attributes:
        name: of the case.
        happen: makes it happen, and returns when the node works again.
        ends_pods: whether the containers of pods end with it.
    """

    name: str
    happen: Callable[[_C], None]
    ends_pods: bool = False


def _restarted(component: str) -> Event[OnMachine]:
    return Event(component, lambda it: it.machine.restart(component))


NODE_EVENTS: Final[tuple[Event[OnMachine], ...]] = (
    _restarted(kubelet.NAME),
    _restarted(containerd.NAME),
    Event("reboot", lambda it: it.machine.reboot(), ends_pods=True),
    Event("power-cut", lambda it: it.machine.reboot(keep_sockets=True), ends_pods=True),
)
