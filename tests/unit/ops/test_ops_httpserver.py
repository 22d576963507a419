import errno
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from ops.errors import ConfigError
from ops.health import HttpServer, Pages, create_pages
from tests.support.tables import cases


@pytest.fixture
def pages() -> Pages:
    return create_pages(live={}, ready={}, registry=CollectorRegistry())


@pytest.fixture
def server(pages: Pages) -> Iterator[HttpServer]:
    made = HttpServer("127.0.0.1:0", pages)
    made.start()
    yield made
    made.stop()


def ask(port: int, path: str = "/healthz", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_answers_on_the_port_that_it_chose(server: HttpServer) -> None:
    assert server.port > 0
    assert ask(server.port) == (200, "ok")
    assert ask(server.port, "/none")[0] == 404


def test_a_head_has_no_body(server: HttpServer) -> None:
    assert ask(server.port, method="HEAD") == (200, "")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(server: HttpServer, method: str) -> None:
    assert ask(server.port, method=method)[0] == 405


def test_after_stop_the_port_is_free(server: HttpServer, pages: Pages) -> None:
    port = server.port
    ask(port)
    server.stop()
    server.stop()
    assert "http" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        ask(port)
    again = HttpServer(f"127.0.0.1:{port}", pages)
    again.start()
    try:
        assert ask(port) == (200, "ok")
    finally:
        again.stop()


def test_without_a_host_it_listens_everywhere(pages: Pages) -> None:
    server = HttpServer(":0", pages)
    server.start()
    try:
        assert ask(server.port) == (200, "ok")
    finally:
        server.stop()


def test_before_start_it_has_the_configured_port_and_stop_does_nothing(pages: Pages) -> None:
    server = HttpServer("127.0.0.1:8080", pages)
    server.stop()
    assert server.port == 8080


def test_a_taken_address_names_the_remedy(pages: Pages) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigError) as caught:
            HttpServer(endpoint, pages).start()
    text = str(caught.value)
    assert text.startswith(
        f"--http-endpoint (env HTTP_ENDPOINT): cannot listen on '{endpoint}': Address already in"
    )
    assert text.endswith("; choose another port, or stop that program")


@cases(
    ("error", "remedy"),
    {
        "forbidden": (
            PermissionError(errno.EACCES, "Permission denied"),
            "choose a port above 1023",
        ),
        "foreign": (OSError(errno.EADDRNOTAVAIL, "Cannot assign"), "no interface of this machine"),
        "other": (OSError(errno.EMFILE, "Too many open files"), "choose another address"),
        "without-number": (OSError("odd"), "choose another address"),
    },
)
def test_an_address_that_cannot_be_had_names_the_remedy(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, error: OSError, remedy: str
) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise error

    monkeypatch.setattr("ops.health.socket.create_server", refuse)
    with pytest.raises(ConfigError, match=remedy) as caught:
        HttpServer("127.0.0.1:80", pages).start()
    assert caught.value.__cause__ is error


def test_an_unknown_host_is_an_error_with_a_remedy(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("ops.health.socket.getaddrinfo", unknown)
    with pytest.raises(ConfigError, match="Name or service not known; choose another address"):
        HttpServer("nowhere:80", pages).start()


def test_a_malformed_endpoint_is_told_at_once(pages: Pages) -> None:
    with pytest.raises(ConfigError, match="is no address to listen on"):
        HttpServer("8080", pages)


def test_requests_are_not_logged_but_broken_ones_are(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="health")
    ask(server.port)
    assert caplog.messages == []
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        while connection.recv(4096):
            pass
    assert caplog.messages == ["HTTP connection"]
