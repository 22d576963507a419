"""One request and its whole answer over a connection that is open already.

That is nearly every request of a program. What a general client does for each of them, for
redirects, for answers that are read later and for headers that nobody looks at, takes several times
as long as the exchange itself, see ADR 14. Called by connections.py, which leaves the first request
over a connection, and every watch, to urllib3.
Source: RFC 9112; httptools reads answers as Node.js does.
"""

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from httptools import HttpParserError, HttpResponseParser

_CHUNK: Final = 1 << 16
_FIRST_FINAL: Final = 200
_SIZES: Final = frozenset({"content-length", "transfer-encoding"})
_LINE: Final = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What a server is asked.

    Attributes:
        method: of HTTP.
        path: quoted, with query.
        headers: without those of HTTP itself.
        body: None for no body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def head(self, host: str) -> bytes | None:
        """Return what goes before the body, None if it has to be quoted or refused first.

        Args:
            host: of the server, with port.
        """
        fixed = {"Host": host, "Accept-Encoding": "identity"}
        if self.body is not None:
            fixed["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [
            f"{name}: {value}" for each in (fixed, self.headers) for name, value in each.items()
        ]
        if " " in self.path or not all(map(_LINE.fullmatch, lines)):
            return None
        return "\r\n".join((*lines, "", "")).encode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: of HTTP.
        headers: by their names in small letters.
        data: the whole body.
        reusable: whether another request may be sent over the connection.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes
    reusable: bool = False


class BrokenExchange(Exception):
    """The server ended the connection before its answer, or does not speak HTTP."""


def exchange(connection: socket.socket, request: bytes, seconds: float) -> Answer:
    """Send a request and read the answer.

    Args:
        connection: on which nothing is under way.
        request: head and body.
        seconds: longest silence of the server.

    Raises:
        BrokenExchange: there is no whole answer.
        OSError: likewise; TimeoutError if the server was silent for too long.
    """
    connection.settimeout(seconds)
    with suppress(BrokenPipeError, ConnectionResetError):
        # of a server that has answered before it read everything
        connection.sendall(request)
    reading = _Reading()
    while not reading.done:
        reading.feed(connection.recv(_CHUNK))
    return reading.answer()


class _Reading:
    """An answer that comes in; what httptools calls a protocol."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._status = 0
        self._keep = False
        self.done = False

    def feed(self, data: bytes) -> None:
        if not data:
            self._end()
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            raise BrokenExchange(f"the answer is not HTTP: {error}") from error

    def answer(self) -> Answer:
        return Answer(self._status, self._headers, b"".join(self._body), self._keep)

    def _end(self) -> None:
        """Take in that the connection has ended, as it may to say where the body does."""
        if self._status < _FIRST_FINAL or self._headers.keys() & _SIZES:
            raise BrokenExchange("the server closed the connection without a whole answer")
        self.done = True

    def on_message_begin(self) -> None:
        self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        # after one below 200 another one follows; after any other nothing may
        self._keep = not self.done and self._parser.should_keep_alive()
        self.done = self._status >= _FIRST_FINAL
