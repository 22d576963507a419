"""A disk that is full or read-only: a small file system of its own, mounted for real.

Needs root. Where nobody may mount, the same is tested with errors that are made up.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from api.contract import FAKE
from api.errors import DriverError
from dra.devicestate.cdi import claim_file
from tests.support.pluginrig import PluginRig

SIZE = 64 * 1024


def can_mount(root: Path) -> bool:
    """Tell whether this process may mount a file system below a directory."""
    try:
        with small_disk(root):
            return True
    except subprocess.CalledProcessError:
        return False


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """Mount a small, empty file system over a directory.

    Raises:
        CalledProcessError: this machine does not let us.
    """
    _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(path))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(path))


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no room on a disk."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Let nobody write to a disk."""
    _remount(disk, "ro")
    try:
        yield
    finally:
        _remount(disk, "rw")


SICK = {"full": full, "read-only": read_only}
PLACES = ("CDI directory", "plugin directory")


def survived(root: Path, place: str, how: str) -> list[str]:
    """Prepare a claim on a sick disk, and again when the disk is well; then unprepare it.

    Args:
        root: new directory, below which file systems can be mounted.
        place: one of PLACES.
        how: a key of SICK.

    Returns:
        What was wrong, or lost.
    """
    rig = PluginRig(root)
    ref = rig.allocate("a", 0, split=3)
    disk = rig.cdi_root if place == PLACES[0] else rig.directory
    with small_disk(disk):
        with SICK[how](disk):
            found = _refused(lambda: rig.driver.prepare(ref), disk)
            found += [] if rig.saved() == {} else ["a refused claim is in the checkpoint"]
            found += [f"left half-written: {path.name}" for path in root.rglob("*.tmp")]
        rig.driver.prepare(ref)
        rig.assert_agreed()
        with read_only(disk):
            found += _refused(lambda: rig.driver.unprepare(ref), disk)
        rig.driver.unprepare(ref)
        rig.assert_agreed()
        found += [f"left behind: {path}" for path in rig.cdi_root.glob(claim_file(FAKE, ref.uid))]
    return found


def _refused(act: Callable[[], object], disk: Path) -> list[str]:
    try:
        act()
    except DriverError as error:
        told = str(error)
        return [] if str(disk) in told and "make" in told else [f"no file or no remedy: {told}"]
    return ["no error at all"]


def _remount(disk: Path, mode: str) -> None:
    _run("mount", "-o", f"remount,{mode}", str(disk))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
