"""The embedded API server as a WSGI application that tests call without sockets."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.objects import JSON
from devcluster.apiserver.server import ApiServer
from devcluster.apiserver.watch import Pace
from tests.support.apiserverrig import Now


class Logs:
    """Writes down how it was asked, and answers in two pieces."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def read(
        self, pod: JSON, container: str, *, follow: bool, previous: bool, tail: int | None
    ) -> Iterator[bytes]:
        self.asked.append((pod["metadata"]["name"], container, follow, previous, tail))
        yield b"one\n"
        yield b"two\n"


class Web:
    """A server without sockets."""

    def __init__(self) -> None:
        self.logs = Logs()
        # a second of every watch is over after ten looks at the clock
        pace = Pace(poll=0.0, clock=itertools.count(0.0, 0.1).__next__)
        self.server = ApiServer(logs=self.logs, clock=Now(), version="v1.30.14", pace=pace)
        self.client: FlaskClient = self.server.app.test_client()

    def call(self, method: str, path: str, body: Any = None, **kwargs: Any) -> TestResponse:
        if body is not None:
            kwargs.setdefault("content_type", "application/json")
            kwargs["data"] = json.dumps(body)
        return self.client.open(path, method=method, **kwargs)

    def json(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, Any]:
        answer = self.call(method, path, body, **kwargs)
        return answer.status_code, answer.get_json()
