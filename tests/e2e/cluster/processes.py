"""Which processes belong to the pods of the node.

A container's processes descend from the shim of its pod, and the shim names the socket of its
containerd on its command line. That finds them even when containerd knows nothing any more.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.errors import NotReady

_SHIM = "containerd-shim-runc-v2"
_GONE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine."""

    pid: int
    parent: int
    words: tuple[str, ...]


def of_pods(processes: Iterable[Process], socket: Path) -> list[int]:
    """Return the pids of all shims of the containerd at `socket`, and of all below them."""
    known = list(processes)
    found = {p.pid for p in known if _is_shim(p, socket)}
    while more := {p.pid for p in known if p.parent in found} - found:
        found |= more
    return sorted(found)


def table() -> Iterator[Process]:
    """Return the processes of this machine; one that ends meanwhile is left out."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            after_name = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if after_name[0] != "Z":
                yield Process(int(entry.name), int(after_name[1]), tuple(words))


def kill_pods(socket: Path) -> None:
    """Kill every process of every pod, shims included, as a power cut does.

    Raises:
        NotReady: some process does not go away.
    """
    deadline = time.monotonic() + _GONE_SECONDS
    while pids := of_pods(table(), socket):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise NotReady(f"processes of pods do not end: {pids}; look for them with ps")
        time.sleep(0.05)


def _is_shim(process: Process, socket: Path) -> bool:
    return Path(process.words[0]).name == _SHIM and str(socket) in process.words
