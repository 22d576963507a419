"""Requests to the API server from its own process: by a call of the application, not over a socket.

The control plane and the kubelets send most of a cluster's requests. Behind the application nothing
tells them from others; what falls away is to write and to parse HTTP twice and to wake a thread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask
from werkzeug.datastructures import Headers

from kube.connections import Connections
from kube.exchange import Answer, Request


@dataclass(frozen=True, slots=True)
class Answering:
    """An answer that comes in.

    Attributes:
        status: HTTP status.
        headers: by name, in whatever case.
        pieces: the body, as the application makes it.
    """

    status: int
    headers: Headers
    pieces: Iterable[bytes]

    def whole(self) -> Answer:
        """Wait for the body."""
        try:
            body = b"".join(self.pieces)
        finally:
            self.close()
        return Answer(self.status, {n.lower(): v for n, v in self.headers.items()}, body)

    def close(self) -> None:
        """Tell the application that nobody wants more of the body."""
        getattr(self.pieces, "close", lambda: None)()


def call(app: Flask, request: Request, more: Mapping[str, object] = {}) -> Answering:
    """Call an application in this thread; `more` goes into its environment."""
    begun: list[tuple[int, Headers]] = []

    def begin(status: str, told: list[tuple[str, str]], *_: object) -> Any:
        begun.append((int(status[:3]), Headers(told)))

    pieces = app({**_environment(request), **more}, begin)
    return Answering(*begun[-1], pieces)


class InProcess(Connections):
    """Thread-safe, as the application is.

    A watch still goes over a socket: its reader can be interrupted there at any time.
    """

    def __init__(self, app: Flask, network: Connections) -> None:
        """Call `app`, and leave watches to `network`, which `close` closes."""
        self._app = app
        self._network = network

    def request(self, request: Request, _seconds: float) -> Answer:
        """Send a request, see kube.connections."""
        return call(self._app, request).whole()

    def stream(self, request: Request, seconds: float) -> Any:
        """Begin a watch, see kube.connections."""
        return self._network.stream(request, seconds)

    def drop_idle(self) -> None:
        """Close connections that may be broken, see kube.connections."""
        self._network.drop_idle()

    def close(self) -> None:
        """Close the connections of watches."""
        self._network.close()


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
