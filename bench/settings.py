"""How much is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.objects import Driver
from bench.variants import Variant, Whose
from devcluster.kubelet.layout import NodeDirectories

DEVICES: Final = 8
"""Of every node."""

_MORE_THAN_ENOUGH: Final = "10000"


@dataclass(frozen=True, slots=True)
class Subject:
    """The programs under test.

    Attributes:
        controller: command; gets a service account or KUBECONFIG.
        plugin: command; gets the same, NODE_NAME and directories; empty for none.
        driver: what they call themselves.
        logs: directory.
        kubectl: what explaining is compared with.
        handle: whether they write allocations into claims instead of node states.
        former: sources of the version of this project that they are; None for today's.
    """

    controller: tuple[str, ...]
    plugin: tuple[str, ...]
    driver: Driver
    logs: Path
    kubectl: str = "kubectl"
    handle: bool = False
    former: Path | None = None

    @property
    def variant(self) -> Variant:
        """What distinguishes them from others of a run."""
        whose: Whose = "ours" if self.former is None else "former"
        return Variant(whose, "handle" if self.handle else "nas")

    def environment(self) -> Mapping[str, str]:
        """Return the settings of both programs."""
        return {
            **environment(),
            "POD_NAMESPACE": self.driver.namespace,
            "DRIVER_NAME": self.driver.contract.driver_name,
            # the benchmark has its own, and each look at another one would count as a read
            "CLASS_NAME": "",
            "COMMUNICATION": self.variant.communication,
            **({} if self.former is None else {"PYTHONPATH": str(self.former)}),
        }


def environment() -> Mapping[str, str]:
    """Return settings of every program, as in image and chart, and without a rate limit.

    In the image all modules are compiled; here the first start compiles them.
    """
    return {
        "HTTP_ENDPOINT": "127.0.0.1:0",
        "MALLOC_ARENA_MAX": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "KUBE_API_QPS": _MORE_THAN_ENOUGH,
        "KUBE_API_BURST": _MORE_THAN_ENOUGH,
    }


def node_settings(name: str, node: NodeDirectories) -> Mapping[str, str]:
    """Return settings of a plugin of a node, by the names that charts use."""
    return {
        "NODE_NAME": name,
        "NUM_DEVICES": str(DEVICES),
        "CDI_ROOT": str(node.cdi),
        # none while requests are counted
        "HEARTBEAT_PERIOD": "3600",
        "KUBELET_REGISTRAR_DIRECTORY_PATH": str(node.registry),
        "KUBELET_PLUGINS_DIRECTORY_PATH": str(node.plugins),
    }


@dataclass(frozen=True, slots=True)
class Amount:
    """Sizes of samples.

    Attributes:
        nodes: for everything but scale; an even number of at least 128.
        potential: numbers of potential nodes.
        concurrency: claims at the same time.
        samples: one-by-one negotiations for each number of potential nodes.
        claims: negotiations for each number.
        freed: devices that a pod waits for.
        gathered: how often a node is filled at once.
        scale: numbers of nodes of large stores, ascending.
        stored: claims in large stores.
        events: changes of node states in large stores.
        calls: prepares and unprepares at each concurrency.
        runs: of plugins of structured claims, and of explain; medians are reported.
        classic_runs: of everything that concerns a driver of classic claims, likewise.
        many: devices that are published.
        reviews: of the admission webhook.
        explained_nodes: of the cluster in which a pod is explained, with 64 devices each.
        explained_claims: that have devices there.
        rollout_nodes: of the embedded cluster when many pods come at once.
        rollout_pods: so many.
    """

    nodes: int = 128
    potential: tuple[int, ...] = (1, 16, 128)
    concurrency: int = 8
    samples: int = 100
    claims: int = 480
    freed: int = 30
    gathered: int = 5
    scale: tuple[int, ...] = (1000, 10_000)
    stored: int = 10_000
    events: int = 500
    calls: int = 160
    runs: int = 3
    classic_runs: int = 1
    many: int = 5000
    reviews: int = 4000
    explained_nodes: int = 1000
    explained_claims: int = 5000
    rollout_nodes: int = 50
    rollout_pods: int = 500


QUICK: Final = Amount(
    samples=25,
    claims=120,
    freed=10,
    gathered=2,
    scale=(),
    events=100,
    calls=40,
    runs=1,
    reviews=1000,
    explained_nodes=100,
    explained_claims=500,
    rollout_nodes=10,
    rollout_pods=100,
)
