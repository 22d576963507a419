"""The pages of the webhook, as a flask application."""

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request

from api.objects import JSON
from ops.health import Pages
from ops.logs import get_logger
from webhook.admission import Request, read
from webhook.configuration import PATH
from webhook.errors import MalformedReview
from webhook.metrics import ALLOWED, DENIED, MALFORMED, WebhookMetrics
from webhook.review import review
from webhook.validators import Validators

LONGEST: Final = 8 * 2**20
"""Bytes of a request: an object of the API server as it was and as it is to be, with room."""

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"

_LOG = get_logger("webhook")


def create_app(
    validators: Validators,
    pages: Pages,
    metrics: WebhookMetrics,
    clock: Callable[[], float] = time.perf_counter,
) -> Flask:
    """Return the application.

    Args:
        validators: of the drivers.
        pages: answer every other path.
        metrics: of the reviews.
        clock: seconds.
    """
    app = Flask("webhook", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST

    @app.post(PATH)
    def validate() -> Response:
        begun = clock()
        response, verdict = _reviewed(validators)
        metrics.reviewed(verdict, clock() - begun)
        return response

    @app.get("/")
    @app.get("/<path:path>")
    def page(**_path: str) -> Response:
        answer = pages.answer(request.full_path, request.headers.get("Accept", ""))
        return Response(answer.body, answer.status, content_type=answer.content_type)

    return app


def _reviewed(validators: Validators) -> tuple[Response, str]:
    if request.mimetype != _JSON:
        told = f"Content-Type is {request.mimetype or 'missing'}, it has to be {_JSON}\n"
        return _refused(told, HTTPStatus.UNSUPPORTED_MEDIA_TYPE), MALFORMED
    try:
        asked = read(request.get_data(cache=False))
    except MalformedReview as error:
        return _refused(f"{error}\n", HTTPStatus.BAD_REQUEST), MALFORMED
    answer = review(asked, validators)
    allowed = bool(answer["response"]["allowed"])
    _log(asked, answer["response"])
    return Response(json.dumps(answer), content_type=_JSON), ALLOWED if allowed else DENIED


def _refused(told: str, status: HTTPStatus) -> Response:
    return Response(told.encode(errors="backslashreplace"), status, content_type=_TEXT)


def _log(asked: Request, response: JSON) -> None:
    log = _LOG.with_(resource=asked.resource, name=asked.name, uid=asked.uid)
    if response["allowed"]:
        log.debug("Allowed")
    else:
        log.info("Denied", message=response["status"]["message"])
