"""The embedded API server as a WSGI application that tests call, with and without sockets."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.objects import JSON
from devcluster.apiserver.remotecommand import Command, Execution
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from devcluster.apiserver.server import ApiServer
from devcluster.apiserver.watch import Pace
from devcluster.errors import DevclusterError
from kube.client import Client
from testing import web
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

    def execute(self, pod: JSON, container: str, command: Command) -> Execution:
        raise DevclusterError(f"{pod['metadata']['name']} runs nothing")


class Web:
    """A server without sockets."""

    def __init__(self, logs: Logs | None = None, api: ResourceApi = CLASSIC) -> None:
        self.logs = logs or Logs()
        # a second of every watch is over after ten looks at the clock
        pace = Pace(poll=0.0, clock=itertools.count(0.0, 0.1).__next__)
        self.server = ApiServer(
            logs=self.logs,
            commands=self.logs,
            clock=Now(),
            version=f"v1.{api.minor}.14",
            resource_api=api,
            pace=pace,
        )
        self.client: FlaskClient = self.server.app.test_client()

    def call(self, method: str, path: str, body: Any = None, **kwargs: Any) -> TestResponse:
        if body is not None:
            kwargs.setdefault("content_type", "application/json")
            kwargs["data"] = json.dumps(body)
        return self.client.open(path, method=method, **kwargs)

    def json(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, Any]:
        answer = self.call(method, path, body, **kwargs)
        return answer.status_code, answer.get_json()


@contextmanager
def serving(server: ApiServer) -> Iterator[str]:
    """Serve over a socket; yields the URL."""
    with web.serving(server.app) as url:
        server.start()
        try:
            yield url
        finally:
            server.stop()


def client_of(url: str, directory: Path) -> Client:
    """Return a client of a server; the caller closes it before the server stops."""
    path = directory / f"kubeconfig-{url.rpartition(':')[2]}"
    return Client.from_kubeconfig(
        str(web.write_kubeconfig(url, path)), qps=0, burst=0, user_agent="test"
    )
