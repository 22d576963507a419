"""Reads what a container wrote, as `kubectl logs` wants it: the end of it, or on and on.

Source: kubernetes pkg/kubelet/kuberuntime/logs.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from api.objects import JSON

POLL_SECONDS: Final = 0.1

_BLOCK: Final = 64 * 1024


def choose_run(pod: JSON, container: str, runs: Sequence[int], *, previous: bool) -> int:
    """Return which run of a container is meant.

    Args:
        pod: with the container's status.
        container: by name.
        runs: that have a log, the latest one last.
        previous: the run before the current one; of a container that waits, the last one.
    """
    latest = runs[-1] if runs else 0
    status = pod.get("status") or {}
    entries = [
        *(status.get("containerStatuses") or []),
        *(status.get("initContainerStatuses") or []),
    ]
    waits = any(e["name"] == container and "waiting" in (e.get("state") or {}) for e in entries)
    return latest - 1 if previous and not waits else latest


def read_log(
    path: Path,
    *,
    tail: int | None,
    follow: bool,
    ended: Callable[[], bool],
    wait: Callable[[float], bool],
) -> Iterator[bytes]:
    """Yield a log in pieces of any size.

    Args:
        path: the file; a missing one is empty.
        tail: only so many lines at the end, None for all.
        follow: whether to go on until `ended`, with an empty piece each time nothing is new.
        ended: tells that nothing more will be written.
        wait: waits some seconds; true when there is no use in going on.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        if tail is not None:
            file.seek(tail_offset(file, tail))
        while True:
            # asked before the last read, or the last lines could be missed
            last = not follow or ended()
            while data := file.read(_BLOCK):
                yield data
            if last:
                return
            yield b""
            if wait(POLL_SECONDS):
                return


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Return where the last lines of a file begin; an unfinished line counts as one."""
    position = file.seek(0, os.SEEK_END)
    if lines == 0 or position == 0:
        return position
    missing = lines - (_at(file, position - 1, 1) != b"\n")
    while position > 0:
        start = max(0, position - _BLOCK)
        block = _at(file, start, position - start)
        for index in range(len(block) - 1, -1, -1):
            if block[index] != ord("\n"):
                continue
            if missing <= 0:
                return start + index + 1
            missing -= 1
        position = start
    return 0


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
