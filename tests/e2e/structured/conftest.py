"""Drivers on a real Kubernetes whose scheduler allocates, raised once for all tests."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.choice import IMAGE as FRAMEWORK
from tests.support.choice import Choice, machine_of, raised
from tests.support.controlledplugin import CLASS, CONTRACT, ControlledPlugin, device_class
from tests.support.filecluster import DIRECTORY, FOLDER, IMAGE, FileCluster
from tests.support.gpucluster import GpuCluster


@pytest.fixture(scope="session")
def structured_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The node of all tests, with the image of the project."""
    choice = Choice.of(request.config.option)
    with ExitStack() as stack:
        machine = (
            stack.enter_context(raised(choice.k8s)) if choice.k8s else machine_of(choice.kubeconfig)
        )
        assert machine is not None
        yield machine


@pytest.fixture(scope="session")
def file_cluster(structured_machine: Machine) -> Iterator[FileCluster]:
    """The cluster of the tests of the file driver."""
    structured_machine.build_image(IMAGE, FOLDER, {"DRIVER_IMAGE": ":".join(FRAMEWORK)})
    with ExitStack() as stack:
        if not DIRECTORY.exists():
            stack.callback(shutil.rmtree, DIRECTORY, ignore_errors=True)
        cluster = FileCluster.on(structured_machine)
        cluster.install()
        stack.callback(cluster.uninstall)
        yield cluster


@pytest.fixture
def gpus(structured_machine: Machine, request: pytest.FixtureRequest) -> GpuCluster:
    """The cluster of the tests of the gpu driver, which they install."""
    cluster = GpuCluster.on(structured_machine)
    since = request.node.get_closest_marker("since")
    if since and cluster.minor < since.args[0]:
        pytest.skip(f"before 1.{since.args[0]} {since.args[1]}")
    return cluster


@pytest.fixture
def files(file_cluster: FileCluster) -> Iterator[FileCluster]:
    """The cluster, with nothing allocated before and after the test."""
    yield file_cluster
    clear(file_cluster)
    file_cluster.emptied()
    file_cluster.offered()


def clear(cluster: FileCluster) -> None:
    """Delete what a test has made."""
    kinds = "deployments,pods,resourceclaims,resourceclaimtemplates"
    cluster.kubectl.run("delete", kinds, "--all", "--timeout=150s")


@pytest.fixture
def plugin(files: FileCluster, tmp_path: Path) -> Iterator[ControlledPlugin]:
    """A second driver on the node, that does what the test says."""
    running = ControlledPlugin(files, tmp_path)
    files.apply(device_class())
    running.start()
    yield running
    for about in ("prepare", "unprepare"):
        running.say(about, "")
    clear(files)
    running.stop()
    files.kubectl.run(
        "delete", "resourceslices", f"--field-selector=spec.driver={CONTRACT.driver_name}"
    )
    files.kubectl.run("delete", f"deviceclass/{CLASS}")
