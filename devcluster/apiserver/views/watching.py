"""Watches over HTTP: one line of JSON per event, sent at once, until either side ends it."""

from collections.abc import Iterator

from flask import Response, request

from api.objects import JSON
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.storage import BOOKMARK
from devcluster.apiserver.table import table
from devcluster.apiserver.views.accepting import JSON_TYPE
from devcluster.apiserver.views.answers import dump, included_object, wants_table
from devcluster.apiserver.views.connection import client_socket, has_hung_up
from devcluster.apiserver.views.options import watch_options
from devcluster.apiserver.watch import ERROR, Change, Watch


def watch_answer(backend: Backend, kind: Kind, namespace: str) -> Response:
    """Answer the current request with a watch."""
    options = watch_options(kind, request.args)
    storage = backend.store.storage
    watch = Watch(storage, kind, namespace, options, pace=backend.pace, ended=backend.stopping)
    tables = _Tables(backend, kind, included_object()) if wants_table() else None
    connection = client_socket(request.environ)

    def lines() -> Iterator[bytes]:
        yield b""  # sends the headers, which clients wait for
        for change in watch:
            if change is not None:
                yield tables.line(change) if tables else event_line(change)
            elif has_hung_up(connection):
                return

    return Response(lines(), content_type=JSON_TYPE)


def event_line(change: Change) -> bytes:
    """Return the line of an event."""
    data = change.data if change.data is not None else dump(change.obj)
    return b'{"type":"' + change.type.encode() + b'","object":' + data + b"}\n"


class _Tables:
    """Turns the objects of events into tables, of which only the first describes its columns."""

    def __init__(self, backend: Backend, kind: Kind, include: str) -> None:
        self._clock = backend.clock
        self._kind = kind
        self._include = include
        self._headers = True

    def line(self, change: Change) -> bytes:
        if change.type == ERROR:
            return event_line(change)
        rows = [] if change.type == BOOKMARK else [change.obj]
        shown: JSON = table(
            self._kind,
            rows,
            revision=change.obj["metadata"]["resourceVersion"],
            now=self._clock(),
            include=self._include,
            headers=self._headers,
        )
        self._headers = False
        return event_line(Change(change.type, shown))
