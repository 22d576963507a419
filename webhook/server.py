"""Serves an application with gunicorn over TLS: one worker process with threads.

The worker has the certificate, the metrics and everything else that changes; gunicorn's other
process starts it anew if it dies. On SIGTERM it says that it is not ready, goes on for as long as
others need to hear of that, and ends when every request is answered.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Flask
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from ops.lifecycle import Lifecycle
from ops.logs import get_logger
from ops.webserver import OneWorker
from webhook.serving import Serving

THREADS: Final = 4
STOP_SECONDS: Final = 10

_KEEPALIVE: Final = 120
"""Longer than the API server keeps a connection that nobody uses, which is 90 s."""

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108

_LOG = get_logger("webhook")


@dataclass(frozen=True, slots=True)
class Program:
    """What runs in the worker process.

    Attributes:
        life: of the program.
        app: what answers.
        serving: has the certificate.
        start: begins what answers nobody; may raise.
    """

    life: Lifecycle
    app: Flask
    serving: Serving
    start: Callable[[], None]


class _Log(Logger):  # type: ignore[misc] # gunicorn has no types
    """Leaves the form of the lines to ops.logs."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.propagate = self.access_log.propagate = True
        self._access_log_enabled = False


class _Arbiter(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """Ends with its terminal; gunicorn would read its settings again, which are ours."""

    def handle_hup(self) -> None:
        self.handle_term()


class Server(OneWorker):
    """One program behind gunicorn; `serve` blocks until it is told to stop."""

    arbiter = _Arbiter

    def __init__(self, program: Program, listener: socket.socket, shutdown_delay: float) -> None:
        """Serve on a socket, and go on for `shutdown_delay` seconds after a signal."""
        self._program = program
        self._shutdown_delay = shutdown_delay
        super().__init__(listener)

    def settings(self) -> Mapping[str, object]:
        """Return what gunicorn is set to."""
        settings: dict[str, object] = {
            "worker_class": ThreadWorker,
            "threads": THREADS,
            "keepalive": _KEEPALIVE,
            "graceful_timeout": int(self._shutdown_delay) + STOP_SECONDS,
            "logger_class": _Log,
            # switches TLS on; what is served is in the context
            "certfile": os.devnull,
            "ssl_context": lambda _config, _default: self._program.serving.context,
        }
        if _SHARED_MEMORY.is_dir():  # else no file could be made on a read-only root
            settings["worker_tmp_dir"] = str(_SHARED_MEMORY)
        return settings

    def load(self) -> Flask:
        """Return the application; called in the worker process."""
        return self._program.app

    def started(self, worker: Any) -> None:
        """Begin what answers nobody; called in the worker process."""
        life = self._program.life
        stops_worker = signal.getsignal(signal.SIGTERM)
        life.install_signals()
        threading.Thread(target=self._drain, args=(stops_worker,), daemon=True).start()
        if not worker.alive:  # told to stop before these handlers were there
            life.stop.set()
            return
        _LOG.info("Serving HTTPS", port=worker.sockets[0].getsockname()[1])
        try:
            self._program.start()
        except Exception as error:  # noqa: BLE001 - told and ended like any other failure
            life.fail("start", error)

    def _drain(self, stops_worker: Any) -> None:
        self._program.life.stop.wait()
        threading.Event().wait(self._shutdown_delay)
        stops_worker(signal.SIGTERM, None)

    def ended(self, _arbiter: Any, _worker: Any) -> None:
        """Stop what was started; after a failure the other process ends, too, and tries no more."""
        life = self._program.life
        life.stop.set()
        if life.wait():
            os._exit(Arbiter.WORKER_BOOT_ERROR)
