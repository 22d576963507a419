"""The state directory of a cluster: whose it is, and what is left of it.

A cluster locks a file in its directory, which also tells that the directory is one of ours. What
an ended cluster left is of no use to the next one, as objects were in memory; its logs stay.
"""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from devcluster.config import ClusterConfig
from devcluster.errors import StateDirError

_MARK: Final = ".devcluster.lock"
_MADE: Final = re.compile(r"node\d+|run")


@contextmanager
def state_directory(config: ClusterConfig) -> Iterator[None]:
    """Own the state directory while a cluster runs, with nothing but logs of an earlier one in it.

    Raises:
        StateDirError: it is not empty, in use, or cannot be made; nothing in it has changed then.
    """
    _refuse_foreign(config)
    with _lock(config):
        clear(config)
        config.logs.mkdir(exist_ok=True)
        yield


def clear(config: ClusterConfig) -> None:
    """Remove what a cluster makes, except its logs and what others put there."""
    for path in (config.kubeconfig, config.draft_kubeconfig):
        path.unlink(missing_ok=True)
    for path in config.state_dir.iterdir():
        if _MADE.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _refuse_foreign(config: ClusterConfig) -> None:
    path = config.state_dir
    try:
        if (path / _MARK).exists() or not path.exists() or not any(path.iterdir()):
            return
    except OSError as error:
        raise _unusable(config, error) from error
    raise StateDirError(
        f"--state-dir {path} is not empty and not of an embedded cluster; name a new or an empty "
        "directory"
    )


def _lock(config: ClusterConfig) -> IO[str]:
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        mark = (config.state_dir / _MARK).open("w", encoding="ascii")
    except OSError as error:
        raise _unusable(config, error) from error
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        mark.close()
        raise StateDirError(
            f"--state-dir {config.state_dir}: a cluster runs there; stop it, or name another "
            "directory"
        ) from error
    return mark


def _unusable(config: ClusterConfig, error: OSError) -> StateDirError:
    return StateDirError(
        f"--state-dir {config.state_dir}: {error.strerror}; name a directory that you can write to"
    )
