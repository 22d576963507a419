"""Unmounting what pods left mounted below a directory."""

import re
from pathlib import Path

from tests.e2e.cluster.commands import run


def below(table: str, directory: Path) -> list[str]:
    """Return the mount points at or below a directory, innermost first.

    Args:
        table: content of /proc/self/mounts.
        directory: absolute, without symbolic links.
    """
    points = [_unescaped(line.split(" ")[1]) for line in table.splitlines()]
    found = [point for point in points if Path(point).is_relative_to(directory)]
    return sorted(found, key=len, reverse=True)


def unmount_below(directory: Path) -> None:
    """Unmount everything at or below a directory.

    Raises:
        CommandFailed: umount could not.
    """
    table = Path("/proc/self/mounts").read_text(encoding="utf-8")
    for point in below(table, directory.resolve()):
        run("umount", "--lazy", point)


def _unescaped(point: str) -> str:
    r"""Return a mount point as it is; the kernel writes a space as `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)
