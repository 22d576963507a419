"""Decides the status of the node's NAS while the plugin runs: may the controller allocate here?

Ready means that the sockets serve and that the kubelet has not refused to register them. It is
written when that changes and when the NAS was made anew, and not otherwise, so that somebody who
sets a node NotReady by hand is not overruled. Called by `dra.sync` and when the program ends.
"""

import threading
from typing import Protocol

from api.names import STATUS_NOT_READY, STATUS_READY


class NodeStatus(Protocol):
    """What is needed of dra.publish.nodestate.NodeState."""

    def set_status(self, status: str) -> None:
        """Write the status of the NAS."""


class Registered(Protocol):
    """What is needed of dra.kubelet.registration.Registration."""

    @property
    def refused(self) -> bool:
        """Whether the kubelet has answered that it does not register us."""


class Readiness:
    """The status that the NAS should have; thread-safe."""

    def __init__(self, node_state: NodeStatus, registration: Registered) -> None:
        """Begin with sockets that do not serve."""
        self._node_state = node_state
        self._registration = registration
        self._lock = threading.Lock()
        self._serving = False

    def serving(self, yes: bool) -> None:
        """Say whether the sockets serve; `write` has to follow."""
        with self._lock:
            self._serving = yes

    def write(self) -> None:
        """Write the status.

        One write at a time: the NotReady of a program that ends is the last one.

        Raises:
            KubeError: it cannot be written.
        """
        with self._lock:
            ready = self._serving and not self._registration.refused
            self._node_state.set_status(STATUS_READY if ready else STATUS_NOT_READY)

    def end(self) -> None:
        """Write NotReady, for good.

        Raises:
            KubeError: it cannot be written.
        """
        self.serving(False)
        self.write()
