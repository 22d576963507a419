"""The page over HTTP: its files, its entries as server-sent events, and what it asks for by click.

Everything is read with GET, nothing is written, and no answer may be used by another origin.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import islice
from typing import Final

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from api.errors import DriverError
from api.objects import JSON
from explain.errors import CannotLook
from ui.board import Board, Delta, Place
from ui.details import Details
from ui.explaining import Explaining
from ui.hosts import Hosts

STREAMS: Final = 48
"""Pages that are open at the same time at most; each occupies a thread."""

_PING_SECONDS: Final = 15.0
_CHUNK: Final = 200
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to show.

    Attributes:
        board: the entries.
        details: of a card.
        explaining: of pods, claims and classes.
        now: the time.
        stop: ends the streams.
    """

    board: Board
    details: Details
    explaining: Explaining
    now: Callable[[], datetime]
    stop: threading.Event


def create_app(shown: Shown, hosts: Hosts) -> Flask:
    """Return the application, which answers requests for these hosts only."""
    app = Flask("ui", static_folder=None)
    answers = _Answers(shown, _files())

    @app.before_request
    def guard() -> Response | None:
        why = hosts.refusal(request.host, request.headers.get("Origin"))
        return _problem(why, 403) if why else None

    app.after_request(_protected)
    app.register_error_handler(DriverError, _failed)
    app.register_error_handler(HTTPException, _refused)
    for path, answer in answers.paths.items():
        app.add_url_rule(path, path, answer, methods=["GET"])
    return app


class _Answers:
    """What is answered, by path."""

    def __init__(self, shown: Shown, page: Mapping[str, bytes]) -> None:
        self._shown = shown
        self._page = page
        self._streams = threading.BoundedSemaphore(STREAMS)
        explaining = shown.explaining
        explain = "/api/explain"
        self.paths: Mapping[str, Callable[..., Response]] = {
            "/": lambda: self.file("index.html"),
            "/assets/<name>": self.file,
            "/events": self.events,
            "/api/card": self.card,
            f"{explain}/pod/<namespace>/<name>": lambda **named: _json(explaining.pod(**named)),
            f"{explain}/claim/<namespace>/<name>": lambda **named: _json(explaining.claim(**named)),
            f"{explain}/class/<name>": lambda **named: _json(explaining.class_(**named)),
        }

    def file(self, name: str) -> Response:
        kind = _TYPES.get(name.rpartition(".")[2])
        if name not in self._page or kind is None:
            abort(404)
        answer = Response(self._page[name], content_type=kind)
        answer.add_etag()
        answer.headers["Cache-Control"] = "no-cache"
        answer.make_conditional(request)
        return answer

    def events(self) -> Response:
        if not self._streams.acquire(blocking=False):
            return _problem(f"{STREAMS} pages are open already; close some", 503)
        stream = _stream(self._shown, _known())
        answer = Response(stream, mimetype="text/event-stream")
        answer.call_on_close(self._streams.release)
        return answer

    def card(self) -> Response:
        driver, pool, name = (request.args.get(each, "") for each in ("driver", "pool", "card"))
        found = self._shown.details.card(driver, pool, name, self._shown.now())
        return _json(found) if found is not None else abort(404)


def _protected(answer: Response) -> Response:
    answer.headers.update(_HEADERS)
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def _failed(error: DriverError) -> Response:
    return _problem(str(error), 404 if isinstance(error, CannotLook) else 502)


def _refused(error: HTTPException) -> Response:
    return _problem(error.description or error.name, error.code or 500)


def _files() -> Mapping[str, bytes]:
    """Return the files of the page."""
    return {each.name: each.read_bytes() for each in (files("ui") / "assets").iterdir()}


def _json(found: JSON) -> Response:
    return Response(json.dumps(found), mimetype="application/json")


def _problem(text: str, status: int) -> Response:
    return Response(json.dumps({"error": text}), status, mimetype="application/json")


def _known() -> int:
    """Return up to which number a page that comes back knows the board."""
    number = request.headers.get("Last-Event-ID", "")
    return int(number) if number.isdecimal() else -1


def _stream(shown: Shown, number: int) -> Iterator[str]:
    """Yield what a page does not know yet, for as long as it listens."""
    yield "retry: 1000\n\n"
    while not shown.stop.is_set():
        delta = shown.board.since(number, _PING_SECONDS, shown.stop.is_set)
        if delta is None:
            yield ": still here\n\n"
        else:
            yield from _events(delta)
            number = delta.number


def _events(delta: Delta) -> Iterator[str]:
    """Yield a delta in pieces; only the last one says that everything is known."""
    if delta.anew:
        yield "event: anew\ndata: {}\n\n"
    entries = iter(delta.entries.items())
    left = len(delta.entries)
    while piece := list(islice(entries, _CHUNK)):
        left -= len(piece)
        end = f"id: {delta.number}\n" if not left else ""
        yield f"{end}data: {_data(piece)}\n\n"
    if delta.anew:
        yield "event: whole\ndata: {}\n\n"


def _data(piece: list[tuple[Place, str | None]]) -> str:
    """Return entries as JSON; they are JSON already."""
    found = (f"[{json.dumps([*place])},{text or 'null'}]" for place, text in piece)
    return f"[{','.join(found)}]"
