import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api.contract import FAKE
from dra.errors import CannotServe, DirectoryUnusable, NodeOccupied, SocketUnusable
from dra.places import NodeLock, Place, Places, check_length


def places(root: Path) -> Places:
    return Places.of(FAKE, str(root / "cdi"), str(root / "registry"), str(root / "plugins"))


def test_names_are_those_of_the_contract() -> None:
    found = Places.of(FAKE, "/etc/cdi", "/k/plugins_registry", "/k/plugins")
    assert [str(p.path) for p in (found.registration_socket, found.plugin_socket)] == [
        "/k/plugins_registry/fake.resource.3-shake.com-reg.sock",
        "/k/plugins/fake.resource.3-shake.com/plugin.sock",
    ]


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Places.of(FAKE, "c", "r", "p").plugin_socket.path.is_relative_to(tmp_path)


def test_own_directories_are_made(short_path: Path) -> None:
    (short_path / "registry").mkdir()
    made = places(short_path)
    made.make_usable()
    made.make_usable()
    assert made.directory.path.is_dir()
    assert made.cdi_root.path.is_dir()


def test_directory_of_the_kubelet_is_not_made(short_path: Path) -> None:
    with pytest.raises(DirectoryUnusable, match=r"KUBELET_REGISTRAR_DIRECTORY_PATH"):
        places(short_path).make_usable()


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("cdi", "CDI_ROOT"),
        ("plugins", "KUBELET_PLUGINS_DIRECTORY_PATH"),
        ("registry", "KUBELET_REGISTRAR_DIRECTORY_PATH"),
    ],
)
def test_file_in_place_of_a_directory(short_path: Path, name: str, setting: str) -> None:
    (short_path / "registry").mkdir()
    directory = short_path / name
    if directory.exists():
        directory.rmdir()
    directory.touch()
    with pytest.raises(DirectoryUnusable, match=setting):
        places(short_path).make_usable()


@pytest.mark.parametrize("name", ["cdi", "registry", "plugins/fake.resource.3-shake.com"])
def test_directory_that_may_not_be_written(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Root may write everywhere, so access is made up."""
    (short_path / "registry").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _mode: path != short_path / name)
    with pytest.raises(DirectoryUnusable, match="not writable for user"):
        places(short_path).make_usable()


def test_path_that_is_too_long_is_told_before_anything_is_made(short_path: Path) -> None:
    root = short_path / ("d" * 80)
    with pytest.raises(SocketUnusable, match="KUBELET_PLUGINS_DIRECTORY_PATH"):
        places(root).make_usable()
    assert not root.exists()


@pytest.mark.parametrize(
    ("name", "fits"),
    [("s" * 104, True), ("s" * 105, False), ("é" * 53, False)],
    ids=["longest", "longer", "two bytes each"],
)
def test_length_is_counted_in_bytes(name: str, fits: bool) -> None:
    place = Place(Path("/p", name), "--flag")
    if fits:
        check_length(place)
    else:
        with pytest.raises(SocketUnusable, match=r"shorter by [12] bytes"):
            check_length(place)


def test_file_in_place_of_a_socket(short_path: Path) -> None:
    (short_path / "registry").mkdir()
    taken = places(short_path).registration_socket.path
    taken.touch()
    with pytest.raises(SocketUnusable, match="no socket"):
        places(short_path).make_usable()
    assert taken.exists()


def test_former_socket_is_fine(short_path: Path) -> None:
    (short_path / "registry").mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(places(short_path).registration_socket.path))
    places(short_path).make_usable()


def test_second_plugin_is_kept_off(short_path: Path) -> None:
    place = Place(short_path, "--flag")
    first = NodeLock(place)
    with pytest.raises(NodeOccupied, match=r"stop it.*--flag"):
        NodeLock(place)
    first.release()
    NodeLock(place).release()


def test_lock_goes_with_the_process_that_had_it(short_path: Path) -> None:
    code = "import sys; from pathlib import Path; from dra.places import *; "
    code += "NodeLock(Place(Path(sys.argv[1]), '')); print('locked', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(short_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(NodeOccupied):
            NodeLock(Place(short_path, "--flag"))
        other.kill()
    NodeLock(Place(short_path, "--flag")).release()


def test_lock_of_a_missing_directory(short_path: Path) -> None:
    with pytest.raises(CannotServe, match="cannot be opened"):
        NodeLock(Place(short_path / "none", "--flag"))
