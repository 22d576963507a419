"""The node controller of the embedded cluster: silent nodes, and pods that nobody ends.

What kube-controller-manager does in the loops node-lifecycle-controller and pod-garbage-collector.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from api.resources import LEASES, NODES, PODS
from devcluster.caches import Caches
from devcluster.nodelifecycle import NodeLifecycle
from devcluster.podgc import PodGarbage
from kube.client import Client
from ops.lifecycle import Lifecycle

PERIOD_SECONDS: Final = 2.0


class NodeController:
    """Looks after nodes, and the pods of nodes that are gone."""

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a controller that is not running.

        Args:
            client: the API server.
            clock: seconds, monotonic.
        """
        self.caches = Caches(client, {PODS: {}, NODES: {}, LEASES: {}})
        nodes = self.caches[NODES]
        self._lifecycle = NodeLifecycle(client, nodes, self.caches[LEASES], clock=clock)
        self._garbage = PodGarbage(client, self.caches[PODS], nodes, clock=clock)

    def start(self, life: Lifecycle) -> None:
        """Start watching and looking, on threads that `life` stops."""
        life.on_stop("node controller", self.caches.stop)
        for name, body in self.caches.threads(life.stop):
            life.spawn(f"node-controller-{name}", body)
        life.spawn("node-controller", lambda: self._run(life.stop))

    def look(self) -> None:
        """Do once what has to be done now."""
        self._lifecycle.check()
        self._garbage.collect()

    def _run(self, stop: threading.Event) -> None:
        if not self.caches.wait_synced(stop):
            return
        while not stop.wait(PERIOD_SECONDS):
            self.look()
