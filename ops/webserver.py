"""A program behind gunicorn: one worker process with threads, on a socket that is open already.

What the programs that serve this way share, so that others load no gunicorn.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter


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
