"""The proxy that makes an API server sick, and what the client makes of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devcluster.cluster import kubeconfig
from kube.client import Client
from kube.errors import ConnectFailed, ServerError, TooManyRequests
from tests.support.sickapi import SickApi


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        body = b'{"major": "1", "minor": "30"}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[SickApi]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    made = SickApi("http://{}:{}".format(*server.server_address[:2]))
    yield made
    made.close()
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def client(api: SickApi, tmp_path: Path) -> Iterator[Client]:
    path = tmp_path / "kubeconfig"
    path.write_text(repr(kubeconfig(api.url)).replace("'", '"'))
    made = Client.from_kubeconfig(
        str(path), qps=1000, burst=1000, user_agent="test", retry_seconds=0.0
    )
    yield made
    made.close()


def test_healthy_one_passes_everything_on(client: Client) -> None:
    assert client.server_version()["minor"] == "30"


def test_broken_one_answers_500_to_one_method_only(api: SickApi, client: Client) -> None:
    with api.broken("GET"), pytest.raises(ServerError):
        client.server_version()
    with api.broken("PATCH"):
        assert client.server_version()
    assert client.server_version()


def test_away_means_no_connection_until_it_is_back(api: SickApi, client: Client) -> None:
    assert client.server_version()
    with api.away(), pytest.raises(ConnectFailed):
        client.server_version()
    assert client.server_version()


def test_busy_one_says_when_to_come_again(api: SickApi, client: Client) -> None:
    with api.busy(1, 7), pytest.raises(TooManyRequests) as caught:
        client.server_version()
    assert caught.value.retry_after == 7.0
    assert api.refused == 1


def test_impatient_client_is_noticed(api: SickApi, client: Client) -> None:
    with api.busy(1, 60), pytest.raises(TooManyRequests):
        client.server_version()
    client.server_version()
    assert api.hasty == ["GET /version"]


def test_other_request_is_not_impatient(api: SickApi) -> None:
    with api.busy(1, 60):
        assert api.refuses("GET", "/a", "agent", b"")
    assert not api.refuses("GET", "/b", "agent", b"")
    assert api.hasty == []
