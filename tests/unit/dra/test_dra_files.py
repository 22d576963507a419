import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dra.devicestate.files import Keep, remove_temporaries, write_atomically


def full_disk(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def test_content_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"new", mode=0o640, keep=Keep.NEW)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_failure_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path if step == "replace" else os, step, full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new", mode=0o600, keep=Keep.NEW)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        pytest.param(Keep.NEW, ["fsync", "replace", "fsync"], id="new"),
        pytest.param(Keep.EITHER, ["fsync", "replace"], id="either"),
        pytest.param(Keep.ANYTHING, ["replace"], id="anything"),
    ],
)
def test_content_is_durable_before_it_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Keep, expected: list[str]
) -> None:
    steps: list[str] = []

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            steps.append(name)
            return function(*args)

        return call

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("replace", Path.replace))
    write_atomically(tmp_path / "file", b"new", mode=0o600, keep=keep)
    assert steps == expected


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "file", b"", mode=0o600, keep=Keep.NEW)


def test_only_temporaries_of_the_file_are_removed(tmp_path: Path) -> None:
    for name in ("file", "file.abc.tmp", "file.tmp.keep", "other.abc.tmp"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path / "file")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "file.tmp.keep", "other.abc.tmp"]
