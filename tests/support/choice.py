"""Makes the cluster that the options of pytest ask for."""

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.session import SYSTEM
from tests.e2e.cluster import versions
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.e2e.cluster.errors import NotUp
from tests.e2e.cluster.layout import Layout
from tests.support.anycluster import ROOT, Access, Cluster
from tests.support.embedded import embedded
from tests.support.helm import Helm
from tests.support.kubectl import Kubectl
from tests.support.realcluster import RaisedCluster, RealCluster, nodes_of

CHART: Final = ROOT / "deploy" / "helm" / "fake-dra-driver"
RELEASE: Final = "fake-dra-driver"
IMAGE: Final = ("fake-dra-driver", "e2e")
"""Repository and tag."""

_WHOLE: Final = (
    "clusterroles",
    "clusterrolebindings",
    "deviceclasses",
    "resourceclasses",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
)
"""Resources of the whole cluster, as far as they are served, of which a chart makes objects."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user asked for.

    Attributes:
        kubeconfig: of a cluster that is up; empty if none was given.
        k8s: version of the one to raise; empty if none was given.
        gates: feature gates to switch there, such as `A=true,B=false`.
    """

    kubeconfig: str = ""
    k8s: str = ""
    gates: str = ""

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Choice":
        """Read the options of pytest."""
        return cls(options.kubeconfig or "", options.k8s or "", options.gates or "")

    @property
    def is_embedded(self) -> bool:
        """Whether neither was given."""
        return not (self.kubeconfig or self.k8s)

    @property
    def is_raised(self) -> bool:
        """Whether the node is one that tests.e2e.cluster has raised or will raise."""
        return bool(self.k8s) or (bool(self.kubeconfig) and machine_of(self.kubeconfig) is not None)

    @property
    def is_structured(self) -> bool:
        """Whether kube-scheduler allocates there; nothing is known of a user's own cluster."""
        if self.k8s:
            return not versions.parse(self.k8s).classic
        machine = machine_of(self.kubeconfig) if self.kubeconfig else None
        return machine is not None and not machine.version.classic


@contextmanager
def chosen(choice: Choice) -> Iterator[Cluster]:
    """Make a cluster, and take it down afterwards unless it was there before."""
    if choice.is_embedded:
        # pytest's own temporary directories make socket paths too long
        with (
            tempfile.TemporaryDirectory(prefix="dra-") as path,
            embedded(Path(path), nodes=2) as it,
        ):
            yield it
    elif choice.k8s:
        with raised(choice) as machine:
            helm_install(machine.kubeconfig)
            with _real(machine.kubeconfig, machine) as it:
                yield it
    else:
        with _real(Path(choice.kubeconfig), machine_of(choice.kubeconfig)) as it:
            yield it


def helm_install(kubeconfig: Path, values: Mapping[str, object] | None = None) -> None:
    """Install the chart with the image that was loaded, and wait until its pods are Ready.

    Args:
        kubeconfig: of the cluster.
        values: of the chart, beside those of the image.
    """
    repository, tag = IMAGE
    image = {"repository": repository, "tag": tag, "pullPolicy": "Never"}
    # the embedded cluster's programs have it of the environment, too
    how = os.environ.get("COMMUNICATION")
    settings = {**({"communication": how} if how else {}), **(values or {}), "image": image}
    _helm(kubeconfig).install(RELEASE, SYSTEM, settings)


def helm_uninstall(kubeconfig: Path) -> None:
    """Uninstall the chart and wait until its pods are gone."""
    _helm(kubeconfig).uninstall(RELEASE, SYSTEM)


def objects_of_the_release(kubectl: Kubectl) -> list[str]:
    """Return what of the chart is in a cluster, but for its CRDs."""
    kinds = "deployments,daemonsets,jobs,pods,services,secrets,serviceaccounts,roles,rolebindings"
    served = kubectl.run("api-resources", "--no-headers", "-o", "name").splitlines()
    whole = [each for each in served if each.split(".")[0] in _WHOLE]
    found = kubectl.run("get", kinds, "-n", SYSTEM, "-o", "name").splitlines()
    found += kubectl.run("get", ",".join(whole), "-o", "name").splitlines()
    return [name for name in found if RELEASE in name or "3-shake.com" in name]


@contextmanager
def raised(choice: Choice) -> Iterator[Machine]:
    """Raise a node with the image of this project on it, and take it down afterwards."""
    version = versions.parse(choice.k8s, choice.gates)
    machine = Machine(Layout.from_environment(os.environ), version)
    machine.build()
    machine.check()
    with ExitStack() as stack:
        stack.callback(machine.down)
        machine.up()
        machine.build_image(":".join(IMAGE))
        yield machine


@contextmanager
def _real(kubeconfig: Path, machine: Machine | None) -> Iterator[RealCluster]:
    access = Access.by(kubeconfig)
    try:
        nodes = nodes_of(access)
        assert nodes, "no node has a NodeAllocationState; install the chart into fake-system"
        access.session.nodes_ready(len(nodes))
        if machine:
            yield RaisedCluster(access, machine, nodes=nodes)
        else:
            yield RealCluster(access, nodes=nodes)
    finally:
        access.client.close()


def machine_of(kubeconfig: str) -> Machine | None:
    """Return the machine that a kubeconfig belongs to, if tests.e2e.cluster has raised it."""
    try:
        machine = Machine.existing(Layout.from_environment(os.environ))
    except NotUp:
        return None
    return machine if machine.kubeconfig == Path(kubeconfig).absolute() else None


def _helm(kubeconfig: Path) -> Helm:
    return Helm(ROOT / ".bin" / "helm", CHART, kubeconfig=kubeconfig)
