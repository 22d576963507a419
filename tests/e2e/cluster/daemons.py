"""Programs that stay: started in a session of their own, found again by their pid files.

They outlive the process that started them, so that one command can raise the cluster and another
take it down. A pid counts only while its command line names the same program, since the kernel
gives numbers out again.
"""

import os
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from testing.waiting import NotSeen, until
from tests.e2e.cluster.commands import run
from tests.e2e.cluster.errors import NotReady

_LAUNCH = 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@" >>"$LOG" 2>&1 </dev/null'
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0


class Daemons:
    """The programs of one state directory."""

    def __init__(self, pids: Path, logs: Path) -> None:
        """Keep pid files and logs in these directories."""
        self._pids = pids
        self._logs = logs

    def start(self, name: str, *argv: str | Path, environment: Mapping[str, str]) -> None:
        """Start a program; it appends what it writes to its log.

        Args:
            name: of the component.
            argv: the program and its arguments.
            environment: the whole one.

        Raises:
            NotReady: it did not come up.
        """
        for directory in (self._pids, self._logs):
            directory.mkdir(parents=True, exist_ok=True)
        pid_file = self._pids / name
        pid_file.unlink(missing_ok=True)
        told = {**environment, "LOG": str(self._logs / f"{name}.log")}
        run("setsid", "--fork", "sh", "-c", _LAUNCH, pid_file, *argv, environment=told)
        try:
            until(f"pid of {name}", pid_file.exists, _START_SECONDS)
        except NotSeen as error:
            raise NotReady(f"{name} did not start: {error}") from error

    def running(self, name: str) -> int | None:
        """Return the pid of a component, or None while it does not run."""
        try:
            pid = int((self._pids / name).read_text(encoding="ascii"))
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        # a process has no words for a moment while it becomes another program
        ours = not words or str(self._pids.parent).encode() in words
        return pid if ours and state[0] != "Z" else None

    def stop(self, name: str, *, gently: bool = True) -> None:
        """Stop a component if it runs.

        Args:
            name: of the component.
            gently: let it end by itself for a while before it is killed.

        Raises:
            NotReady: not even that ended it.
        """
        for number in (signal.SIGTERM, signal.SIGKILL) if gently else (signal.SIGKILL,):
            pid = self.running(name)
            if pid is None or self._ends(name, pid, number):
                (self._pids / name).unlink(missing_ok=True)
                return
        raise NotReady(f"{name} does not end; look at process {pid}")

    def _ends(self, name: str, pid: int, number: signal.Signals) -> bool:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        try:
            return until(f"end of {name}", lambda: self.running(name) is None, _STOP_SECONDS)
        except NotSeen:
            return False

    def log(self, name: str, lines: int) -> str:
        """Return the last lines that a component wrote; empty if it never ran."""
        try:
            with (self._logs / f"{name}.log").open(encoding="utf-8", errors="replace") as log:
                return "".join(deque(log, maxlen=lines))
        except FileNotFoundError:
            return ""
