"""One HTTP exchange with the API server, in JSON, with every failure mapped to kube.errors.

The client decides what to ask and how often; this module carries it out over connections.py with
the credentials of access.py. JSON goes out without white space: the API server of 1.31 compares a
claim's opaque parameters byte by byte, and refuses each later change if they were sent with any.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, Protocol, TypeVar
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as http

from api.objects import JSON
from kube import deadlines
from kube.access import Access
from kube.calls import Call
from kube.connections import Connections
from kube.decoding import decode_json
from kube.errors import (
    BrokenAnswer,
    ConfigError,
    ConnectFailed,
    ReadTimeout,
    TlsFailed,
    TransportError,
    api_error,
)
from kube.exchange import Answer, Request
from kube.waiting import Waiting
from kube.watch import WatchStream

READ_SECONDS: Final = 30.0
SILENT_SECONDS: Final = 130.0
"""Of a watch; two bookmarks, which come once a minute, are overdue then."""

LEAST_READ_SECONDS: Final = 1.0
"""Granted even when a deadline is near: most answers come at once, and the work is done then."""

_Found = TypeVar("_Found", Answer, BaseHTTPResponse)

_CHUNK: Final = 1 << 16
_SHOWN: Final = 200
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class RequestObserver(Protocol):
    """Hears of each HTTP request, also of each repetition; called from any thread."""

    def __call__(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """Take note of a request.

        Args:
            verb: Kubernetes verb, e.g. `list`.
            resource: plural, or the path for a request outside of resources.
            code: HTTP status, 0 if there was no answer.
            seconds: until the answer was read; for a watch until it began.
        """


class Transport:
    """Sends calls; thread-safe."""

    def __init__(
        self,
        access: Access,
        connections: Connections,
        *,
        user_agent: str,
        observer: RequestObserver | None = None,
        waiting: Waiting | None = None,
        read_seconds: float = READ_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Talk to one API server.

        Args:
            access: where it is, and the credentials.
            connections: to it; this object closes them.
            user_agent: for the audit log of the API server.
            observer: hears of every request.
            waiting: for the first answer.
            read_seconds: longest silence of the server in the answer to a call; not for watches.
                Less in work that has a deadline, see kube.deadlines.
            clock: seconds, monotonic.
        """
        self._access = access
        self._connections = connections
        self._user_agent = user_agent
        self._observer = observer
        self._waiting = waiting
        self._read_seconds = read_seconds
        self._clock = clock

    @property
    def url(self) -> str:
        """URL of the API server."""
        return self._access.host

    def send(self, call: Call) -> JSON:
        """Send a call and return the decoded answer.

        Raises:
            ApiError: the server answered with anything but 2xx.
            TransportError: there is no usable answer.
            ConfigError: the credentials cannot be read.
        """
        return _decoded(call, self._answer(call))

    def text(self, call: Call) -> str:
        """Send a call whose answer is text and return that; raises like `send`."""
        return self._answer(call).decode(errors="replace")

    def raw(self, call: Call) -> bytes:
        """Send a call and return the answer as it came; raises like `send`."""
        return self._answer(call)

    def stream(self, call: Call, *, silent_seconds: float) -> WatchStream:
        """Send a watch and return its stream; raises like `send`.

        Args:
            call: the watch.
            silent_seconds: longest silence of the server, before and in the stream.
        """
        send = self._connections.stream
        response = self._observed(call, lambda: self._sent(send, call, silent_seconds))
        if not 200 <= response.status < 300:
            with self._mapped(call):
                body = response.data
            _check(call, response, body)
        return WatchStream(_Body(response, lambda: self._mapped(call)), call=str(call))

    def close(self) -> None:
        """Close the idle connections."""
        if self._waiting is not None:
            self._waiting.end()
        self._connections.close()

    def _answer(self, call: Call) -> bytes:
        send = self._connections.request
        answer = self._observed(call, lambda: self._sent(send, call, self._longest_silence()))
        _check(call, answer, answer.data)
        return answer.data

    def _observed(self, call: Call, exchange: Callable[[], _Found]) -> _Found:
        started, code = self._clock(), 0
        try:
            with self._awaited():
                found = exchange()
            code = found.status
            return found
        finally:
            if self._observer is not None:
                self._observer(call.verb, call.resource, code, self._clock() - started)

    @contextmanager
    def _awaited(self) -> Iterator[None]:
        if self._waiting is None:
            yield
            return
        self._waiting.begin()
        try:
            yield
        except TransportError as error:
            self._waiting.failed(error)
            raise
        self._waiting.end()

    def _sent(self, send: Callable[[Request, float], _Found], call: Call, seconds: float) -> _Found:
        headers, body = self._headers(call), None
        if call.body is not None:
            headers["Content-Type"] = call.content_type
            body = (_ENCODER.encode(call.body) if call.text is None else call.text).encode()
        path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        with self._mapped(call):
            return send(Request(call.method, path, headers, body), seconds)

    def _longest_silence(self) -> float:
        """Return the read timeout of a call; half of the time leaves room for another try."""
        left = deadlines.seconds_left(self._clock())
        return min(self._read_seconds, max(left / 2, LEAST_READ_SECONDS))

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {"Accept": call.accept, "User-Agent": self._user_agent}
        try:
            authorization = self._access.authorization()
        except ConfigError as error:
            raise ConfigError(f"{call}: {error}") from error
        if authorization:
            headers["Authorization"] = authorization
        return headers

    @contextmanager
    def _mapped(self, call: Call) -> Iterator[None]:
        try:
            yield
        except (http.NewConnectionError, http.ConnectTimeoutError, http.ProxyError) as error:
            raise ConnectFailed(
                f"{call}: no connection to the API server {self._host}: {error}; "
                "is it up, and does KUBECONFIG point at it?"
            ) from error
        except http.ReadTimeoutError as error:
            self._connections.drop_idle()
            raise ReadTimeout(f"{call}: {self._host} did not answer in time: {error}") from error
        except http.SSLError as error:
            raise TlsFailed(
                f"{call}: TLS with {self._host} failed: {error}; "
                "does the certificate authority of the kubeconfig belong to this server?"
            ) from error
        except http.LocationValueError as error:
            raise ConfigError(f"{call}: {self._host} is not a server URL: {error}") from error
        except http.HTTPError as error:
            raise BrokenAnswer(f"{call}: the answer of {self._host} broke off: {error}") from error

    @property
    def _host(self) -> str:
        return self._access.host


class _Body:
    """The body of an answer as the ByteStream of a watch."""

    def __init__(
        self, response: BaseHTTPResponse, mapped: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._response = response
        self._mapped = mapped

    def read(self) -> bytes:
        with self._mapped():
            return self._response.read1(_CHUNK)

    def abort(self) -> None:
        # The errors say that the answer is already at its end.
        with suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()

    def close(self) -> None:
        self._response.close()


def _check(call: Call, response: Answer | BaseHTTPResponse, body: bytes) -> None:
    if not 200 <= response.status < 300:
        raise api_error(
            response.status,
            _status_of(body),
            call=str(call),
            retry_after=_retry_after(response.headers),
        )


def _status_of(body: bytes) -> JSON:
    """Return the Status object of a refusal; a proxy in between may send text instead."""
    with suppress(ValueError):
        decoded = decode_json(body)
        if isinstance(decoded, dict):
            return decoded
    return {"message": body[:_SHOWN].decode(errors="replace").strip()}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    asked = headers.get("retry-after", "")
    return float(asked) if asked.isdigit() else None


def _decoded(call: Call, body: bytes) -> JSON:
    try:
        decoded = decode_json(body)
    except ValueError as error:
        raise BrokenAnswer(f"{call}: the answer is not JSON: {body[:_SHOWN]!r}") from error
    if not isinstance(decoded, dict):
        raise BrokenAnswer(f"{call}: the answer is not an object: {body[:_SHOWN]!r}")
    return decoded
