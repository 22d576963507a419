"""A real Kubernetes whose scheduler allocates, raised once for all tests, and drivers on it."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.anycluster import skip_before
from tests.support.choice import IMAGE as FRAMEWORK
from tests.support.choice import Choice, machine_of, raised
from tests.support.controlledplugin import CLASS, CONTRACT, ControlledPlugin, device_class
from tests.support.fakecluster import FakeCluster
from tests.support.filecluster import DIRECTORY, FOLDER, IMAGE, FileCluster
from tests.support.gpucluster import GpuCluster


@pytest.fixture(scope="session")
def structured_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The node of all tests, with the image of the project."""
    choice = Choice.of(request.config.option)
    if choice.k8s:
        with raised(choice) as it:
            yield it
    else:
        found = machine_of(choice.kubeconfig)
        assert found is not None
        yield found


@pytest.fixture(autouse=True)
def _since(structured_machine: Machine, request: pytest.FixtureRequest) -> None:
    skip_before(request.node, structured_machine.version.minor)


@pytest.fixture(scope="session")
def file_cluster(structured_machine: Machine) -> Iterator[FileCluster]:
    """The cluster, with the file driver."""
    with ExitStack() as stack:
        structured_machine.build_image(IMAGE, FOLDER, {"DRIVER_IMAGE": ":".join(FRAMEWORK)})
        if not DIRECTORY.exists():
            stack.callback(shutil.rmtree, DIRECTORY, ignore_errors=True)
        cluster = FileCluster.on(structured_machine)
        cluster.install()
        stack.callback(cluster.uninstall)
        yield cluster


@pytest.fixture(scope="session")
def fake_cluster(structured_machine: Machine) -> Iterator[FakeCluster]:
    """The cluster, with the fake driver."""
    cluster = FakeCluster.on(structured_machine)
    cluster.install()
    yield cluster
    cluster.uninstall()


@pytest.fixture
def fakes(fake_cluster: FakeCluster) -> Iterator[FakeCluster]:
    """The cluster, with no fake device allocated before and after the test."""
    yield fake_cluster
    fake_cluster.clear()
    fake_cluster.settled()


@pytest.fixture
def gpus(structured_machine: Machine) -> GpuCluster:
    """The cluster of the tests of the gpu driver, which they install."""
    return GpuCluster.on(structured_machine)


@pytest.fixture
def race_seconds(request: pytest.FixtureRequest) -> float:
    """How long pods come and go."""
    seconds: float = request.config.option.race
    return seconds


@pytest.fixture
def files(file_cluster: FileCluster) -> Iterator[FileCluster]:
    """The cluster, with nothing allocated before and after the test."""
    yield file_cluster
    file_cluster.clear()
    file_cluster.emptied()
    file_cluster.offered()


@pytest.fixture
def plugin(files: FileCluster, tmp_path: Path) -> Iterator[ControlledPlugin]:
    """A second driver on the node, that does what the test says."""
    running = ControlledPlugin(files, tmp_path)
    files.apply(device_class())
    running.start()
    yield running
    for about in ("prepare", "unprepare"):
        running.say(about, "")
    files.clear()
    running.stop()
    files.kubectl.run(
        "delete", "resourceslices", f"--field-selector=spec.driver={CONTRACT.driver_name}"
    )
    files.kubectl.run("delete", f"deviceclass/{CLASS}")
