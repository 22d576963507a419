"""The flask application: which path goes to which view, and how every failure becomes a Status.

Runs under gunicorn (one worker, threads) and on werkzeug's threaded server; a watch keeps a thread.
Made by `devcluster.apiserver.server`.
"""

import time
from typing import Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

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

_AUTHORIZATION: Final = "/apis/authorization.k8s.io/v1"
_REVIEWS: Final = ("selfsubjectaccessreviews", "subjectaccessreviews")

_log = get_logger("apiserver")


def create_app(backend: Backend) -> Flask:
    """Return the application that serves a backend."""
    app = Flask("devcluster.apiserver", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _add_metadata(app, MetadataViews(backend))
    _add_objects(app, ObjectViews(backend))
    _add_hooks(app)
    return app


def _add_metadata(app: Flask, views: MetadataViews) -> None:
    for path in ("/healthz", "/readyz", "/livez"):
        app.add_url_rule(path, path, health)
    for path, view in (
        ("/version", views.version),
        ("/api", views.api),
        ("/api/v1", views.resources),
        ("/apis", views.apis),
        ("/apis/<group>", views.group),
        ("/apis/<group>/<version>", views.resources),
        ("/openapi/v2", views.openapi_v2),
        ("/openapi/v3", views.openapi_index),
        ("/openapi/v3/api/<version>", views.openapi_v3),
        ("/openapi/v3/apis/<group>/<version>", views.openapi_v3),
    ):
        app.add_url_rule(path, path, view)


def _add_objects(app: Flask, views: ObjectViews) -> None:
    for path in ("/api/v1/<path:rest>", "/apis/<group>/<version>/<path:rest>"):
        app.add_url_rule(path, path, views, methods=METHODS)
        # werkzeug keeps the rules for WebSockets apart from all others
        app.add_url_rule(path, f"{path} upgraded", views, websocket=True)
    for plural in _REVIEWS:
        path = f"{_AUTHORIZATION}/{plural}"
        app.add_url_rule(path, path, access_review, methods=["POST"])


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
