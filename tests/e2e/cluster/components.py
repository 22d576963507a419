"""The programs of the cluster: starting one until it works, stopping it, its log."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from testing.waiting import NotSeen, until
from tests.e2e.cluster import audit, containerd, controlplane, kubelet, network
from tests.e2e.cluster.administrator import Administrator
from tests.e2e.cluster.certificates import Authority
from tests.e2e.cluster.daemons import Daemons
from tests.e2e.cluster.errors import NotReady, UnknownComponent
from tests.e2e.cluster.layout import Layout
from tests.e2e.cluster.versions import Version

NODE = (kubelet.NAME, containerd.NAME)
"""What runs on a node, in the order to stop it."""

_STOPPING_ORDER = (*NODE, *reversed(controlplane.STARTING_ORDER))
_READY_SECONDS = 90.0
_SHOWN_LINES = 10


class Components:
    """The programs of one cluster, by name."""

    def __init__(self, layout: Layout, version: Version, pki: Authority, node: str) -> None:
        """Nothing happens yet.

        Args:
            layout: where everything is.
            version: of Kubernetes.
            pki: has certificates and kubeconfigs.
            node: name of the node.
        """
        self._layout = layout
        self._node = node
        self._administrator = Administrator(layout)
        self._daemons = Daemons(layout.state / "run", layout.state / "log")
        self._commands = _commands(layout, version, pki, node)

    def running(self) -> Mapping[str, bool]:
        """Return whether each component runs, by name."""
        return {name: self._runs(name) for name in self._commands}

    def start(self, name: str) -> None:
        """Start a component and wait until it works; nothing happens to one that runs.

        Raises:
            UnknownComponent: there is none of that name.
            NotReady: it did not come to work; the message ends with its log.
        """
        command = network.inside(*self._command(name))
        if self._runs(name):
            return
        works = self._look(name)
        self._daemons.start(name, *command, environment=_environment(self._layout))
        self._wait(name, works)

    def wait(self, name: str) -> None:
        """Wait until a component that runs works.

        Raises:
            NotReady: it does not; the message ends with its log.
        """
        self._wait(name, self._look(name))

    def stop(self, name: str) -> None:
        """Stop a component if it runs.

        Raises:
            UnknownComponent: there is none of that name.
        """
        self._command(name)
        self._daemons.stop(name)

    def stop_all(self) -> None:
        """Stop everything that runs, clients before servers, without leave to finish anything."""
        for name in _STOPPING_ORDER:
            self._daemons.stop(name, gently=False)

    def log(self, name: str, lines: int) -> str:
        """Return the last lines that a component wrote.

        Raises:
            UnknownComponent: there is none of that name.
        """
        self._command(name)
        return self._daemons.log(name, lines)

    def _command(self, name: str) -> list[str]:
        if name not in self._commands:
            raise UnknownComponent(f"no component {name!r}; one of {', '.join(self._commands)}")
        return self._commands[name]

    def _look(self, name: str) -> Callable[[], bool]:
        """Return how to see that a component works; taken before it starts."""
        # a report has whole seconds: one of this second may be of the kubelet before
        began = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        looks: Mapping[str, Callable[[], bool]] = {
            controlplane.API_SERVER: self._administrator.api_server_ready,
            containerd.NAME: lambda: containerd.answers(self._layout),
            kubelet.NAME: lambda: self._administrator.node_ready(self._node, since=began),
        }
        return looks.get(name, lambda: True)

    def _wait(self, name: str, works: Callable[[], bool]) -> None:
        try:
            until(f"{name} to work", lambda: not self._runs(name) or works(), _READY_SECONDS)
        except NotSeen as error:
            raise NotReady(f"{error}; {self._end_of_log(name)}") from error
        if not self._runs(name):
            raise NotReady(f"{name} has ended; {self._end_of_log(name)}")

    def _runs(self, name: str) -> bool:
        return self._daemons.running(name) is not None

    def _end_of_log(self, name: str) -> str:
        return f"its log ends with\n{self._daemons.log(name, _SHOWN_LINES)}"


def _commands(
    layout: Layout, version: Version, pki: Authority, node: str
) -> Mapping[str, list[str]]:
    programs, volumes = layout.kubernetes_programs(version), layout.volume_plugins
    manager = controlplane.controller_manager(programs, version, pki, volumes)
    return {
        controlplane.ETCD: controlplane.etcd(layout.etcd),
        controlplane.API_SERVER: [
            *controlplane.api_server(programs, version, pki),
            *audit.flags(layout),
        ],
        controlplane.SCHEDULER: controlplane.scheduler(programs, version, pki),
        controlplane.CONTROLLER_MANAGER: manager,
        containerd.NAME: containerd.command(layout),
        kubelet.NAME: kubelet.command(layout, version, pki, node),
    }


def _environment(layout: Layout) -> Mapping[str, str]:
    """Return the environment of components: containerd finds its shim and runc by the path."""
    path = f"{layout.containerd_programs}:/usr/local/sbin:/usr/sbin:/sbin:{os.environ['PATH']}"
    return {**network.exempt_from_proxies(), "PATH": path}
