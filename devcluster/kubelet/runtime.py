"""Runs containers as local processes: a session and a directory of their own, and no isolation.

A container sees the files, users, network and processes of the machine, with the rights of whoever
started the cluster. Only its environment is what the manifest and the CDI specs make it.
"""

import os
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.kubelet.errors import StartFailed


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute.

    Attributes:
        directory: working directory, made if it is missing.
        log: file that gets standard output and error, appended to.
        note: a line for the log before the first one of the process.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    directory: Path
    log: Path
    note: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended; a signal counts as 128 plus its number, as container runtimes say."""

    code: int
    at: float


class Process:
    """A running container."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        launch: Launch,
        wall: Callable[[], float],
        on_exit: Callable[[], None],
    ) -> None:
        """Follow a child that leads its own process group.

        Args:
            child: the process.
            launch: how it was started.
            wall: seconds since the epoch.
            on_exit: called once, from another thread, after `exit` is set.
        """
        self.launch = launch
        self._child = child
        self._wall = wall
        self._on_exit = on_exit
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._company: weakref.WeakSet[Process] = weakref.WeakSet()
        self.started_at = wall()
        self.exit: Exit | None = None
        self._thread = threading.Thread(
            target=self._reap, name=f"container-{child.pid}", daemon=True
        )

    @property
    def pid(self) -> int:
        """Id of the process, and of its group."""
        return self._child.pid

    def follow(self) -> None:
        """Start to wait for the end of the process."""
        self._thread.start()

    def take_along(self, other: "Process") -> None:
        """Kill another process when this one ends, or at once if it has."""
        with self._lock:
            if self.exit is None:
                self._company.add(other)
                return
        other.kill()

    def terminate(self) -> None:
        """Ask the process group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process group."""
        self._signal(signal.SIGKILL)

    def wait(self, timeout: float) -> bool:
        """Wait for the end; False when the time was too short."""
        return self._ended.wait(timeout)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self.exit is None:
                _signal_group(self.pid, number)

    def _reap(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            # while the leader is a zombie its group id cannot be anyone else's
            _signal_group(self.pid, signal.SIGKILL)
            status = self._child.wait()
            self.exit = Exit(status if status >= 0 else 128 - status, self._wall())
        self._ended.set()
        for other in self._company:
            other.kill()
        self._on_exit()


class Runtime:
    """Starts processes, and remembers those that run."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """Use `wall` for the times in container statuses, seconds since the epoch."""
        self._wall = wall
        self._lock = threading.Lock()
        self._running: dict[int, Process] = {}

    def start(self, launch: Launch, on_exit: Callable[[], None]) -> Process:
        """Start a container.

        Raises:
            StartFailed: there is no such command, or it is not executable.
        """
        launch.directory.mkdir(parents=True, exist_ok=True)
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        with launch.log.open("ab") as log:
            if launch.note:
                log.write(f"{launch.note}\n".encode())
                log.flush()
            child = _spawn(launch, log.fileno())
        process = Process(child, launch, self._wall, lambda: self._ended(child.pid, on_exit))
        with self._lock:
            self._running[child.pid] = process
        process.follow()
        return process

    def stop_all(self, grace: float) -> None:
        """Terminate everything that runs, and kill after `grace` seconds what is left."""
        with self._lock:
            running = list(self._running.values())
        for process in running:
            process.terminate()
        deadline = time.monotonic() + grace
        for process in running:
            if not process.wait(max(0.0, deadline - time.monotonic())):
                process.kill()
                process.wait(grace)

    def _ended(self, pid: int, on_exit: Callable[[], None]) -> None:
        with self._lock:
            self._running.pop(pid, None)
        on_exit()


def _spawn(launch: Launch, output: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(launch.argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=launch.directory,
            env=dict(launch.env),
            start_new_session=True,
        )
    except OSError as error:
        raise StartFailed(
            f'exec: "{launch.argv[0]}": {error.strerror}; containers are processes of this '
            "machine, so the command has to be installed here"
        ) from error


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
