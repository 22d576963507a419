"""What a kubelet does besides its pods: registers the node, renews its Lease, and tidies up.

Leftovers are claims and files of pods that do not exist any more, from before a restart.
Source: kubernetes pkg/kubelet/cm/dra/manager.go (reconcileLoop), pkg/kubelet/kubelet_pods.go
(HandlePodCleanups).
"""

import threading
from collections.abc import Callable
from typing import Final

from devcluster.kubelet.claims import ClaimManager
from devcluster.kubelet.errors import UnprepareFailed
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.node import RENEW_SECONDS, NodeAgent
from kube.errors import KubeError
from ops.logs import get_logger

REGISTER_RETRY: Final = 1.0

_log = get_logger("kubelet.housekeeping")


class Housekeeping:
    """The loop of one node."""

    def __init__(
        self,
        agent: NodeAgent,
        claims: ClaimManager,
        directories: NodeDirectories,
        pods: Callable[[], set[str] | None],
    ) -> None:
        """Keep house for a node.

        Args:
            agent: reports the node.
            claims: that are held.
            directories: of the node.
            pods: returns the uids of all pods that are taken care of, None if not all are known.
        """
        self._agent = agent
        self._claims = claims
        self._directories = directories
        self._pods = pods
        self._registered = False
        self._wake = threading.Event()

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; call `wake` after that."""
        while not stop.is_set():
            self._wake.clear()
            self.report()
            self.tidy()
            if not stop.is_set():
                self._wake.wait(RENEW_SECONDS if self._registered else REGISTER_RETRY)

    def report(self) -> None:
        """Tell the API server that the node is alive; failures are only logged."""
        try:
            if self._registered:
                self._agent.confirm()
            else:
                self._agent.register()
                self._registered = True
            self._agent.renew()
        except KubeError as error:
            _log.warning("Node not reported", err=error)

    def tidy(self) -> None:
        """Unprepare and remove what belongs to no pod; what fails is for the next time."""
        # in this order: a pod that appears in between is known before it holds anything
        found = self._claims.pods() | set(self._directories.pods_on_disk())
        known = self._pods()
        if known is None:
            return
        for uid in sorted(found - known):
            try:
                self._claims.unprepare(uid)
            except UnprepareFailed as error:
                _log.warning("Claims of a pod that is gone not unprepared", pod=uid, err=error)
            else:
                self._directories.pod(uid).remove()
