"""Serves an application with gunicorn over TLS.

The worker has the certificate, the metrics and everything else that changes.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ops.logs import get_logger
from ops.webserver import ProgramServer, WebProgram
from webhook.serving import Serving

THREADS: Final = 4

_KEEPALIVE: Final = 120
"""Longer than the API server keeps a connection that nobody uses, which is 90 s."""

_LOG = get_logger("webhook")


@dataclass(frozen=True, slots=True)
class Program(WebProgram):
    """What runs in the worker process.

    Attributes:
        serving: has the certificate.
    """

    serving: Serving


class Server(ProgramServer):
    """One program behind gunicorn; `serve` blocks until it is told to stop."""

    def __init__(self, program: Program, listener: socket.socket, shutdown_delay: float) -> None:
        """Serve on a socket, and go on for `shutdown_delay` seconds after a signal."""
        self._serving = program.serving
        super().__init__(program, listener, shutdown_delay)

    def settings(self) -> Mapping[str, object]:
        """Return what gunicorn is set to."""
        return {
            **super().settings(),
            "threads": THREADS,
            "keepalive": _KEEPALIVE,
            # switches TLS on; what is served is in the context
            "certfile": os.devnull,
            "ssl_context": lambda _config, _default: self._serving.context,
        }

    def listening(self, port: int) -> None:
        """Tell that requests are answered from now on."""
        _LOG.info("Serving HTTPS", port=port)
