"""What a process has used, and what the whole machine has: CPU time and memory, from /proc.

Source: proc(5).
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STATE_FIELD: Final = 3
_UTIME, _STIME = 14, 15


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began.

    Attributes:
        cpu_seconds: in user and kernel mode, in steps of a clock tick (10 ms).
        rss_mib: resident memory now.
        peak_rss_mib: the most that it ever was.
    """

    cpu_seconds: float
    rss_mib: float
    peak_rss_mib: float


def usage(pid: int, proc: Path = Path("/proc")) -> Usage:
    """Return what a process has used; ProcessLookupError or FileNotFoundError if it is gone."""
    directory = proc / str(pid)
    status = (directory / "status").read_text(encoding="ascii", errors="replace")
    return Usage(
        cpu_seconds=cpu_seconds((directory / "stat").read_text(encoding="ascii", errors="replace")),
        rss_mib=memory(status, "VmRSS"),
        peak_rss_mib=memory(status, "VmHWM"),
    )


def cpu_seconds(stat: str) -> float:
    """Return the CPU time in a line of /proc/PID/stat, whose second field may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return sum(int(fields[number - _STATE_FIELD]) for number in (_UTIME, _STIME)) / _TICKS


def tree_cpu_seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """Return the CPU time of a process and of all that it started, as far as they still run."""
    parents: dict[int, list[int]] = {}
    stats = {}
    for path in proc.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            stat = path.read_text(encoding="ascii", errors="replace")
            number, parent = int(path.parent.name), int(stat.rpartition(")")[2].split()[1])
            stats[number] = cpu_seconds(stat)
            parents.setdefault(parent, []).append(number)
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return sum(stats.get(each, 0.0) for each in found)


def memory(status: str, name: str) -> float:
    """Return a line of /proc/PID/status that is in kB, as MiB; 0 for a zombie, which has none."""
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def busy_seconds(stat: str) -> float:
    """Return the CPU time of all programs together in /proc/stat, without idling."""
    user, nice, system, _idle, _iowait, irq, softirq = stat.splitlines()[0].split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / _TICKS


class Neighbours:
    """Tells how much of the machine other programs use, from its making on."""

    def __init__(
        self,
        *,
        busy: Callable[[], float] = lambda: busy_seconds(Path("/proc/stat").read_text("ascii")),
        own: Callable[[], float] = lambda: sum(os.times()[:4]),
        clock: Callable[[], float] = time.monotonic,
        processors: int = os.cpu_count() or 1,
    ) -> None:
        """Begin to measure.

        Args:
            busy: CPU seconds of the machine.
            own: CPU seconds of this process and of its children that have ended.
            clock: monotonic seconds.
            processors: of the machine.
        """
        self._busy, self._own, self._clock = busy, own, clock
        self._processors = processors
        self._began = (busy(), own(), clock())

    def share(self) -> float:
        """Return the share of the machine, 0 to 1; to be asked when every child has ended."""
        busy, own, began = self._began
        others = (self._busy() - busy) - (self._own() - own)
        passed = (self._clock() - began) * self._processors
        return max(0.0, others / passed) if passed else 0.0
