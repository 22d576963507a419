"""Serves a cluster with gunicorn: one worker process with threads, since all state is in memory.

The worker owns the cluster. It goes down in order: first the programs and kubelets, which still
need the API, then the open watches, then the process; a cluster that fails ends the server, too. It
does the same when the arbiter, gunicorn's other process, is killed.
"""

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.gthread import ThreadWorker

from api.errors import DriverError
from devcluster.cluster import Cluster
from devcluster.config import ClusterConfig
from devcluster.errors import PortUnusable
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.webserver import OneWorker

HOST = "127.0.0.1"
THREADS, THREADS_PER_NODE = 64, 8
STOP_SECONDS = 25

_GC_THRESHOLDS = (50_000, 20, 100)


def listen(port: int) -> socket.socket:
    """Return a socket on a port of this machine; 0 is any free one.

    Raises:
        PortUnusable: somebody else has it, or may.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise PortUnusable(
            f"--port {port} of {HOST} cannot be used: {why}; name another one, or leave it out for "
            "any free one"
        ) from error


class _Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Serves until the cluster has stopped, also without its parent."""

    def is_parent_alive(self) -> bool:
        """Stop the cluster first, which still needs the API; gunicorn asks once a second."""
        if not super().is_parent_alive():
            self.app.stop()
        return True


class _Arbiter(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """Ends with its terminal and its worker; gunicorn would start another, empty cluster."""

    def spawn_worker(self) -> int | None:
        if self.worker_age:
            raise HaltServer("the worker is gone, and all that the cluster knew", 1)
        pid: int | None = super().spawn_worker()
        return pid

    def handle_hup(self) -> None:
        if self.app.ends_with_terminal:
            self.handle_term()


class Server(OneWorker):
    """One embedded cluster behind gunicorn; `serve` blocks until it is told to stop.

    Attributes:
        ends_with_terminal: on SIGHUP, which nohup has ignored.
    """

    arbiter = _Arbiter

    def __init__(
        self,
        config: ClusterConfig,
        listener: socket.socket,
        *,
        verbosity: int,
        say: Callable[[str], None],
    ) -> None:
        """Serve the cluster of `config` on a socket, telling the user about progress with `say`."""
        self._config = config
        self._verbosity = verbosity
        self._say = say
        self._exit_code = 0
        self.ends_with_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        super().__init__(listener)

    def settings(self) -> Mapping[str, object]:
        """Return what gunicorn is set to."""
        return {
            "worker_class": _Worker,
            # a watch occupies a thread for as long as it lasts
            "threads": THREADS + THREADS_PER_NODE * len(self._config.node_names),
            # the heartbeat would kill a busy cluster and all that it knows
            "timeout": 0,
            "graceful_timeout": STOP_SECONDS,
            # longer than clients keep a connection, so that they never meet a closed one
            "keepalive": 600,
            "errorlog": str(self._config.logs / "gunicorn.log"),
        }

    def load(self) -> Flask:
        """Make the cluster; called in the worker process."""
        log = (self._config.logs / "devcluster.log").open("a", encoding="utf-8")
        configure("text", self._verbosity, log)
        self._cluster = Cluster(self._config, Lifecycle(), self._say)
        return self._cluster.app

    def stop(self) -> None:
        """Make the cluster stop; called in the worker process."""
        self._cluster.life.stop.set()

    def started(self, worker: Any) -> None:
        """Begin; called in the worker process."""
        # Objects and their history stay, and are in no cycles: to look for those again and again
        # took a tenth of the time.
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        life = self._cluster.life
        life.install_signals()
        # what the arbiter sends for a Ctrl-C
        signal.signal(signal.SIGQUIT, signal.getsignal(signal.SIGTERM))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of the terminal; the arbiter's to answer
        if not worker.alive:  # told to stop before these handlers were there
            return
        host, port = worker.sockets[0].getsockname()[:2]
        threading.Thread(target=self._run, args=(worker, f"http://{host}:{port}")).start()

    def _run(self, worker: Any, url: str) -> None:
        life = self._cluster.life
        try:
            self._start(url)
        except BrokenPipeError:  # nobody reads any more, as with `| head`
            # what is still to be flushed has to go somewhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            os.kill(worker.ppid, signal.SIGTERM)
        self._exit_code = life.wait()
        worker.alive = False

    def _start(self, url: str) -> None:
        try:
            self._cluster.start(url)
        except DriverError as error:
            self._cluster.life.fail("cluster", error)
            self._say(f"error: {error}")

    def ended(self, _arbiter: Any, _worker: Any) -> None:
        """Make the arbiter end with the worker; it would start another, empty cluster."""
        if self._exit_code:
            sys.stdout.flush()
            os._exit(Arbiter.WORKER_BOOT_ERROR)
