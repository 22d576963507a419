"""Requests to a WSGI application in this process, in the place of kube.connections.Connections."""

import socket
from collections.abc import Callable
from typing import Any

from flask import Flask

from api.objects import JSON
from devcluster.inprocess import Answering, call
from kube.access import Access
from kube.calls import Call
from kube.exchange import Answer, Request
from kube.transport import Transport
from kube.watch import WatchStream


class Streamed:
    """What transport.py needs of urllib3's answers, which others can end."""

    def __init__(self, answer: Answering, ends: tuple[socket.socket, ...]) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._body = iter(answer.pieces)
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
        self._answer.close()
        for end in self._ends:
            end.close()


class AppConnections:
    """Thread-safe, as far as the application is."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def request(self, request: Request, _seconds: float) -> Answer:
        """Call the application, in this thread."""
        return call(self._app, request).whole()

    def stream(self, request: Request, _seconds: float) -> Streamed:
        """Call the application for an answer that lasts."""
        ends = socket.socketpair()
        return Streamed(call(self._app, request, {"werkzeug.socket": ends[1]}), ends)

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

    def text(self, call: Call) -> str:
        """Send a request whose answer is text, see kube.transport."""
        self._before(call)
        answer = super().text(call)
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
