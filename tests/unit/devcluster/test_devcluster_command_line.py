"""`python -m devcluster`: what it refuses, and what the chart's stand-in installs."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.contract import FAKE
from devcluster.__main__ import main
from devcluster.manifests import driver_objects


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_used_state_directory_is_refused(state: Path) -> None:
    state.mkdir()
    (state / "kubeconfig").touch()
    ended = CliRunner().invoke(main, ["up", "--state-dir", str(state)])
    assert ended.exit_code == 1
    assert ended.stderr == (
        f"Error: --state-dir {state} is not empty and not of an embedded cluster; name a new or an "
        "empty directory\n"
    )


def test_a_port_in_use_is_told_at_once_and_nothing_is_made(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = CliRunner().invoke(main, ["up", "--state-dir", str(state), "--port", str(port)])
    assert ended.exit_code == 1
    assert ended.stderr == (
        f"Error: --port {port} of 127.0.0.1 cannot be used: Address already in use; name another "
        "one, or leave it out for any free one\n"
    )
    assert not state.exists()


def test_a_node_that_is_none_is_refused_with_the_form(state: Path) -> None:
    ended = CliRunner().invoke(main, ["up", "--state-dir", str(state), "--node", "a:devices=x"])
    assert ended.exit_code == 2
    assert "Invalid value for '--node': 'a:devices=x': devices=x is no number" in ended.stderr
    assert not state.exists()


@pytest.mark.parametrize("action", ["stop-plugin", "start-plugin", "stop-node", "start-node"])
def test_without_a_cluster_nothing_can_be_stopped(state: Path, action: str) -> None:
    ended = CliRunner().invoke(main, [action, "node-1", "--state-dir", str(state)])
    assert ended.exit_code == 1
    assert ended.stderr == (
        f"Error: no cluster runs in {state}; name the directory of one with --state-dir\n"
    )


def test_help_says_what_each_option_is_for() -> None:
    told = CliRunner().invoke(main, ["up", "--help"]).output
    for option in ("--state-dir", "--nodes", "--node NAME", "--num-devices", "--port"):
        assert option in told


def test_definitions_come_before_what_needs_them() -> None:
    kinds = [obj["kind"] for _, obj in driver_objects(FAKE.driver_name)]
    assert kinds == ["CustomResourceDefinition"] * 3 + ["Namespace", "ResourceClass"]
