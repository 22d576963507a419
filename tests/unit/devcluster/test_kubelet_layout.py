"""Where things are on disk."""

from pathlib import Path

import pytest

from api.contract import FAKE
from devcluster.errors import StateDirError
from devcluster.kubelet.layout import SOCKET_PATH_BYTES, NodeDirectories, check_socket_path
from tests.support.fakedriver import short_directory


def test_the_directories_of_a_node() -> None:
    with short_directory() as root:
        NodeDirectories(root / "n").create(FAKE.driver_name)
        NodeDirectories(root / "n").create(FAKE.driver_name)
        found = sorted(path.name for path in (root / "n").iterdir())
    assert found == ["cdi", "plugins", "plugins_registry", "pods"]


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_the_longest_socket_path(extra: int, fits: bool) -> None:
    path = Path("/" + "x" * (SOCKET_PATH_BYTES - 1 + extra))
    if fits:
        check_socket_path(path)
        return
    with pytest.raises(StateDirError, match=r"has 108 bytes.*at most 107; choose a shorter"):
        check_socket_path(path)


def test_bytes_count_and_not_characters() -> None:
    with pytest.raises(StateDirError):
        check_socket_path(Path("/" + "ü" * 60))


def test_a_root_that_cannot_be_made() -> None:
    with pytest.raises(StateDirError, match="/proc/none of a node cannot be used"):
        NodeDirectories(Path("/proc/none")).create(FAKE.driver_name)


@pytest.mark.parametrize("uid", ["", "..", "../x", "a/b", "a\n"])
def test_a_uid_leads_nowhere_else(tmp_path: Path, uid: str) -> None:
    with pytest.raises(ValueError, match="is not a uid"):
        NodeDirectories(tmp_path).pod(uid)


def test_pods_on_disk(tmp_path: Path) -> None:
    directories = NodeDirectories(tmp_path)
    for name in ("b-2", "a-1", "no_uid"):
        (directories.pods / name).mkdir(parents=True)
    assert directories.pods_on_disk() == ["a-1", "b-2"]


def test_logs_of_a_container(tmp_path: Path) -> None:
    pod = NodeDirectories(tmp_path).pod("uid")
    assert pod.runs("main") == []
    for run in (0, 2, 10):
        pod.log("main", run).parent.mkdir(parents=True, exist_ok=True)
        pod.log("main", run).touch()
    assert pod.runs("main") == [0, 2, 10]
    pod.forget_runs("main", 10)
    assert pod.runs("main") == [10]
    pod.remove()
    pod.remove()
    assert not pod.path.exists()
