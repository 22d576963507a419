import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import Mock, create_autospec

import pytest
import urllib3
from urllib3 import exceptions as http

from api.resources import PODS
from kube import calls, errors
from kube.access import Access
from kube.calls import Call, Scope
from kube.connections import Connections, open_connections
from kube.deadlines import Deadline, limited
from kube.transport import Transport
from tests.support.tables import cases

HOST = "https://api.example:6443"
GET = calls.get_object(PODS, "b", "a")
WATCH = calls.watch_objects(PODS, Scope(), "1", 300)


def answer(body: bytes, status: int = 200, **headers: str) -> urllib3.HTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib3.HTTPResponse(io.BytesIO(body), named, status, preload_content=False)


@pytest.fixture
def authorization():
    return Mock(return_value="Bearer t0k")


@pytest.fixture
def api():
    mock = create_autospec(Connections, instance=True, spec_set=True)
    mock.request.return_value = mock.stream.return_value = answer(b"{}")
    return mock


@pytest.fixture
def seen() -> list[tuple]:
    return []


@pytest.fixture
def transport(api, authorization, clock, seen) -> Transport:
    return Transport(
        Access(HOST, authorization),
        api,
        user_agent="test/1",
        observer=lambda *each: seen.append(each),
        read_seconds=30.0,
        clock=clock,
    )


class TestRequest:
    def test_has_method_path_credentials_and_timeout(self, transport, api) -> None:
        transport.send(calls.list_objects(PODS, Scope("a", label_selector="x=y,z")))
        request, seconds = api.request.call_args.args
        assert request.method == "GET"
        assert request.path == "/api/v1/namespaces/a/pods?labelSelector=x%3Dy%2Cz"
        assert request.headers["Authorization"] == "Bearer t0k"
        assert request.headers["User-Agent"] == "test/1"
        assert request.headers["Accept"].startswith("application/json")
        assert request.body is None
        assert seconds == 30.0

    @cases(
        ("left", "seconds"),
        {
            "far": (100.0, 30.0),
            "1.28": (44.0, 22.0),
            "1.27": (9.0, 4.5),
            "near": (1.0, 1.0),
            "over": (-1.0, 1.0),
        },
    )
    def test_waits_for_half_of_the_time_that_there_is(
        self, transport, api, clock, left: float, seconds: float
    ) -> None:
        with limited(Deadline(clock() + left, lambda: True)):
            transport.send(GET)
        assert api.request.call_args.args[1] == seconds

    def test_without_credentials_has_no_header_for_them(
        self, transport, api, authorization
    ) -> None:
        authorization.return_value = ""
        transport.send(GET)
        assert "Authorization" not in api.request.call_args.args[0].headers

    def test_has_the_credentials_of_its_time(self, transport, api, authorization) -> None:
        for token in ("Bearer old", "Bearer new"):
            authorization.return_value = token
            transport.send(GET)
            assert api.request.call_args.args[0].headers["Authorization"] == token

    def test_json_has_no_white_space(self, transport, api) -> None:
        transport.send(calls.patch_object(PODS, "b", {"a": [1, {"b": "c d"}], "e": 2}, "a", None))
        assert api.request.call_args.args[0].body == b'{"a":[1,{"b":"c d"}],"e":2}'

    def test_a_text_is_sent_as_it_is(self, transport, api) -> None:
        call = calls.update_object(PODS, {"metadata": {"name": "b", "namespace": "a"}}, "status")
        transport.send(replace(call, text='{ "é":1}'))
        assert api.request.call_args.args[0].body == '{ "é":1}'.encode()

    def test_asks_for_another_form_of_the_answer(self, transport, api) -> None:
        api.request.return_value = answer(b"k8s\x00\xff")
        assert transport.raw(replace(GET, accept="application/x")) == b"k8s\x00\xff"
        assert api.request.call_args.args[0].headers["Accept"] == "application/x"

    def test_quoted_path_is_not_quoted_again(self, transport, api) -> None:
        transport.send(calls.get_object(PODS, "b c", "a"))
        assert api.request.call_args.args[0].path.endswith("/pods/b%20c")

    def test_watch_may_be_silent_for_some_time(self, transport, api) -> None:
        with transport.stream(WATCH, silent_seconds=130):
            assert api.stream.call_args.args[1] == 130


class TestAnswer:
    def test_is_decoded(self, transport, api) -> None:
        api.request.return_value = answer(b'{"kind": "Pod"}')
        assert transport.send(GET) == {"kind": "Pod"}

    def test_may_be_text(self, transport, api) -> None:
        api.request.return_value = answer("größe\n".encode() + b"\xff")
        assert transport.text(calls.pod_log("a", "b", "c")) == "größe\n\ufffd"

    def test_streams_events(self, transport, api) -> None:
        lines = [{"type": "ADDED", "object": {"n": n}} for n in range(3)]
        api.stream.return_value = answer(b"\n".join(json.dumps(x).encode() for x in lines) + b"\n")
        with transport.stream(WATCH, silent_seconds=130) as stream:
            assert [event.object["n"] for event in stream] == [0, 1, 2]

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
    def test_that_is_no_object_is_broken(self, transport, api, body: bytes) -> None:
        api.request.return_value = answer(body)
        with pytest.raises(errors.BrokenAnswer, match="get pods a/b"):
            transport.send(GET)


class TestRefusal:
    def test_is_raised_with_what_the_status_says(self, transport, api) -> None:
        status = {"reason": "Expired", "message": "too old", "details": {"kind": "pods"}}
        api.request.return_value = answer(json.dumps(status).encode(), 410)
        with pytest.raises(errors.Gone, match="get pods a/b: 410 Expired: too old") as caught:
            transport.send(GET)
        assert caught.value.details == {"kind": "pods"}

    @pytest.mark.parametrize("send", ["send", "text", "raw"])
    def test_of_a_text_request_too(self, transport, api, send: str) -> None:
        api.request.return_value = answer(b"{}", 404)
        with pytest.raises(errors.NotFound):
            getattr(transport, send)(GET)

    def test_of_a_watch_is_raised_before_there_is_a_stream(self, transport, api) -> None:
        api.stream.return_value = answer(b'{"reason": "Expired"}', 410)
        with pytest.raises(errors.Gone, match="watch pods"):
            transport.stream(WATCH, silent_seconds=130)

    def test_by_a_proxy_shows_its_text(self, transport, api) -> None:
        api.request.return_value = answer(b"no upstream\n", 503)
        with pytest.raises(errors.ServerError) as caught:
            transport.send(GET)
        assert caught.value.message == "no upstream"

    @cases(
        ("header", "expected"),
        {
            "seconds": ("7", 7.0),
            "now": ("0", 0.0),
            "date-is-ignored": ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            "nonsense-is-ignored": ("-1", None),
        },
    )
    def test_may_say_when_to_come_again(self, transport, api, header, expected) -> None:
        api.request.return_value = answer(b"{}", 429, Retry_After=header)
        with pytest.raises(errors.TooManyRequests) as caught:
            transport.send(GET)
        assert caught.value.retry_after == expected


POOL = create_autospec(urllib3.HTTPSConnectionPool, instance=True)
FAILURES = [
    pytest.param(http.NewConnectionError(POOL, "refused"), errors.ConnectFailed, id="refused"),
    pytest.param(http.ConnectTimeoutError(POOL, "slow"), errors.ConnectFailed, id="connect-slow"),
    pytest.param(http.NameResolutionError("h", POOL, OSError()), errors.ConnectFailed, id="dns"),
    pytest.param(http.ProxyError("proxy", OSError()), errors.ConnectFailed, id="proxy"),
    pytest.param(http.ReadTimeoutError(POOL, "/", "slow"), errors.ReadTimeout, id="read-slow"),
    pytest.param(http.SSLError("bad certificate"), errors.TlsFailed, id="tls"),
    pytest.param(http.ProtocolError("reset"), errors.BrokenAnswer, id="reset"),
    pytest.param(http.IncompleteRead(3, 5), errors.BrokenAnswer, id="incomplete"),
    pytest.param(http.DecodeError("gzip"), errors.BrokenAnswer, id="decode"),
    pytest.param(http.LocationValueError("no host"), errors.ConfigError, id="bad-url"),
]


class TestFailure:
    @pytest.mark.parametrize(("failure", "expected"), FAILURES)
    def test_of_the_connection_is_one_of_ours(self, transport, api, failure, expected) -> None:
        api.request.side_effect = failure
        with pytest.raises(expected, match="get pods a/b") as caught:
            transport.send(GET)
        assert caught.value.__cause__ is failure
        assert HOST in str(caught.value)

    @pytest.mark.parametrize(("failure", "expected"), FAILURES)
    def test_in_the_middle_of_a_watch_is_one_of_ours(
        self, transport, api, failure, expected, monkeypatch
    ) -> None:
        reply = answer(b"")
        api.stream.return_value = reply

        def fail(size: int) -> bytes:
            raise failure

        monkeypatch.setattr(reply, "read1", fail)
        with transport.stream(WATCH, silent_seconds=130) as stream, pytest.raises(expected):
            next(stream)

    @cases(
        ("failure", "dropped"),
        {
            "silent": (http.ReadTimeoutError(None, None, "x"), 1),
            "reset": (http.ProtocolError("reset"), 0),
        },
    )
    def test_of_a_silent_connection_puts_the_others_under_suspicion(
        self, transport, api, failure, dropped: int
    ) -> None:
        api.request.side_effect = failure
        with pytest.raises(errors.TransportError):
            transport.send(GET)
        assert api.drop_idle.call_count == dropped

    def test_of_the_credentials_names_the_call(self, transport, api, authorization) -> None:
        authorization.side_effect = errors.ConfigError("the credentials cannot be read")
        with pytest.raises(errors.ConfigError, match="get pods a/b: the credentials cannot"):
            transport.send(GET)
        api.request.assert_not_called()


class TestObserver:
    def test_hears_verb_resource_code_and_time(self, transport, api, seen, clock) -> None:
        def slow(*args: object, **timeouts: object) -> urllib3.HTTPResponse:
            clock.advance(1.5)
            return answer(b"{}", 404)

        api.request.side_effect = slow
        with pytest.raises(errors.NotFound):
            transport.send(GET)
        assert seen == [("get", "pods", 404, 1.5)]

    def test_hears_of_a_request_without_an_answer(self, transport, api, seen) -> None:
        api.request.side_effect = http.NewConnectionError(POOL, "refused")
        with pytest.raises(errors.ConnectFailed):
            transport.send(GET)
        assert seen == [("get", "pods", 0, 0.0)]

    def test_hears_of_a_watch_when_it_begins(self, transport, seen) -> None:
        with transport.stream(WATCH, silent_seconds=130):
            assert seen == [("watch", "pods", 200, 0.0)]


class _Server(BaseHTTPRequestHandler):
    """Sends one event and then nothing until the test ends."""

    protocol_version = "HTTP/1.1"
    over: threading.Event

    def do_GET(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        line = b'{"type": "ADDED", "object": {}}\n'
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.over.wait()

    def do_PATCH(self) -> None:
        size = int(self.headers["Content-Length"])
        sent = {"type": self.headers["Content-Type"], "body": json.loads(self.rfile.read(size))}
        body = json.dumps(sent).encode()
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def direct(host: str) -> Transport:
    access = Access(host)
    return Transport(access, open_connections(access, size=1, environ={}), user_agent="test")


@pytest.fixture
def connected() -> Iterator[Transport]:
    """A transport with real connections to a server on the loopback interface."""
    handler = type("Handler", (_Server,), {"over": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        made = direct(f"http://127.0.0.1:{server.server_port}")
        yield made
        made.close()
        handler.over.set()
        server.shutdown()
        thread.join()


def test_close_ends_a_read_that_blocks_in_the_socket(connected: Transport) -> None:
    found, first = [], threading.Event()

    def follow() -> None:
        with stream:
            for event in stream:
                found.append(event.type)
                first.set()

    stream = connected.stream(WATCH, silent_seconds=130)
    thread = threading.Thread(target=follow)
    thread.start()
    first.wait()
    stream.close()
    thread.join()
    assert found == ["ADDED"]


@cases(
    ("patch", "content_type"),
    {
        "merge": ({"a": None}, "application/merge-patch+json"),
        "json": ([{"op": "remove"}], "application/json-patch+json"),
    },
)
def test_kind_of_patch_reaches_the_server(connected: Transport, patch, content_type) -> None:
    call: Call = calls.patch_object(PODS, "b", patch, "a", None)
    assert connected.send(call) == {"type": content_type, "body": patch}


def test_nobody_listens() -> None:
    with pytest.raises(errors.ConnectFailed, match="is it up"):
        direct("http://127.0.0.1:1").send(GET)
