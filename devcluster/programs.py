"""The driver's programs as processes of their own, started again when they end.

What a Deployment and a DaemonSet are in a real cluster. The programs get the settings that the
chart would give them, and meet the cluster through nothing but HTTP, sockets and files.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.config import ClusterConfig
from ops.logs import get_logger

FIRST_PAUSE = 0.2
LAST_PAUSE = 5.0
STEADY_SECONDS = 10.0
STOP_SECONDS = 10.0

_LOG = get_logger("devcluster.programs")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Attributes:
        name: of its log and pid files.
        module: with a `__main__`.
        env: settings, added to the environment of the cluster.
    """

    name: str
    module: str
    env: Mapping[str, str]


def driver_programs(config: ClusterConfig, namespace: str) -> list[Program]:
    """Return the controllers, and a kubelet plugin for each node."""
    common = {
        "KUBECONFIG": str(config.kubeconfig),
        "POD_NAMESPACE": namespace,
        "HTTP_ENDPOINT": "127.0.0.1:0",
    }
    # one alone has nobody to wait for, so that it works at once after a SIGKILL
    election = {"LEADER_ELECTION": str(config.controllers > 1).lower()}
    programs = [Program(name, "controller", common | election) for name in config.controller_names]
    for node in config.node_names:
        root = config.node_root(node)
        own = {
            "NODE_NAME": node,
            "NUM_DEVICES": str(config.num_devices),
            "CDI_ROOT": str(root / "cdi"),
            "KUBELET_REGISTRAR_DIRECTORY_PATH": str(root / "plugins_registry"),
            "KUBELET_PLUGINS_DIRECTORY_PATH": str(root / "plugins"),
        }
        programs.append(Program(f"plugin-{node}", "plugin", common | own))
    return programs


class Supervisor:
    """Keeps one program running."""

    def __init__(
        self,
        program: Program,
        config: ClusterConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep `program` running, with its log in the cluster's log directory."""
        self._program = program
        self._log_file = config.logs / f"{program.name}.log"
        self._pid_file = config.state_dir / "run" / f"{program.name}.pid"
        self._clock = clock
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()

    def run(self) -> None:
        """Start the program, and again whenever it ends; returns after `stop`."""
        pause = FIRST_PAUSE
        while (child := self._start()) is not None:
            started = self._clock()
            code = child.wait()
            if self._stop.is_set():
                return
            pause = FIRST_PAUSE if self._clock() - started > STEADY_SECONDS else pause
            name = self._program.name
            _LOG.warning("Program ended, starting it again", program=name, code=code, pause=pause)
            self._stop.wait(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def stop(self) -> None:
        """Ask the program to end; after 10 s end it."""
        self._stop.set()
        with self._lock:
            child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
        self._pid_file.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stop.is_set():
                return None
            self._child = _spawn(self._program, self._log_file)
            _write_pid(self._pid_file, self._child.pid)
            return self._child


def _spawn(program: Program, log_file: Path) -> "subprocess.Popen[bytes]":
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # cwd would shadow installed packages, and a container has none of ours either
    command = [sys.executable, "-P", "-m", "devcluster.tether"]
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [*command, sys.executable, "-P", "-m", program.module],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **program.env},
            # a Ctrl-C for the cluster ends its programs in order, not all at once
            start_new_session=True,
        )


def _write_pid(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(f"{pid}\n", encoding="ascii")
    temporary.replace(path)
