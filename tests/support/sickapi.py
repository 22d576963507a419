"""A proxy in front of an API server, which can be away, late, too busy, or broken.

Requests are passed on as they are, one at a time on each connection, and answers as they come, so
that watches work. What is wrong with the server is said by context managers.
"""

import hashlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from testing.waiting import until

_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "host"})
_CHUNK = 1 << 16
_SLACK = 0.05
"""Seconds that clocks and rounding may take off a pause."""


class SickApi:
    """A proxy at a port of its own; healthy at first.

    Attributes:
        refused: how many requests were answered 429.
        hasty: requests that were repeated before their Retry-After was over.
    """

    def __init__(self, upstream: str) -> None:
        """Start in front of the API server at a URL."""
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.refused = 0
        self.hasty: list[str] = []
        self.seconds_late = 0.0
        self._every = 0
        self._retry_after = 0
        self._requests = 0
        self._broken = ""
        self._not_before: dict[str, float] = {}
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = self._listen(0)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return "http://{}:{}".format(*self._server.server_address[:2])

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections, and cut those that are there."""
        port = int(self._server.server_address[1])
        self.close()
        try:
            yield
        finally:
            self._server = self._listen(port)

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Let every answer come so many seconds later."""
        self.seconds_late = seconds
        try:
            yield
        finally:
            self.seconds_late = 0.0

    @contextmanager
    def busy(self, every: int, retry_after: int) -> Iterator[None]:
        """Answer every n-th request with 429, and ask to be left alone for so many seconds."""
        self._every, self._retry_after = every, retry_after
        try:
            yield
        finally:
            self._every = 0

    @contextmanager
    def broken(self, method: str) -> Iterator[None]:
        """Answer requests of this method with 500, and pass none of them on."""
        self._broken = method
        try:
            yield
        finally:
            self._broken = ""

    def breaks(self, method: str) -> bool:
        """Tell whether a request of this method is not passed on."""
        return method == self._broken

    def close(self) -> None:
        """Stop listening, and cut all connections."""
        self._server.shutdown()
        self._server.server_close()
        until("the proxy's connections are cut", self._cut)

    def refuses(self, method: str, path: str, agent: str, body: bytes) -> int:
        """Take note of a request; return the seconds of its Retry-After, 0 if it is passed on."""
        digest = hashlib.sha256(body).hexdigest()
        key = f"{agent} {method} {path} {digest}"
        with self._lock:
            now = time.monotonic()
            self._requests += 1
            if now < self._not_before.pop(key, 0.0) - _SLACK:
                self.hasty.append(f"{method} {path}")
            if not self._every or self._requests % self._every:
                return 0
            self.refused += 1
            self._not_before[key] = now + self._retry_after
            return self._retry_after

    def opened(self, connection: socket.socket) -> None:
        """Take note of a connection."""
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(connection)

    def _cut(self) -> bool:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            return not self._open

    def _listen(self, port: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"api": self})
        server = _Server(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client; a new one to the API server for each request."""

    protocol_version = "HTTP/1.1"
    api: SickApi

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.api.opened(self.connection)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.api.closed(self.connection)

    def handle(self) -> None:
        # a connection that is cut on either side ends here
        with suppress(OSError, http.client.HTTPException):
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        agent = self.headers.get("User-Agent") or ""
        retry_after = self.api.refuses(self.command, self.path, agent, body)
        if retry_after:
            self._refuse(429, {"Retry-After": str(retry_after)})
        elif self.api.breaks(self.command):
            self._refuse(500, {})
        else:
            self._pass_on(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _pass_on(self, body: bytes) -> None:
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _HOP}
        upstream = http.client.HTTPConnection(*self.api.upstream)
        with closing(upstream):
            upstream.connect()
            # else a watch is only found to be cut when its next event comes
            with self._cuttable(upstream.sock):
                upstream.request(self.command, self.path, body or None, headers)
                self._answer(upstream.getresponse())

    @contextmanager
    def _cuttable(self, connection: socket.socket) -> Iterator[None]:
        self.api.opened(connection)
        try:
            yield
        finally:
            self.api.closed(connection)

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        if self.api.seconds_late:
            time.sleep(self.api.seconds_late)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if answer.length is None:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._copy(answer, chunked=answer.length is None)

    def _copy(self, answer: http.client.HTTPResponse, *, chunked: bool) -> None:
        while data := answer.read1(_CHUNK):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
