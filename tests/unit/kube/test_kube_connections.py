import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from kube.access import Access
from kube.connections import Connections, open_connections
from kube.errors import ConfigError
from tests.support.tables import cases

TIMEOUT = urllib3.Timeout(connect=5, read=5)


class _Server(BaseHTTPRequestHandler):
    """Takes down what it is asked and leads elsewhere."""

    protocol_version = "HTTP/1.1"
    requests: list[tuple[str, str, str]]

    def do_GET(self) -> None:
        self.requests.append((self.command, self.path, self.headers["Host"]))
        self.send_response(307)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (_Server,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        made.daemon_threads = True
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def requests(server: ThreadingHTTPServer) -> list[tuple[str, str, str]]:
    return server.RequestHandlerClass.requests


def get(connections: Connections, path: str = "/x?y=z") -> int:
    response = connections.request("GET", path, {}, None, TIMEOUT)
    assert response.data == b""
    connections.close()
    return response.status


def test_path_of_the_server_goes_before_that_of_the_call(server) -> None:
    host = f"127.0.0.1:{server.server_port}"
    get(open_connections(Access(f"http://{host}/clusters/c"), size=1, environ={}))
    assert requests(server) == [("GET", "/clusters/c/x?y=z", host)]


def test_redirect_is_not_followed(server) -> None:
    access = Access(f"http://127.0.0.1:{server.server_port}")
    assert get(open_connections(access, size=1, environ={})) == 307
    assert len(requests(server)) == 1


def test_proxy_is_told_the_server(server) -> None:
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{server.server_port}"}
    get(open_connections(Access("http://api.example:8080"), size=1, environ=environ))
    assert requests(server) == [("GET", "http://api.example:8080/x?y=z", "api.example:8080")]


def test_proxy_is_asked_for_a_tunnel_to_a_server_with_tls(server) -> None:
    proxy = f"http://127.0.0.1:{server.server_port}"
    connections = open_connections(
        Access("https://api.example:6443", proxy=proxy), size=1, environ={}
    )
    with pytest.raises(urllib3.exceptions.ProxyError):
        get(connections)
    assert [each[:2] for each in requests(server)] == [("CONNECT", "api.example:6443")]


def test_this_machine_is_reached_without_the_proxy_of_the_environment(server) -> None:
    environ = {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    for host in ("127.0.0.1", "localhost"):
        access = Access(f"http://{host}:{server.server_port}")
        assert get(open_connections(access, size=1, environ=environ)) == 307


def test_exception_of_the_proxy_counts(server) -> None:
    access = Access(f"http://127.0.0.1:{server.server_port}", proxy="http://127.0.0.1:1")
    assert get(open_connections(access, size=1, environ={"NO_PROXY": "127.0.0.0/8"})) == 307


class _Keeping(_Server):
    """Answers every request, and tells which connection it came over."""

    def do_GET(self) -> None:
        self.requests.append(("", "", str(self.client_address)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_idle_connections_can_be_dropped(server) -> None:
    server.RequestHandlerClass = type("Handler", (_Keeping,), {"requests": []})
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=4, environ={})

    def ask() -> urllib3.BaseHTTPResponse:
        return connections.request("GET", "/", {}, None, TIMEOUT)

    ask().drain_conn()
    unread = ask()
    connections.drop_idle()
    assert unread.data == b""
    ask().drain_conn()
    connections.close()
    first, second, third = (address for _, _, address in requests(server))
    assert first == second != third


def test_request_that_meets_a_dropped_pool_takes_the_next(
    server, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=1, environ={})
    # as if another thread had dropped the pool between its choice and its use
    real, calls = connections._send, []

    def send(*args: object, **options: object) -> urllib3.BaseHTTPResponse:
        calls.append(args)
        if len(calls) == 1:
            raise urllib3.exceptions.ClosedPoolError(connections._pool, "closed")
        return real(*args, **options)

    monkeypatch.setattr(connections, "_send", send)
    assert get(connections) == 307
    assert len(calls) == 2


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a pool is made with."""
    options: dict[str, object] = {}
    real = urllib3.PoolManager

    def manager(**given: object) -> urllib3.PoolManager:
        options.update(given)
        return real(**given)

    monkeypatch.setattr(urllib3, "PoolManager", manager)
    return options


def test_dead_peers_are_noticed(made) -> None:
    open_connections(Access("https://a"), size=7, environ={})
    assert made["maxsize"] == 7
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in made["socket_options"]
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30) in made["socket_options"]
    assert (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000) in made["socket_options"]
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in made["socket_options"]


def test_server_is_checked_unless_the_access_says_otherwise(made) -> None:
    open_connections(Access("https://a", ca_file="ca"), size=1, environ={})
    assert (made["cert_reqs"], made["ca_certs"]) == (ssl.CERT_REQUIRED, "ca")
    open_connections(Access("https://a", verify=False), size=1, environ={})
    assert made["cert_reqs"] == ssl.CERT_NONE


def test_client_certificate_and_server_name_are_used(made) -> None:
    access = Access("https://a", cert_file="cert", key_file="key", server_name="name")
    open_connections(access, size=1, environ={})
    assert (made["cert_file"], made["key_file"]) == ("cert", "key")
    assert made["server_hostname"] == "name"


@cases(
    ("host", "proxy"),
    {
        "no-server": ("", None),
        "no-web-server": ("ftp://a", None),
        "no-port": ("https://a:x", None),
        "no-web-proxy": ("https://a", "ftp://b"),
    },
)
def test_malformed_url_is_a_config_error(host: str, proxy: str | None) -> None:
    with pytest.raises(ConfigError, match="no way to the API server"):
        open_connections(Access(host, proxy=proxy), size=1, environ={})


def test_head_and_body_of_a_request_are_sent_at_once(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    plain = http.client.HTTPConnection.send

    def send(connection: http.client.HTTPConnection, data: bytes) -> None:
        sent.append(data)
        plain(connection, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", send)
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=1, environ={})
    connections.request("GET", "/x", {}, b"body", urllib3.Timeout(5)).close()
    (piece,) = sent
    assert piece.startswith(b"GET /x HTTP/1.1\r\n")
    assert piece.endswith(b"\r\n\r\nbody")
    connections.close()
