"""What is left of the driver when the Makefile has taken it away: its files, which are empty."""

from collections.abc import Iterator

import pytest

from testing.waiting import until
from tests.support.filecluster import DIRECTORY, SYSTEM, V1_ONLY, FileCluster, claim, make
from tests.support.structuredcluster import pod

pytestmark = [pytest.mark.raised, pytest.mark.last, pytest.mark.timeout(300)]


@pytest.fixture
def removable(files: FileCluster) -> Iterator[FileCluster]:
    """A cluster from which the test may take the driver."""
    yield files
    files.install()


@V1_ONLY
def test_undeploy_leaves_nothing(removable: FileCluster) -> None:
    removable.apply(claim("c"), pod("pod", "c"))
    removable.ready("pod")
    make(removable, "test")
    removable.delete("pod/pod")
    make(removable, "undeploy")
    assert removable.pids() == []
    assert removable.sockets() == []
    assert removable.cdi_files() == []
    assert removable.files() == {}
    assert all(path.read_bytes() == b"" for path in DIRECTORY.iterdir())
    until("the kubelet has deleted the slices", lambda: removable.slices() == [], 60)
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,deviceclasses,namespaces"
    left = removable.kubectl.run("get", kinds, "-o", "name").split()
    assert [name for name in left if SYSTEM in name or "file" in name] == []


@V1_ONLY
def test_demo_from_deploy_to_undeploy(removable: FileCluster) -> None:
    """As a reader of the README does it, with one file."""
    make(removable, "undeploy")
    for target in ("deploy", "test", "check", "clean"):
        make(removable, target)
    assert removable.devices() == ["file1"]
    removable.emptied()
    make(removable, "undeploy")
