"""A cluster with the driver on it, whichever one: what tests of behaviour may do with it.

`embedded.Embedded` is the one in this project, `realcluster.RealCluster` any other. A test that
needs more than this contract runs on one of them only, and carries the marker that says so.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from api.contract import FAKE, Contract
from api.names import RESOURCE_GROUP
from api.nas import NodeAllocationState
from api.objects import ClaimUID
from api.resources import DRA_VERSIONS, Resource
from demo.session import Session
from dra.devicestate.cdi import common_file
from kube.client import Client
from testing.waiting import until
from tests.support.kubectl import Kubectl
from tests.support.manifests import ALL_SHAPES, Shapes

ROOT = Path(__file__).parents[2]
KUBECTL = ROOT / ".bin" / "kubectl"
CONTROLLER = "controller"
DEVICES = 8
"""That every node offers."""

_LAST_LINES = 40
_RESTART_SECONDS = 60.0
_KUBECTL_SECONDS = 200.0


def plugin_of(node: str) -> str:
    """Return the name of a node's kubelet plugin among the driver's programs."""
    return f"plugin-{node}"


@dataclass(frozen=True, slots=True)
class Access:
    """The ways to a cluster.

    Attributes:
        client: of the API server.
        kubectl: the real one.
        session: of the demos.
        claims: ResourceClaims, in the version that the cluster serves.
        shapes: builders of claims, in the version that the cluster serves.
        minor: of Kubernetes 1.
    """

    client: Client
    kubectl: Kubectl
    session: Session
    claims: Resource
    shapes: Shapes
    minor: int

    @classmethod
    def by(cls, kubeconfig: Path, contract: Contract = FAKE) -> "Access":
        """Return the ways to the cluster of a kubeconfig; the caller closes the client."""
        client = Client.from_kubeconfig(str(kubeconfig), qps=1000, burst=1000, user_agent="tests")
        served = client.versions(RESOURCE_GROUP)
        (shapes,) = [shapes for shapes in ALL_SHAPES if shapes.version in served][:1]
        minor = int(re.sub(r"\D", "", client.server_version()["minor"]))
        claims = DRA_VERSIONS[shapes.version].claims
        kubectl, session = (
            Kubectl(KUBECTL, kubeconfig, timeout=_KUBECTL_SECONDS),
            Session(client, contract, claims=claims),
        )
        return cls(client, kubectl, session, claims, shapes, minor)


def skip_before(item: pytest.Item, minor: int) -> None:
    """Skip a test that is marked `since` a later Kubernetes than 1.`minor`."""
    since = item.get_closest_marker("since")
    if since and minor < since.args[0]:
        pytest.skip(f"before 1.{since.args[0]} {since.args[1]}")


@dataclass(frozen=True)
class Cluster(ABC):
    """A cluster, and the ways to look at it.

    Attributes:
        access: to its API server.
        nodes: names of those that offer devices.
    """

    access: Access
    nodes: Sequence[str] = field(default=(), kw_only=True)

    @property
    def client(self) -> Client:
        """Of the API server."""
        return self.access.client

    @property
    def kubectl(self) -> Kubectl:
        """The real one."""
        return self.access.kubectl

    @property
    def session(self) -> Session:
        """Of the demos."""
        return self.access.session

    @property
    def shapes(self) -> Shapes:
        """Builders of claims."""
        return self.access.shapes

    @property
    def minor(self) -> int:
        """Of Kubernetes 1."""
        return self.access.minor

    @abstractmethod
    def demo(self, name: str) -> Path:
        """Return the manifest of a demo for this version of Kubernetes."""

    @abstractmethod
    def cdi_entries(self, node: str) -> list[str]:
        """Return the names in the CDI directory of a node that are the driver's."""

    @abstractmethod
    def block(self, node: str, claim: ClaimUID) -> None:
        """Put a directory where the CDI file of a claim is, so that it can neither come nor go."""

    @abstractmethod
    def unblock(self, node: str, claim: ClaimUID) -> None:
        """Take that directory away."""

    @abstractmethod
    def kill(self, program: str) -> object:
        """End `controller` or `plugin-<node>` as abruptly as this cluster can.

        Returns:
            what `has_restarted` needs to know which instance that was.
        """

    @abstractmethod
    def has_restarted(self, program: str, killed: object) -> bool:
        """Tell whether another instance than the killed one runs."""

    @abstractmethod
    def frozen(self, node: str) -> AbstractContextManager[None]:
        """Keep a node's plugin from running on, as if it hung.

        Skips the test where processes of the node are out of reach.
        """

    @abstractmethod
    def whole_log(self, program: str) -> str:
        """Return what the running instance of a program has written."""

    @contextmanager
    def blocked(self, claim: ClaimUID) -> Iterator[None]:
        """Keep the CDI file of a claim from coming and going, on every node."""
        for node in self.nodes:
            self.block(node, claim)
        try:
            yield
        finally:
            for node in self.nodes:
                self.unblock(node, claim)

    @contextmanager
    def cordoned(self, *nodes: str) -> Iterator[None]:
        """Keep new pods away from nodes."""
        self.kubectl.run("cordon", *nodes)
        try:
            yield
        finally:
            self.kubectl.run("uncordon", *nodes)

    @contextmanager
    def tainted(self, node: str, taint: str) -> Iterator[None]:
        """Keep pods away from a node that do not tolerate a taint."""
        self.kubectl.run("taint", "node", node, taint)
        try:
            yield
        finally:
            self.kubectl.run("taint", "node", node, f"{taint}-")

    def logged(self, program: str, text: str) -> None:
        """Wait until a program has written this."""
        until(f"{text!r} in the log of {program}", lambda: text in self.whole_log(program), 60)

    def crash(self, *programs: str) -> None:
        """Kill programs at the same time and wait until others run, and every node is Ready."""
        killed = {program: self.kill(program) for program in programs}
        for program, which in killed.items():
            again = partial(self.has_restarted, program, which)
            until(f"{program} runs again", again, _RESTART_SECONDS)
        self.session.nodes_ready(len(self.nodes))

    def cdi_files(self) -> list[str]:
        """Return the CDI files of claims on all nodes."""
        found = [name for node in self.nodes for name in self.cdi_entries(node)]
        return sorted(name for name in found if name != common_file(FAKE))

    def state(self, node: str) -> NodeAllocationState:
        """Return one node's state."""
        (found,) = [state for state in self.session.states() if state.node == node]
        return found

    def settled(self) -> list[NodeAllocationState]:
        """Wait until nodes hold nothing and have no CDI file of a claim; return their states."""
        self.session.released([])
        states = self.session.states()
        until("no CDI file of a claim is left", lambda: not self.cdi_files())
        return states

    @property
    def programs(self) -> list[str]:
        """Names of the driver's programs."""
        return [CONTROLLER, *(plugin_of(node) for node in self.nodes)]

    def last_words(self, program: str) -> str:
        """Return the end of a program's log, or why there is none, for reports."""
        try:
            return "\n".join(self.whole_log(program).splitlines()[-_LAST_LINES:])
        except (AssertionError, LookupError, OSError) as error:
            return str(error)
