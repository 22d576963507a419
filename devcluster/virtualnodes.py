"""The virtual nodes: of each its kubelet and the driver's plugin, which stop and start on purpose.

Nodes run as threads of the cluster, plugins as processes. Called by the cluster when it starts and
ends, and by `devcluster.controls` on behalf of users.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial

from devcluster.errors import DriverAbsent, NodeAbsent, NodeStopped
from devcluster.kubelet.kubelet import Kubelet
from devcluster.programs import Program, Programs, plugin_name
from devcluster.together import together

MakeKubelet = Callable[[], Kubelet]
"""Makes the kubelet of a node, which picks up what an earlier one left on disk."""


class VirtualNodes:
    """Nodes by name; thread-safe."""

    def __init__(
        self,
        kubelets: Mapping[str, MakeKubelet],
        driver: Mapping[str, Program],
        programs: Programs,
    ) -> None:
        """Run nothing yet.

        Args:
            kubelets: of all nodes, by name of the node.
            driver: programs of the driver by name, the plugins among them; empty without driver.
            programs: runs them.
        """
        self._make = kubelets
        self._driver = driver
        self._programs = programs
        self._lock = threading.Lock()
        self._kubelets: dict[str, Kubelet] = {}

    def kubelet(self, node: str) -> Kubelet | None:
        """Return the kubelet of a node, None if it does not run."""
        with self._lock:
            return self._kubelets.get(node)

    def start_kubelet(self, node: str) -> bool:
        """Start the kubelet of a node; False if it runs already.

        Raises:
            NodeAbsent: there is no such node.
        """
        self._check(node)
        with self._lock:
            if node in self._kubelets:
                return False
            kubelet = self._make[node]()
            self._kubelets[node] = kubelet
        kubelet.start()
        return True

    def stop_kubelet(self, node: str) -> bool:
        """End the kubelet and the containers of a node; False if it does not run.

        Raises:
            NodeAbsent: there is no such node.
        """
        self._check(node)
        with self._lock:
            kubelet = self._kubelets.pop(node, None)
        if kubelet is None:
            return False
        kubelet.stop()
        return True

    def start_plugin(self, node: str) -> bool:
        """Start the plugin of a node; False if it runs already.

        Raises:
            NodeAbsent: there is no such node.
            DriverAbsent: no node of this cluster has one.
            NodeStopped: its machine does not run.
        """
        plugin = self._plugin(node)
        if self.kubelet(node) is None:
            raise NodeStopped(f"node {node} is stopped; start-node starts both")
        return self._programs.start(plugin)

    def stop_plugin(self, node: str, *, abruptly: bool = False) -> bool:
        """Stop the plugin of a node, until it is started; False if it does not run.

        Raises:
            NodeAbsent: there is no such node.
            DriverAbsent: no node of this cluster has one.
        """
        return self._programs.stop(self._plugin(node).name, abruptly=abruptly)

    def start_node(self, node: str) -> bool:
        """Start a machine: its kubelet, and the plugin if there is one; False if both run.

        Raises:
            NodeAbsent: there is no such node.
        """
        started = self.start_kubelet(node)
        return (bool(self._driver) and self.start_plugin(node)) or started

    def stop_node(self, node: str) -> bool:
        """Stop a machine as when its power goes: nobody takes leave; False if nothing runs.

        Raises:
            NodeAbsent: there is no such node.
        """
        self._check(node)
        plugin = bool(self._driver) and self.stop_plugin(node, abruptly=True)
        return self.stop_kubelet(node) or plugin

    def stop_kubelets(self) -> None:
        """Stop all kubelets at the same time."""
        with self._lock:
            running = list(self._kubelets)
        together(partial(self.stop_kubelet, node) for node in running)

    def _plugin(self, node: str) -> Program:
        self._check(node)
        if not self._driver:
            raise DriverAbsent(
                "the cluster runs --without-driver, so it has no plugins; stop yours yourself"
            )
        return self._driver[plugin_name(node)]

    def _check(self, node: str) -> None:
        if node not in self._make:
            names = ", ".join(self._make)
            raise NodeAbsent(f"there is no node {node!r}; the nodes of this cluster are {names}")
