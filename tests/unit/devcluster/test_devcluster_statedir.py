"""Whose state directory it is, and what is left of it."""

from pathlib import Path

import pytest

from devcluster.config import ClusterConfig
from devcluster.errors import StateDirError
from devcluster.statedir import clear, state_directory

MARK = ".devcluster.lock"


def names(path: Path) -> list[str]:
    return sorted(item.name for item in path.iterdir())


@pytest.fixture
def config(tmp_path: Path) -> ClusterConfig:
    return ClusterConfig(tmp_path / "state")


def fill(config: ClusterConfig) -> None:
    """Make what a cluster makes."""
    config.kubeconfig.touch()
    for name in ("logs", "run", "node1", "node12"):
        (config.state_dir / name).mkdir(exist_ok=True)
        (config.state_dir / name / "file").touch()


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    config = ClusterConfig(tmp_path / "a" / "b")
    with state_directory(config):
        assert names(config.state_dir) == [MARK, "logs"]


def test_an_empty_directory_is_taken(config: ClusterConfig) -> None:
    config.state_dir.mkdir()
    with state_directory(config):
        assert names(config.state_dir) == [MARK, "logs"]


@pytest.mark.parametrize("name", ["kubeconfig", "logs", "node1", "thesis.txt"])
def test_a_directory_of_somebody_else_is_refused_and_stays_as_it_is(
    config: ClusterConfig, name: str
) -> None:
    config.state_dir.mkdir()
    (config.state_dir / name).mkdir()
    with (
        pytest.raises(StateDirError, match=r"is not empty and not of an embedded cluster") as told,
        state_directory(config),
    ):
        pass
    assert names(config.state_dir) == [name]
    assert str(told.value).endswith("; name a new or an empty directory")


def test_a_directory_in_which_a_cluster_runs_is_refused(config: ClusterConfig) -> None:
    with state_directory(config):
        fill(config)
        before = names(config.state_dir)
        with pytest.raises(StateDirError, match="a cluster runs there"), state_directory(config):
            pass
        assert names(config.state_dir) == before


def test_what_a_cluster_left_that_was_killed_goes_and_its_logs_stay(config: ClusterConfig) -> None:
    with state_directory(config):
        fill(config)
    (config.state_dir / "node1-notes").touch()
    with state_directory(config):
        assert names(config.state_dir) == [MARK, "logs", "node1-notes"]
    assert names(config.logs) == ["file"]


def test_after_a_cluster_only_its_logs_are_left(config: ClusterConfig) -> None:
    with state_directory(config):
        fill(config)
        clear(config)
    assert names(config.state_dir) == [MARK, "logs"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StateDirError, match=r"file/state.*name a directory that you can write to"),
        state_directory(ClusterConfig(tmp_path / "file" / "state")),
    ):
        pass
