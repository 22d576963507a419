"""`python -m devcluster up`: what it refuses, and what the chart's stand-in installs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from devcluster.__main__ import main, prepare
from devcluster.config import ClusterConfig
from devcluster.errors import StateDirError
from devcluster.manifests import driver_objects


def test_a_used_state_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").touch()
    ended = CliRunner().invoke(main, ["up", "--state-dir", str(tmp_path)])
    assert ended.exit_code == 1
    assert "is not empty; name a new directory" in ended.output


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateDirError, match=r"file/state.*name a directory"):
        prepare(ClusterConfig(tmp_path / "file" / "state"))


def test_help_says_what_each_option_is_for() -> None:
    told = CliRunner().invoke(main, ["up", "--help"]).output
    for option in ("--state-dir", "--nodes", "--num-devices", "--kubelet-version", "--port"):
        assert option in told


def test_definitions_come_before_what_needs_them() -> None:
    kinds = [obj["kind"] for _, obj in driver_objects()]
    assert kinds == ["CustomResourceDefinition"] * 3 + ["Namespace", "ResourceClass"]
