from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.e2e.cluster.__main__ import main
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.layout import Layout


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "FAKE_DRA_E2E_CACHE": str(tmp_path / "cache"),
        "FAKE_DRA_E2E_STATE": str(tmp_path / "state"),
    }


@pytest.mark.parametrize(
    "command", ["status", "kubeconfig", "reboot", "restart kubelet", "logs kubelet"]
)
def test_without_a_cluster(command: str, environment: dict[str, str]) -> None:
    ended = CliRunner().invoke(main, command.split(), env=environment)
    assert ended.exit_code == 1
    assert ended.output == "Error: no cluster is up; raise one with `up`\n"


def test_down_without_a_cluster_is_fine(environment: dict[str, str]) -> None:
    assert CliRunner().invoke(main, ["down"], env=environment).exit_code == 0


def test_unknown_version(environment: dict[str, str]) -> None:
    ended = CliRunner().invoke(main, ["up", "--k8s", "1.40"], env=environment)
    assert ended.exit_code == 1
    assert "give one of 1.27" in ended.output


def test_unknown_gate(environment: dict[str, str]) -> None:
    ended = CliRunner().invoke(main, ["up", "--k8s", "1.35", "--gates", "A=1"], env=environment)
    assert ended.exit_code == 1
    assert "'A=1' switches no feature gate" in ended.output


def test_gates_outlive_the_process_that_raised_the_cluster(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "cache", tmp_path)
    (tmp_path / "version").write_text("1.35.4 A=true")
    assert Cluster.existing(layout).version.gates == {"A": True}


def test_unknown_component(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "version").write_text("1.30.14")
    ended = CliRunner().invoke(main, ["restart", "dockerd"], env=environment)
    assert "no component 'dockerd'; one of etcd, apiserver" in ended.output
