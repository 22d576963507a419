"""A program behind gunicorn: one worker process with threads, on a socket that is open already.

What the programs that serve this way share, so that others load no gunicorn.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from ops.lifecycle import Lifecycle

STOP_SECONDS: Final = 10

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108


class OneWorker(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """Serves what a subclass makes in `load`; `serve` blocks until it is told to stop.

    Attributes:
        arbiter: gunicorn's other process.
    """

    arbiter: type[Any] = Arbiter

    def __init__(self, listener: socket.socket) -> None:
        """Serve on a socket, which gunicorn takes over."""
        self._listener = listener
        super().__init__()

    def serve(self) -> int:
        """Run until the program is told to stop; return the exit code."""
        owner = os.getpid()
        try:
            self.arbiter(self).run()
        except SystemExit as ended:
            if os.getpid() != owner:  # the worker process, which has nothing to go back to
                raise
            return int(ended.code or 0)
        return 0

    def load_config(self) -> None:
        """Set gunicorn up."""
        settings: dict[str, object] = {
            "bind": f"fd://{self._listener.detach()}",
            "workers": 1,
            "control_socket_disable": True,
            "post_worker_init": self.started,
            "worker_exit": self.ended,
            **self.settings(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def settings(self) -> Mapping[str, object]:
        """Return further settings of gunicorn."""
        return {}

    def started(self, worker: Any) -> None:
        """Begin; called in the worker process."""

    def ended(self, _arbiter: Any, _worker: Any) -> None:
        """End; called in the worker process."""


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


@dataclass(frozen=True, slots=True)
class WebProgram:
    """What runs in the worker process.

    Attributes:
        life: of the program.
        app: what answers, by WSGI.
        start: begins what answers nobody; may raise.
    """

    life: Lifecycle
    app: Any
    start: Callable[[], None]


class ProgramServer(OneWorker):
    """One program behind gunicorn; its other process starts the worker anew if it dies.

    On SIGTERM the program says that it is not ready, goes on for as long as others need to hear of
    that, and ends when every request is answered.
    """

    arbiter = _Arbiter

    def __init__(
        self, program: WebProgram, listener: socket.socket, shutdown_delay: float = 0.0
    ) -> None:
        """Serve on a socket, and go on for `shutdown_delay` seconds after a signal."""
        self._program = program
        self._shutdown_delay = shutdown_delay
        super().__init__(listener)

    def settings(self) -> Mapping[str, object]:
        """Return what gunicorn is set to."""
        settings: dict[str, object] = {
            "worker_class": ThreadWorker,
            "graceful_timeout": int(self._shutdown_delay) + STOP_SECONDS,
            "logger_class": _Log,
        }
        if _SHARED_MEMORY.is_dir():  # else no file could be made on a read-only root
            settings["worker_tmp_dir"] = str(_SHARED_MEMORY)
        return settings

    def load(self) -> Any:
        """Return the application; called in the worker process."""
        return self._program.app

    def listening(self, port: int) -> None:
        """Tell that requests are answered from now on; called in the worker process."""

    def started(self, worker: Any) -> None:
        """Begin what answers nobody; called in the worker process."""
        life = self._program.life
        stops_worker = signal.getsignal(signal.SIGTERM)
        life.install_signals()
        # what the arbiter sends for a Ctrl-C
        signal.signal(signal.SIGQUIT, signal.getsignal(signal.SIGTERM))
        threading.Thread(target=self._drain, args=(stops_worker,), daemon=True).start()
        if not worker.alive:  # told to stop before these handlers were there
            life.stop.set()
            return
        self.listening(worker.sockets[0].getsockname()[1])
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
