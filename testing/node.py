"""A node of a cluster of its own, with its API server, a kubelet and directories."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from allocation.pools import Node as PoolNode
from allocation.pools import Pool, gather
from api.objects import JSON
from api.resources import NODES, STRUCTURED_VERSIONS
from devcluster.apiserver.resourceapi import CLASSIC, structured
from devcluster.kubelet.layout import NodeDirectories
from dra.driver import Driver
from dra.settings import NodeConfig
from ops.config import ServingConfig
from testing import web
from testing.apiserver import WAIT_SECONDS, MemoryApi
from testing.kubelet import NEWEST, Kubelet, Registered
from testing.objects import allocate, node_body, served_by
from testing.program import ProcessProgram, Program, ThreadProgram
from testing.waiting import NotSeen, until

NAME: Final = "node-1"
_SOCKETS_NAME: Final = "driver.example.com"


class Node:
    """One node of a cluster that has nothing else.

    Attributes:
        name: of the Node.
        api: the API server.
        kubeconfig: for the programs of the node.
        directories: of kubelet and plugins.
        kubelet: of the node.
    """

    def __init__(
        self, api: MemoryApi, kubelet: Kubelet, kubeconfig: Path, *, name: str = NAME
    ) -> None:
        """Put the parts together; see `node_of`."""
        self.name = name
        self.api = api
        self.kubelet = kubelet
        self.kubeconfig = kubeconfig
        self.directories = kubelet.directories

    @contextmanager
    def running(self, driver: Driver, *, pools: int = 1) -> Iterator[list[Pool]]:
        """Run the program of a driver in this process, registered and with its devices published.

        Args:
            driver: that runs; it is stopped as by SIGTERM when the context is left.
            pools: how many it has on this node at least; they are yielded.

        Raises:
            ProgramEnded: the program ended by itself, or with an error.
        """
        with ThreadProgram(driver, self._config(), _serving(self.kubeconfig)) as program:
            yield self._ready(driver.contract.driver_name, program, pools)

    @contextmanager
    def process(
        self, target: str, driver: str, *settings: str, pools: int = 1
    ) -> Iterator[ProcessProgram]:
        """Run the program of a driver as a process, which a test may kill; else like `running`.

        Args:
            target: the driver as `module:Class`, of the working directory or installed.
            driver: its name.
            settings: flags of its own.
            pools: how many it has on this node at least.
        """
        config = asdict(self._config())
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in config.items() if value]
        flags += [f"--kubeconfig={self.kubeconfig}", *settings]
        with ProcessProgram(target, flags) as program:
            self._ready(driver, program, pools)
            yield program

    def published(self, driver: str, pools: int = 1, seconds: float = WAIT_SECONDS) -> list[Pool]:
        """Wait until a scheduler would allocate from pools of a driver; return these.

        Raises:
            NotSeen: there are fewer usable pools.
        """
        with self.api.changed:
            if not self.api.changed.wait_for(lambda: len(self._usable(driver)) >= pools, seconds):
                raise NotSeen(
                    f"waited {seconds:g} s for {pools} pools of {driver}; {self._pools(driver)}"
                )
            return self._usable(driver)

    def allocate(self, driver: str, *devices: str, name: str = "claim", **fields: Any) -> JSON:
        """Store a claim with devices of this node; see `testing.objects.allocate`."""
        return allocate(self.api, driver, *devices, node=self.name, name=name, **fields)

    def _ready(self, driver: str, program: Program, pools: int) -> list[Pool]:
        def registered() -> Registered | None:
            program.check()
            return self.kubelet.look(driver)

        until(f"driver {driver} to be registered", registered)
        return self.published(driver, pools)

    def _config(self) -> NodeConfig:
        return NodeConfig(
            node_name=self.name,
            cdi_root=str(self.directories.cdi),
            kubelet_registrar_directory_path=str(self.directories.registry),
            kubelet_plugins_directory_path=str(self.directories.plugins),
            rolling_update="",
        )

    def _usable(self, driver: str) -> list[Pool]:
        return [pool for pool in self._pools(driver) if not pool.problem]

    def _pools(self, driver: str) -> list[Pool]:
        slices = self.api.peek(STRUCTURED_VERSIONS["v1"].slices)
        return [each for each in gather(slices, PoolNode(self.name)) if each.driver == driver]


def _serving(kubeconfig: Path) -> ServingConfig:
    return ServingConfig(
        kubeconfig=str(kubeconfig),
        kube_api_qps=0.0,
        kube_api_burst=0,
        http_endpoint="",
        metrics_path="/metrics",
        pprof_path="",
        logging_format="text",
        verbosity=2,
        normal_events=True,
    )


def api_server(
    minor: int = NEWEST, *, on: Sequence[str] = (), off: Sequence[str] = ()
) -> MemoryApi:
    """Return the API server of a minor.

    Args:
        minor: of Kubernetes 1.x.
        on: feature gates to turn on, see `devcluster.apiserver.resourceapi`.
        off: feature gates to turn off.
    """
    return MemoryApi(api=structured(minor, on=on, off=off) if minor >= 32 else CLASSIC)


@contextmanager
def kubelet_of(api: MemoryApi, minor: int = NEWEST, name: str = NAME) -> Iterator[Kubelet]:
    """Start the kubelet of a node that is in an API server from then on."""
    api.put(NODES, node_body(name, minor))
    slices = served_by(api) if minor >= 32 else None
    with TemporaryDirectory(prefix="dra-") as root:
        directories = NodeDirectories(Path(root)).create(_SOCKETS_NAME)
        with Kubelet(directories, minor, client=api, slices=slices, node=name) as kubelet:
            yield kubelet


@contextmanager
def node_of(api: MemoryApi, kubelet: Kubelet, name: str = NAME) -> Iterator[Node]:
    """Serve an API server to the programs of a node while the context lasts."""
    with web.serving(api.app) as url:
        try:
            path = web.write_kubeconfig(url, kubelet.directories.root / "kubeconfig")
            yield Node(api, kubelet, path, name=name)
        finally:
            api.end_watches()
