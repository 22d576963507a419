"""Requests to a WSGI application in this process, in the place of kube.connections.Connections."""

import socket
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask
from urllib3 import HTTPHeaderDict
from werkzeug.test import run_wsgi_app

from api.objects import JSON
from kube.access import Access
from kube.calls import Call
from kube.exchange import Answer, Request
from kube.transport import Transport
from kube.watch import WatchStream


class Streamed:
    """What transport.py needs of urllib3's answers, which others can end."""

    def __init__(
        self,
        status: int,
        headers: HTTPHeaderDict,
        body: Iterable[bytes],
        ends: tuple[socket.socket, ...],
    ) -> None:
        self.status = status
        self.headers = headers
        self._pieces = body
        self._body = iter(body)
        self._ends = ends

    @property
    def data(self) -> bytes:
        """Everything that is left of the body."""
        return b"".join(self._body)

    def read1(self, _size: int) -> bytes:
        """Return the next piece of the body, empty at its end."""
        return next(filter(None, self._body), b"")

    def shutdown(self) -> None:
        """Hang up, which the application notices when it looks next."""
        self._ends[0].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the answer."""
        getattr(self._pieces, "close", lambda: None)()
        for end in self._ends:
            end.close()


class AppConnections:
    """Thread-safe, as far as the application is."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def request(self, request: Request, _seconds: float) -> Answer:
        """Call the application, in this thread."""
        pieces, status, headers = run_wsgi_app(self._app, _environment(request), buffered=True)
        named = {name.lower(): value for name, value in headers.items()}
        return Answer(int(status.split()[0]), named, b"".join(pieces))

    def stream(self, request: Request, _seconds: float) -> Streamed:
        """Call the application for an answer that lasts."""
        ends = socket.socketpair()
        environment = {**_environment(request), "werkzeug.socket": ends[1]}
        pieces, status, headers = run_wsgi_app(self._app, environment)
        return Streamed(int(status.split()[0]), HTTPHeaderDict(headers.items()), pieces, ends)

    def close(self) -> None:
        """Do nothing, as there are no connections."""


class Observed(Transport):
    """Sends requests to an application, and tells of each before it and after its success."""

    def __init__(
        self,
        app: Flask,
        before: Callable[[Call], None],
        after: Callable[[Call], None] = lambda _: None,
    ) -> None:
        connections: Any = AppConnections(app)
        super().__init__(Access("http://memory"), connections, user_agent="tests")
        self._before = before
        self._after = after

    def send(self, call: Call) -> JSON:
        """Send a request, see kube.transport."""
        self._before(call)
        answer = super().send(call)
        self._after(call)
        return answer

    def raw(self, call: Call) -> bytes:
        """Send a request, and return the answer as it came; see kube.transport."""
        self._before(call)
        answer = super().raw(call)
        self._after(call)
        return answer

    def stream(self, call: Call, *, silent_seconds: float) -> WatchStream:
        """Begin a watch, see kube.transport."""
        self._before(call)
        return super().stream(call, silent_seconds=silent_seconds)


def _environment(request: Request) -> dict[str, object]:
    parts, body = urlsplit(request.path), request.body or b""
    headers = {f"HTTP_{n.upper().replace('-', '_')}": each for n, each in request.headers.items()}
    return {
        **headers,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "memory",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
    }
