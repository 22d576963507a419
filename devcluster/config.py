"""What the user chose for an embedded cluster, and where its files are."""

from dataclasses import dataclass
from pathlib import Path

from api.contract import FAKE, Contract
from devcluster.kubelet.dialect import DIALECTS, Dialect

NODE_NAME = "fake-dra-driver-cluster-worker"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One virtual node.

    Attributes:
        name: of the Node object.
        devices: fake devices; None is as many as nodes have by default.
        model: of these devices; empty is the driver's default.
    """

    name: str
    devices: int | None = None
    model: str = ""


def counted_names(count: int) -> list[str]:
    """Return names of nodes as kind gives them: `…-worker`, then `…-worker2` and so on."""
    return [f"{NODE_NAME}{number if number > 1 else ''}" for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """The settings of one embedded cluster.

    Attributes:
        state_dir: holds everything that the cluster writes.
        nodes: how many virtual nodes with names as kind gives them.
        num_devices: fake devices of each node that does not say its own number.
        kubernetes: minor whose kind of claims there is, e.g. `1.30`; see DIALECTS.
        port: of the API server on 127.0.0.1; 0 is any free one.
        driver: whether the driver's objects and programs are set up, too.
        controllers: how many controllers; several elect a leader.
        named: further nodes, with names of their own.
        contract: of the driver.
    """

    state_dir: Path
    nodes: int = 1
    num_devices: int = 8
    kubernetes: str = "1.30"
    port: int = 0
    driver: bool = True
    controllers: int = 1
    named: tuple[NodeConfig, ...] = ()
    contract: Contract = FAKE

    @property
    def dialect(self) -> Dialect:
        """How the virtual kubelets behave towards drivers."""
        return DIALECTS[self.kubernetes]

    @property
    def all_nodes(self) -> list[NodeConfig]:
        """The nodes: those with names as kind gives them, then the others."""
        return [*map(NodeConfig, counted_names(self.nodes)), *self.named]

    @property
    def node_names(self) -> list[str]:
        """Names of the nodes."""
        return [node.name for node in self.all_nodes]

    @property
    def controller_names(self) -> list[str]:
        """Names of the controllers' processes: `controller`, then `controller-2` and so on."""
        numbers = range(1, self.controllers + 1)
        return [f"controller{f'-{number}' if number > 1 else ''}" for number in numbers]

    @property
    def kubeconfig(self) -> Path:
        """Appears when the cluster can be used."""
        return self.state_dir / "kubeconfig"

    @property
    def draft_kubeconfig(self) -> Path:
        """Becomes the kubeconfig; the cluster's own parts use it before."""
        return self.state_dir / ".kubeconfig"

    @property
    def logs(self) -> Path:
        """Directory with one log file per program."""
        return self.state_dir / "logs"

    def devices(self, node: NodeConfig) -> int:
        """Return how many fake devices a node has."""
        return self.num_devices if node.devices is None else node.devices

    def node_root(self, name: str) -> Path:
        """Return the directory of a node; its name is short, because socket paths have to be."""
        return self.state_dir / f"node{self.node_names.index(name) + 1}"
