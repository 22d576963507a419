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
from functools import partial
from pathlib import Path

from devcluster.config import ClusterConfig, NodeConfig
from devcluster.together import together
from dra.devicestate.files import Keep, write_atomically
from kube.backoff import Backoff
from ops.lifecycle import Lifecycle
from ops.logs import get_logger

BACKOFF = Backoff(first=0.2, longest=5.0)
STEADY_SECONDS = 10.0
STOP_SECONDS = 10.0
RATE = 1000
"""Requests a second of a program, where the user's environment does not say."""

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
        "DRIVER_NAME": config.contract.driver_name,
        "HTTP_ENDPOINT": "127.0.0.1:0",
    }
    # one alone has nobody to wait for, so that it works at once after a SIGKILL
    election = {"LEADER_ELECTION": str(config.controllers > 1).lower()}
    programs = [Program(name, "controller", common | election) for name in config.controller_names]
    for node in config.all_nodes:
        own = _plugin_settings(config, node)
        programs.append(Program(plugin_name(node.name), "plugin", common | own))
    return programs


def plugin_name(node: str) -> str:
    """Return the name of the kubelet plugin of a node."""
    return f"plugin-{node}"


def _plugin_settings(config: ClusterConfig, node: NodeConfig) -> dict[str, str]:
    root = config.node_root(node.name)
    return {
        "NODE_NAME": node.name,
        "NUM_DEVICES": str(config.devices(node)),
        **({"DEVICE_MODEL": node.model} if node.model else {}),
        "CDI_ROOT": str(root / "cdi"),
        "KUBELET_REGISTRAR_DIRECTORY_PATH": str(root / "plugins_registry"),
        "KUBELET_PLUGINS_DIRECTORY_PATH": str(root / "plugins"),
    }


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program that is started again and again.

    Where Python is told to leave no bytecode beside the sources, each start would compile
    everything anew. Then bytecode goes into the virtual environment, if there is one. No others
    share the API server, so that a rate that is to protect it would only hold programs up.
    """
    kept = {"KUBE_API_QPS": str(RATE), "KUBE_API_BURST": str(RATE), **outer}
    if kept.pop("PYTHONDONTWRITEBYTECODE", "") and sys.prefix != sys.base_prefix:
        kept.setdefault("PYTHONPYCACHEPREFIX", str(Path(sys.prefix) / "pycache"))
    return kept


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
        failures = 0
        while (child := self._start()) is not None:
            started = self._clock()
            code = child.wait()
            if self._stop.is_set():
                return
            failures = 1 if self._clock() - started > STEADY_SECONDS else failures + 1
            pause = BACKOFF.pause(failures)
            name = self._program.name
            _LOG.warning("Program ended, starting it again", program=name, code=code, pause=pause)
            self._stop.wait(pause)

    def stop(self, *, abruptly: bool = False) -> None:
        """End the program: ask it to, and after 10 s do it; or without asking."""
        self._stop.set()
        with self._lock:
            child = self._child
        if child is None:
            return
        child.kill() if abruptly else child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
        self._pid_file.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stop.is_set():
                return None
            env = environment(os.environ) | dict(self._program.env)
            self._child = _spawn(self._program.module, env, self._log_file)
            _write_pid(self._pid_file, self._child.pid)
            return self._child


class Programs:
    """The programs of a cluster by name; those that were stopped can be started again."""

    def __init__(self, config: ClusterConfig, life: Lifecycle) -> None:
        """Run none yet; `life` gets the threads, and whoever made this calls `stop_all`."""
        self._config = config
        self._life = life
        self._lock = threading.Lock()
        self._running: dict[str, Supervisor] = {}

    def start(self, program: Program) -> bool:
        """Start a program; False if it runs already."""
        with self._lock:
            if program.name in self._running:
                return False
            supervisor = Supervisor(program, self._config)
            self._running[program.name] = supervisor
        self._life.spawn(program.name, supervisor.run)
        return True

    def stop(self, name: str, *, abruptly: bool = False) -> bool:
        """Stop a program, so that it stays away; False if it does not run."""
        with self._lock:
            supervisor = self._running.pop(name, None)
        if supervisor is None:
            return False
        supervisor.stop(abruptly=abruptly)
        return True

    def stop_all(self) -> None:
        """Stop all programs at the same time."""
        with self._lock:
            names = list(self._running)
        together(partial(self.stop, name) for name in names)


def _spawn(module: str, env: Mapping[str, str], log_file: Path) -> "subprocess.Popen[bytes]":
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # cwd would shadow installed packages, and a container has none of ours either
    command = [sys.executable, "-P", "-m", "devcluster.tether"]
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [*command, sys.executable, "-P", "-m", module],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            # a Ctrl-C for the cluster ends its programs in order, not all at once
            start_new_session=True,
        )


def _write_pid(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, b"%d\n" % pid, mode=0o644, keep=Keep.ANYTHING)
