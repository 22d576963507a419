"""What a view has to know of the socket under a request.

Both servers that the application runs on, gunicorn's gthread and werkzeug, put it into the WSGI
environment; elsewhere, as in tests, there is none.
"""

import select
import socket
from collections.abc import Mapping
from typing import Any, Final

_KEYS: Final = ("werkzeug.socket", "gunicorn.socket")


def client_socket(environ: Mapping[str, Any]) -> socket.socket | None:
    """Return the connection of a request, if the server tells it."""
    found = next((environ[key] for key in _KEYS if key in environ), None)
    return found if isinstance(found, socket.socket) else None


def send_at_once(connection: socket.socket | None) -> None:
    """Let small pieces go out without waiting for the client to acknowledge those before."""
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def has_hung_up(connection: socket.socket | None) -> bool:
    """Tell whether the client has closed the connection.

    A client that waits for an answer sends nothing, so a readable socket is at its end.
    """
    if connection is None:
        return False
    poller = select.poll()
    try:
        poller.register(connection, select.POLLIN)
        return bool(poller.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True
