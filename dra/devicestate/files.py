"""Files that are either the old or the new version, whenever the process or the machine stops.

They are in directories that others write to as well, so nothing but a regular file is ever read.

Called by the checkpoint and the CDI directory.
"""

import errno
import os
import stat
import tempfile
from enum import Enum
from pathlib import Path
from typing import Final

TEMPORARY_SUFFIX: Final = ".tmp"


def read_regular(path: Path) -> bytes:
    """Return the content of a file; of a pipe or a device there would be no end.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return file.read()


class Keep(Enum):
    """What a power cut leaves of a write; each costs one more wait for the disk than the last."""

    ANYTHING = "the old file, none, or an empty one"
    EITHER = "the old file or the new one"
    NEW = "the new file"


def write_atomically(path: Path, data: bytes, *, mode: int, keep: Keep) -> None:
    """Replace a file in one step.

    The temporary file stands beside the final one: a rename within a directory is the one event
    that every container runtime notices in its CDI directories. Source: fsnotify use in
    tags.cncf.io/container-device-interface pkg/cdi/cache.go.

    Args:
        path: of the file.
        data: its content.
        mode: its permissions.
        keep: what a power cut leaves after this has returned.

    Raises:
        OSError: nothing was replaced and no temporary file is left, unless the process was killed.
    """
    descriptor, name = tempfile.mkstemp(
        dir=path.parent, prefix=f"{path.name}.", suffix=TEMPORARY_SUFFIX
    )
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if keep is not Keep.ANYTHING:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if keep is Keep.NEW:
        _sync_directory(path.parent)


def remove_temporaries(path: Path) -> None:
    """Remove what killed processes left of writes to `path`.

    Raises:
        OSError: the directory cannot be changed.
    """
    for leftover in path.parent.glob(f"{path.name}.*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
