"""A disk that is full or read-only: an error with file and remedy, and nothing half-written."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dra.errors import CdiWriteFailed, CheckpointWriteFailed, NodeError
from tests.support.pluginrig import PluginRig
from tests.support.sickdisk import PLACES, SICK, can_mount, survived


@pytest.mark.parametrize("how", SICK)
@pytest.mark.parametrize("place", PLACES)
def test_real_disk(tmp_path: Path, place: str, how: str) -> None:
    if not can_mount(tmp_path):
        pytest.skip("needs the right to mount")
    assert survived(tmp_path, place, how) == []


@pytest.mark.parametrize(
    ("place", "error"),
    [("cdi_root", CdiWriteFailed), ("directory", CheckpointWriteFailed)],
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_disk_that_refuses_new_files(
    rig: PluginRig,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    error: type[NodeError],
    number: int,
) -> None:
    ref, disk, make = rig.allocate("a", 0), getattr(rig, place), tempfile.mkstemp

    def refuse(**kwargs: Any) -> tuple[int, str]:
        if kwargs["dir"] == disk:
            raise OSError(number, os.strerror(number))
        return make(**kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", refuse)
        with pytest.raises(error, match=rf"{disk}.*{os.strerror(number)}; make .*"):
            rig.driver.prepare(ref)
        assert rig.saved() == {}
    rig.driver.prepare(ref)
    rig.assert_agreed()
