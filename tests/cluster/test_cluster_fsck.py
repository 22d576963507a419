"""`fake-dra fsck`, as the documentation says it, and pointed wrongly."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.contract import FAKE
from demo.expect import DEMOS
from tests.support.anycluster import ROOT, Cluster
from tests.support.embedded import Embedded

FAKE_DRA = Path(sys.executable).with_name("fake-dra")
SHARED = DEMOS[1]
DOCUMENTED = {
    match
    for page in ("README.md", "docs/reliability.md")
    for match in re.findall(r"^\$ fake-dra (.*)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
}

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def busy(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster on which a claim is prepared."""
    cluster.kubectl.run("apply", "-f", str(cluster.demo(SHARED.name)))
    cluster.session.running(SHARED)
    yield cluster
    cluster.kubectl.run("delete", "-f", str(cluster.demo(SHARED.name)))


@pytest.fixture
def fake_dra(busy: Cluster) -> Run:
    """Runs the command; returns its exit code and its lines."""

    def run(*arguments: str) -> tuple[int, list[str]]:
        command = [str(FAKE_DRA), *arguments, "--kubeconfig", busy.kubectl.kubeconfig]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return ended.returncode, (ended.stdout + ended.stderr).splitlines()

    return run


def test_documented_commands_run_as_they_are_written(busy: Cluster, fake_dra: Run) -> None:
    assert {"fsck"} == DOCUMENTED
    for written in DOCUMENTED:
        code, (looked, said) = fake_dra(*written.split())
        assert (code, said) == (0, "no violations")
        nodes = f"looked at {len(busy.nodes)} node"
        assert looked.startswith(nodes)
        assert looked.endswith(f"in namespace fake-system of {busy.client.url}")


def test_a_wrong_namespace_is_told(busy: Cluster, fake_dra: Run) -> None:
    code, (said,) = fake_dra("fsck", "--namespace", "wrong")
    assert code == 2
    assert f"of {busy.client.url} are none in namespace wrong, but in fake-system (" in said


@pytest.mark.embedded
def test_files_of_a_node_and_of_another_place(busy: Cluster, fake_dra: Run, tmp_path: Path) -> None:
    assert isinstance(busy, Embedded)
    (node,) = [state.node for state in busy.session.states() if state.holders]
    root = busy.config.node_root(node)

    def look(plugins: Path, *options: str) -> tuple[int, list[str]]:
        places = ["--cdi-root", str(root / "cdi"), "--kubelet-plugins-directory-path", str(plugins)]
        return fake_dra("fsck", "--node-files", *places, *options)

    code, (looked, said) = look(root / "plugins")
    assert (code, said) == (0, "no violations")
    assert looked.endswith(f"the checkpoint (1 claim) and 1 CDI file of node {node}")
    code, (said,) = look(root / "plugins", "--node-name", "wrong")
    assert (code, f"those of node {node}, not of wrong" in said) == (2, True)
    (tmp_path / FAKE.driver_name).mkdir()
    code, (said,) = look(tmp_path)
    assert (code, f"{FAKE.driver_name} is empty" in said) == (2, True)
