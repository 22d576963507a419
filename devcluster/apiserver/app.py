"""The flask application: which path goes to which view, and how every failure becomes a Status.

Runs under gunicorn (one worker, threads) and on werkzeug's threaded server; a watch keeps a thread.
Made by `devcluster.apiserver.server`.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from devcluster.apiserver.backend import Backend
from devcluster.apiserver.errors import MethodNotAllowed, StatusError
from devcluster.apiserver.views.access import access_review
from devcluster.apiserver.views.answers import json_answer, status_answer
from devcluster.apiserver.views.connection import client_socket, send_at_once
from devcluster.apiserver.views.metadata import MetadataViews, health
from devcluster.apiserver.views.objects import METHODS, ObjectViews, no_such_path
from ops.logs import get_logger

MAX_BODY: Final = 3 * 1024 * 1024
"""Bytes; what kube-apiserver takes."""

_HEALTH: Final = ("/healthz", "/readyz", "/livez")
_METADATA: Final[Mapping[str, Callable[..., Response]]] = {
    "/version": MetadataViews.version,
    "/api": MetadataViews.api,
    "/api/v1": MetadataViews.resources,
    "/apis": MetadataViews.apis,
    "/apis/<group>": MetadataViews.group,
    "/apis/<group>/<version>": MetadataViews.resources,
    "/openapi/v2": MetadataViews.openapi_v2,
    "/openapi/v3": MetadataViews.openapi_index,
    "/openapi/v3/api/<version>": MetadataViews.openapi_v3,
    "/openapi/v3/apis/<group>/<version>": MetadataViews.openapi_v3,
}
_OBJECTS: Final = ("/api/v1/<path:rest>", "/apis/<group>/<version>/<path:rest>")
_REVIEWS: Final = (
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
)

_log = get_logger("apiserver")


def routes() -> Map:
    """Return which path goes to which view; applications can share it as long as none adds a path.

    To make it takes many times as long as the rest of an application.
    """
    app = _empty_app()
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for path in (*_HEALTH, *_METADATA):
        app.add_url_rule(path, path)
    for path in _OBJECTS:
        app.add_url_rule(path, path, methods=METHODS)
        # werkzeug keeps the rules for WebSockets apart from all others
        app.add_url_rule(path, f"{path} upgraded", websocket=True)
    for path in _REVIEWS:
        app.add_url_rule(path, path, methods=["POST"])
    return app.url_map


def create_app(backend: Backend, known: Map) -> Flask:
    """Return the application that serves a backend on the paths of `routes`."""
    app = _empty_app()
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map = known
    metadata, objects = MetadataViews(backend), ObjectViews(backend)
    app.view_functions |= dict.fromkeys(_HEALTH, health)
    app.view_functions |= {path: partial(view, metadata) for path, view in _METADATA.items()}
    app.view_functions |= dict.fromkeys((*_OBJECTS, *(f"{p} upgraded" for p in _OBJECTS)), objects)
    app.view_functions |= dict.fromkeys(_REVIEWS, access_review)
    _add_hooks(app)
    return app


def _empty_app() -> Flask:
    return Flask("devcluster.apiserver", static_folder=None)


def _add_hooks(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(StatusError, status_answer)
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(Exception, _unexpected)


def _begin() -> None:
    g.began = time.monotonic()
    send_at_once(client_socket(request.environ))


def _end(answer: Response) -> Response:
    # of a watch this is the time to its beginning
    milliseconds = round((time.monotonic() - g.began) * 1000, 1)
    path = request.full_path.rstrip("?")
    _log.debug("Request", verb=request.method, path=path, code=answer.status_code, ms=milliseconds)
    return answer


def _http_failure(error: HTTPException) -> Response:
    """Turn an error of flask's own, such as an unknown path, into a Status."""
    if error.code == 404:
        return status_answer(no_such_path())
    if error.code == 405:
        text = "the server does not allow this method on the requested resource"
        return status_answer(MethodNotAllowed(text, {}))
    body = StatusError(error.description or error.name).body()
    code = error.code or 500
    return json_answer({**body, "reason": error.name.replace(" ", ""), "code": code}, code)


def _unexpected(error: Exception) -> Response:
    _log.error("Request failed", exc=error, verb=request.method, path=request.path)
    return status_answer(StatusError(f"Internal error occurred: {type(error).__name__}: {error}"))
