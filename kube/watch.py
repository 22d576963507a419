"""The watch protocol: one JSON event per line, in an answer that lasts for minutes.

`LineSplitter` and `decode` know the bytes and nothing of sockets; WatchStream joins them to a
ByteStream, which transport.py makes of an HTTP answer. Used by the client only.
Source: Kubernetes API concepts, "Efficient detection of changes".
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self, cast, get_args

from api.objects import JSON
from kube.decoding import decode_json
from kube.errors import BrokenAnswer, TransportError, api_error

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
_TYPES: Final = frozenset(get_args(EventType))
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change of one object; of a BOOKMARK only the object's resourceVersion has meaning."""

    type: EventType
    object: JSON


class ByteStream(Protocol):
    """The body of an answer that is still coming in."""

    def read(self) -> bytes:
        """Block for the next bytes; `b""` is the end. Raises TransportError."""

    def abort(self) -> None:
        """Make a blocked `read` return or raise; may be called from another thread."""

    def close(self) -> None:
        """Free the connection; only for the thread that reads."""


class LineSplitter:
    """Joins bytes that arrive in pieces and cuts them into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without empty ones.

        An incomplete line stays for the next call. At the end of a stream it is worth nothing:
        the server sends the event again to whoever watches on from the last resourceVersion.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line for line in lines if line.strip()]


def decode(line: bytes, *, call: str) -> WatchEvent:
    """Return the event of a line.

    Args:
        line: one line of the stream.
        call: what is watched, for the text of errors.

    Raises:
        ApiError: the server sent an ERROR event; Gone for 410.
        BrokenAnswer: the line is not a watch event.
    """
    try:
        event = decode_json(line)
        kind, obj = str(event["type"]), event["object"]
        if kind == "ERROR":
            raise api_error(int(obj.get("code") or 500), obj, call=call)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenAnswer(f"{call}: not a watch event: {line[:_SHOWN]!r}") from error
    if kind not in _TYPES or not isinstance(obj, dict):
        raise BrokenAnswer(f"{call}: unknown watch event: {line[:_SHOWN]!r}")
    return WatchEvent(cast(EventType, kind), obj)


class WatchStream:
    """Iterator of the events of one watch, for one thread; use it as a context manager."""

    def __init__(self, source: ByteStream, *, call: str) -> None:
        """Read events from `source`; `call` tells in errors what is watched."""
        self._source = source
        self._call = call
        self._closed = threading.Event()
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()

    def __iter__(self) -> Iterator[WatchEvent]:
        return self

    def __next__(self) -> WatchEvent:
        """Block for the next event.

        Raises:
            StopIteration: the server ended the watch, or `close` was called.
            ApiError: the server sent an ERROR event; Gone if the resourceVersion is too old.
            TransportError: the stream broke.
        """
        while not self._closed.is_set():
            if self._lines:
                return decode(self._lines.popleft(), call=self._call)
            data = self._read()
            if not data:
                break
            self._lines.extend(self._splitter.feed(data))
        raise StopIteration

    def _read(self) -> bytes:
        try:
            return self._source.read()
        except TransportError:
            if self._closed.is_set():
                return b""
            raise

    def close(self) -> None:
        """End the iteration quietly and at once; may be called from another thread."""
        self._closed.set()
        self._source.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._source.close()
