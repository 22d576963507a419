"""Requests to a WSGI application in this process, in the place of kube.connections.Connections."""

import socket
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask
from urllib3 import HTTPHeaderDict, Timeout


class Answer:
    """What transport.py needs of urllib3's answers; one that lasts can be ended by others."""

    def __init__(
        self,
        status: int,
        headers: HTTPHeaderDict,
        body: Iterator[bytes],
        ends: tuple[socket.socket, ...],
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._ends = ends

    @property
    def data(self) -> bytes:
        return b"".join(self._body)

    def read1(self, _size: int) -> bytes:
        return next(filter(None, self._body), b"")

    def shutdown(self) -> None:
        """Hang up, which the application notices when it looks next."""
        self._ends[0].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        getattr(self._body, "close", lambda: None)()
        for end in self._ends:
            end.close()


class AppConnections:
    """Thread-safe, as far as the application is."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: Timeout,
    ) -> Answer:
        begun: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> object:
            begun[:] = [int(status.split()[0]), HTTPHeaderDict(headers)]
            return None

        environment = _environment(method, path, headers, body or b"")
        ends = socket.socketpair() if "watch=true" in path else ()
        if ends:
            environment["werkzeug.socket"] = ends[1]
        pieces = self._app(environment, start)
        return Answer(*begun, iter(pieces), ends)

    def close(self) -> None:
        """Do nothing, as there are no connections."""


def _environment(
    method: str, path: str, headers: Mapping[str, str], body: bytes
) -> dict[str, object]:
    parts = urlsplit(path)
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {
        **named,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "memory",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
    }
