"""Serves the page with gunicorn; the worker has the watches and everything else that changes."""

import socket
from collections.abc import Callable, Mapping
from typing import Final

from ops.webserver import ProgramServer, WebProgram
from ui.app import STREAMS

_OTHERS: Final = 16


class Server(ProgramServer):
    """One page behind gunicorn; `serve` blocks until it is told to stop."""

    def __init__(
        self, program: WebProgram, listener: socket.socket, say: Callable[[int], None]
    ) -> None:
        """Serve on a socket; `say` tells people the port, once requests are answered."""
        self._say = say
        super().__init__(program, listener)

    def settings(self) -> Mapping[str, object]:
        """Return what gunicorn is set to."""
        return {**super().settings(), "threads": STREAMS + _OTHERS, "timeout": 0}

    def listening(self, port: int) -> None:
        """Tell that requests are answered from now on."""
        self._say(port)
