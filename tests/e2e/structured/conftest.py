"""The file driver on a real Kubernetes whose scheduler allocates, raised once for all tests."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.choice import IMAGE as FRAMEWORK
from tests.support.choice import Choice, machine_of, raised
from tests.support.controlledplugin import CLASS, CONTRACT, ControlledPlugin, device_class
from tests.support.filecluster import DIRECTORY, FOLDER, IMAGE, FileCluster


@pytest.fixture(scope="session")
def file_cluster(request: pytest.FixtureRequest) -> Iterator[FileCluster]:
    """The cluster of all tests."""
    choice = Choice.of(request.config.option)
    with ExitStack() as stack:
        machine = (
            stack.enter_context(raised(choice.k8s)) if choice.k8s else machine_of(choice.kubeconfig)
        )
        assert machine is not None
        machine.build_image(IMAGE, FOLDER, {"DRIVER_IMAGE": ":".join(FRAMEWORK)})
        if not DIRECTORY.exists():
            stack.callback(shutil.rmtree, DIRECTORY, ignore_errors=True)
        cluster = FileCluster.on(machine)
        cluster.install()
        stack.callback(cluster.uninstall)
        yield cluster


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
