import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import Mock

import pytest
import urllib3

from kube.access import Access
from kube.connections import Connections, open_connections
from kube.errors import ConfigError
from kube.exchange import Request
from tests.support.tables import cases

SECONDS = 5.0


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
    answer = connections.request(Request("GET", path, {}), SECONDS)
    assert answer.data == b""
    connections.close()
    return answer.status


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

    request = Request("GET", "/", {})
    connections.request(request, SECONDS)
    unread = connections.stream(request, SECONDS)
    connections.drop_idle()
    assert unread.data == b""
    connections.request(request, SECONDS)
    connections.close()
    first, second, third = (address for _, _, address in requests(server))
    assert first == second != third


def test_request_that_meets_a_dropped_pool_takes_the_next(
    server, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=1, environ={})
    pool = connections._pool
    real = pool.urlopen

    def urlopen(*args: object, **options: object) -> urllib3.BaseHTTPResponse:
        # as another thread does it between the choice of a pool and its use
        connections.drop_idle()
        return real(*args, **options)

    monkeypatch.setattr(pool, "urlopen", urlopen)
    assert get(connections) == 307
    assert connections._pool is not pool
    assert len(requests(server)) == 1


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


def test_open_connection_is_used_without_urllib3(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.RequestHandlerClass = type("Handler", (_Keeping,), {"requests": []})
    host = f"127.0.0.1:{server.server_port}"
    connections = open_connections(Access(f"http://{host}/c"), size=4, environ={})
    connections.request(Request("GET", "/x", {}), SECONDS)
    monkeypatch.setattr(connections._pool, "urlopen", Mock(side_effect=AssertionError))
    answer = connections.request(Request("GET", "/x", {"Accept": "*/*"}), SECONDS)
    connections.close()
    assert (answer.status, answer.data, answer.headers["content-length"]) == (200, b"", "0")
    first, second = requests(server)
    assert first == second


@cases(
    "unquoted",
    {
        "path": Request("GET", "/a b", {}),
        "letters": Request("GET", "/größe", {}),
    },
)
def test_path_that_is_not_quoted_is_left_to_urllib3(server, unquoted: Request) -> None:
    server.RequestHandlerClass = type("Handler", (_Keeping,), {"requests": []})
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=1, environ={})
    for _ in range(2):
        assert connections.request(unquoted, SECONDS).status == 200
    connections.close()


def test_connection_that_fails_is_not_used_again(server) -> None:
    class Ending(_Keeping):
        """Answers every other request over a connection."""

        def do_GET(self) -> None:
            super().do_GET()
            self.rfile.readline()
            self.close_connection = True

    server.RequestHandlerClass = type("Handler", (Ending,), {"requests": []})
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=1, environ={})
    request = Request("GET", "/", {})
    connections.request(request, SECONDS)
    with pytest.raises(urllib3.exceptions.ProtocolError, match="without a whole answer"):
        connections.request(request, SECONDS)
    assert connections.request(request, SECONDS).status == 200
    connections.close()


def test_server_that_is_silent_is_waited_for_so_long(server) -> None:
    class Silent(_Keeping):
        """Says nothing to the second request over a connection."""

        def do_GET(self) -> None:
            super().do_GET()
            self.rfile.read()

    server.RequestHandlerClass = type("Handler", (Silent,), {"requests": []})
    access = Access(f"http://127.0.0.1:{server.server_port}")
    connections = open_connections(access, size=1, environ={})
    connections.request(Request("GET", "/", {}), SECONDS)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError, match="silent for 0"):
        connections.request(Request("GET", "/", {}), 0.05)
    connections.close()


def test_proxy_that_does_not_tunnel_is_told_the_server_each_time(server) -> None:
    server.RequestHandlerClass = type("Handler", (_Server,), {"requests": []})
    environ = {"HTTP_PROXY": f"http://user:secret@127.0.0.1:{server.server_port}"}
    connections = open_connections(Access("http://api.example:8080"), size=1, environ=environ)
    for _ in range(2):
        connections.request(Request("GET", "/x", {}), SECONDS)
    connections.close()
    assert requests(server) == 2 * [("GET", "http://api.example:8080/x", "api.example:8080")]
