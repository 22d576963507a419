import threading
from unittest.mock import create_autospec

import pytest

from api.resources import NODES, PODS
from kube import calls, errors
from kube.calls import Call
from kube.client import Client, ListPage
from kube.deadlines import Deadline, limited
from kube.errors import ConnectFailed, KubeError
from kube.ratelimit import TokenBucket
from kube.transport import Transport
from kube.watch import WatchStream

POD = {"metadata": {"name": "b", "namespace": "a", "resourceVersion": "7"}}
GET = "get"


@pytest.fixture
def transport():
    mock = create_autospec(Transport, instance=True, spec_set=True)
    mock.send.return_value = {"kind": "Pod"}
    return mock


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(transport, clock, slept) -> Client:
    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds)

    limiter = TokenBucket(0, 0)
    return Client(transport, limiter=limiter, clock=clock, sleep=sleep, rand=lambda: 1.0)


def refusal(status: int, retry_after: float | None = None, reason: str = "") -> KubeError:
    return errors.api_error(status, {"reason": reason}, call="x", retry_after=retry_after)


def sent(transport) -> list[Call]:
    return [each.args[0] for each in transport.send.call_args_list]


ONE_CALL = [
    pytest.param(lambda c: c.get(PODS, "b", "a"), calls.get_object(PODS, "b", "a"), id="get"),
    pytest.param(lambda c: c.create(PODS, POD), calls.create_object(PODS, POD, None), id="create"),
    pytest.param(
        lambda c: c.create(PODS, POD, "z"), calls.create_object(PODS, POD, "z"), id="create-in"
    ),
    pytest.param(
        lambda c: c.update(PODS, POD, subresource="status"),
        calls.update_object(PODS, POD, "status"),
        id="update",
    ),
    pytest.param(
        lambda c: c.patch(PODS, "b", {"x": 1}, namespace="a", subresource="status"),
        calls.patch_object(PODS, "b", {"x": 1}, "a", "status"),
        id="patch",
    ),
    pytest.param(lambda c: c.server_version(), calls.get_path("/version"), id="version"),
]


@pytest.mark.parametrize(("method", "call"), ONE_CALL)
def test_method_sends_its_call_and_returns_the_answer(client, transport, method, call) -> None:
    assert method(client) == {"kind": "Pod"}
    assert sent(transport) == [call]


def test_delete_returns_nothing(client, transport) -> None:
    assert client.delete(PODS, "b", "a", uid="u", grace_seconds=0) is None
    assert sent(transport) == [calls.delete_object(PODS, "b", "a", "u", 0)]


def test_an_object_is_asked_for_in_protobuf_or_else_in_json(client, transport) -> None:
    transport.raw.return_value = b"k8s\x00"
    assert client.get_protobuf(PODS, "b", "a") == b"k8s\x00"
    (call,) = transport.raw.call_args.args
    assert call.path == "/api/v1/namespaces/a/pods/b"
    assert call.accept == "application/vnd.kubernetes.protobuf, application/json"


def test_an_object_can_be_replaced_by_a_text(client, transport) -> None:
    transport.send.return_value = {"kind": "Pod"}
    body = {"metadata": {"name": "b", "namespace": "a"}}
    assert client.update_verbatim(PODS, body, "{ }", subresource="status") == {"kind": "Pod"}
    (call,) = transport.send.call_args.args
    assert (call.method, call.path) == ("PUT", "/api/v1/namespaces/a/pods/b/status")
    assert (call.text, call.repeatable) == ("{ }", True)


def test_log_is_text_of_one_container(client, transport) -> None:
    transport.text.return_value = "FAKE_DEVICE_0=x\n"
    assert client.log("a", "b", "c") == "FAKE_DEVICE_0=x\n"
    (call,) = (each.args[0] for each in transport.text.call_args_list)
    assert call.path == "/api/v1/namespaces/a/pods/b/log"
    assert call.query == {"container": "c"}


def test_log_is_retried_like_any_reading(client, transport) -> None:
    transport.text.side_effect = [refusal(500), "text"]
    assert client.log("a", "b", "c") == "text"


def test_versions_of_a_group(client, transport) -> None:
    transport.send.return_value = {"versions": [{"version": "v1alpha2"}, {"version": "v1alpha1"}]}
    assert client.versions("resource.k8s.io") == ["v1alpha2", "v1alpha1"]
    assert sent(transport)[0].path == "/apis/resource.k8s.io"


def test_versions_of_an_unknown_group(client, transport) -> None:
    transport.send.side_effect = refusal(404)
    assert client.versions("nobody.example") == []


def test_a_dry_run_stores_nothing(client, transport) -> None:
    client.create(PODS, POD, dry_run=True)
    assert sent(transport)[0].query == {"dryRun": "All"}


def test_watch_is_streamed_and_not_retried(client, transport) -> None:
    stream = create_autospec(WatchStream, instance=True)
    transport.stream.side_effect = [stream, ConnectFailed("refused")]
    assert client.watch(PODS, resource_version="5", timeout_seconds=300) is stream
    (call,), options = transport.stream.call_args
    assert (call.verb, call.query["resourceVersion"]) == ("watch", "5")
    assert options == {"silent_seconds": 130}
    with pytest.raises(ConnectFailed):
        client.watch(PODS, resource_version="5", timeout_seconds=300)
    assert transport.stream.call_count == 2


def test_current_version_is_that_of_a_list_of_one_without_a_version(client, transport) -> None:
    transport.send.return_value = {"metadata": {"resourceVersion": "77"}, "items": [POD]}
    found = client.current_version(PODS, namespace="a", field_selector="metadata.name=b")
    assert found == 77
    (call,) = sent(transport)
    assert (call.verb, call.path) == ("list", "/api/v1/namespaces/a/pods")
    assert call.query == {"fieldSelector": "metadata.name=b", "limit": "1"}


def test_current_version_is_not_retried(client, transport, slept) -> None:
    transport.send.side_effect = ConnectFailed("refused")
    with pytest.raises(ConnectFailed):
        client.current_version(PODS)
    assert (transport.send.call_count, slept) == (1, [])


def test_close(client, transport) -> None:
    client.close()
    transport.close.assert_called_once_with()


class TestList:
    def page(self, *names: str, token: str = "", version: str = "9") -> dict:
        items = [{"metadata": {"name": name}} for name in names]
        return {"metadata": {"resourceVersion": version, "continue": token}, "items": items}

    def test_joins_pages_and_fills_in_what_items_lack(self, client, transport) -> None:
        transport.send.side_effect = [self.page("a", "b", token="t"), self.page("c")]
        found = client.list(NODES, label_selector="x=y")
        typed = {"apiVersion": "v1", "kind": "Node"}
        items = [{"metadata": {"name": name}, **typed} for name in "abc"]
        assert found == ListPage(items, "9")
        assert [call.query for call in sent(transport)] == [
            {"labelSelector": "x=y", "limit": "500"},
            {"labelSelector": "x=y", "limit": "500", "continue": "t"},
        ]

    def test_makes_less_of_each_page_before_it_asks_for_the_next(self, client, transport) -> None:
        pages = iter([self.page("a", "b", token="t"), self.page("c")])
        made: list[str] = []
        asked: list[list[str]] = []

        def send(_call: object) -> dict:
            asked.append([*made])
            return next(pages)

        def small(item: dict) -> dict:
            made.append(item["metadata"]["name"])
            return {"metadata": {"name": made[-1].upper()}}

        transport.send.side_effect = send
        found = client.list(NODES, transform=small)
        assert [item["metadata"]["name"] for item in found.items] == ["A", "B", "C"]
        assert asked == [[], ["a", "b"]]

    def test_says_of_what_version_an_object_is_to_who_makes_less_of_it(
        self, client, transport
    ) -> None:
        transport.send.return_value = self.page("a")
        seen: list[dict] = []
        client.list(NODES, transform=lambda item: seen.append(dict(item)) or item)
        typed = {"apiVersion": "v1", "kind": "Node"}
        assert seen == [{"metadata": {"name": "a"}, **typed}]

    def test_may_be_empty(self, client, transport) -> None:
        transport.send.return_value = {"metadata": {"resourceVersion": "9"}, "items": None}
        assert client.list(NODES) == ListPage([], "9")

    def test_starts_anew_in_one_piece_when_its_token_expires(self, client, transport) -> None:
        transport.send.side_effect = [
            self.page("a", token="t"),
            refusal(410),
            self.page("a", "b", version="12"),
        ]
        found = client.list(NODES)
        assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
        assert found.resource_version == "12"
        assert "limit" not in sent(transport)[-1].query

    def test_fails_if_that_fails(self, client, transport) -> None:
        transport.send.side_effect = [refusal(410), refusal(410)]
        with pytest.raises(errors.Gone):
            client.list(NODES)


READ = pytest.param(lambda c: c.get(PODS, "b", "a"), id="get")
PUT = pytest.param(lambda c: c.update(PODS, POD), id="update")
DELETE = pytest.param(lambda c: c.delete(PODS, "b", "a"), id="delete")
POST = pytest.param(lambda c: c.create(PODS, POD), id="create")
PATCH = pytest.param(lambda c: c.patch(PODS, "b", {"x": 1}, namespace="a"), id="free-patch")
LOST = [
    pytest.param(errors.ReadTimeout("slow"), id="read-timeout"),
    pytest.param(errors.BrokenAnswer("reset"), id="reset"),
    pytest.param(refusal(500), id="500"),
    pytest.param(refusal(503), id="503"),
]


class TestDeadline:
    def test_ends_retries(self, client, transport, clock, slept) -> None:
        transport.send.side_effect = ConnectFailed("refused")
        with limited(Deadline(clock() + 3.0, lambda: True)), pytest.raises(ConnectFailed):
            client.get(PODS, "b", "a")
        assert slept == [0.4, 0.8, 1.6]

    def test_that_is_far_does_not_prolong_them(self, client, transport, clock, slept) -> None:
        transport.send.side_effect = ConnectFailed("refused")
        with limited(Deadline(clock() + 60.0, lambda: True)), pytest.raises(ConnectFailed):
            client.get(PODS, "b", "a")
        assert sum(slept) <= 10.0
        assert slept[:3] == [0.4, 0.8, 1.6]

    def test_that_is_over_leaves_one_try(self, client, transport, clock, slept) -> None:
        transport.send.side_effect = ConnectFailed("refused")
        with limited(Deadline(clock() - 1.0, lambda: True)), pytest.raises(ConnectFailed):
            client.get(PODS, "b", "a")
        assert (transport.send.call_count, slept) == (1, [])


class TestRetry:
    @pytest.mark.parametrize("error", [ConnectFailed("refused"), refusal(429)], ids=["no", "429"])
    @pytest.mark.parametrize("method", [READ, PUT, DELETE, POST, PATCH])
    def test_of_what_the_server_did_not_do(self, client, transport, method, error) -> None:
        transport.send.side_effect = [error, error, {}]
        method(client)
        assert transport.send.call_count == 3

    @pytest.mark.parametrize("error", LOST)
    @pytest.mark.parametrize("method", [READ, PUT, DELETE])
    def test_of_what_may_be_done_twice(self, client, transport, method, error) -> None:
        transport.send.side_effect = [error, {}]
        method(client)
        assert transport.send.call_count == 2

    @pytest.mark.parametrize("error", LOST)
    @pytest.mark.parametrize("method", [POST, PATCH])
    def test_not_of_what_may_be_done_once(self, client, transport, method, error) -> None:
        transport.send.side_effect = [error, {}]
        with pytest.raises(type(error)):
            method(client)
        assert transport.send.call_count == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
    def test_not_of_a_refusal(self, client, transport, slept, status: int) -> None:
        transport.send.side_effect = refusal(status)
        with pytest.raises(errors.ApiError):
            client.get(PODS, "b", "a")
        assert transport.send.call_count == 1
        assert slept == []

    def test_pauses_grow_and_end_in_time(self, client, transport, slept, clock) -> None:
        started = clock()
        transport.send.side_effect = ConnectFailed("refused")
        with pytest.raises(ConnectFailed):
            client.get(PODS, "b", "a")
        assert slept == pytest.approx([0.4, 0.8, 1.6, 3.0, 3.0])
        assert clock() - started <= 10.0

    def test_jitter_halves_the_pause_at_most(self, transport, clock) -> None:
        slept: list[float] = []
        client = Client(
            transport, limiter=TokenBucket(0, 0), clock=clock, sleep=slept.append, rand=lambda: 0.0
        )
        transport.send.side_effect = [ConnectFailed("refused"), {}]
        client.get(PODS, "b", "a")
        assert slept == pytest.approx([0.2])

    def test_server_says_when(self, client, transport, slept) -> None:
        transport.send.side_effect = [refusal(429, retry_after=2.5), {}]
        client.get(PODS, "b", "a")
        assert slept == [2.5]

    def test_not_when_the_server_says_too_late(self, client, transport, slept) -> None:
        transport.send.side_effect = refusal(429, retry_after=60.0)
        with pytest.raises(errors.TooManyRequests):
            client.get(PODS, "b", "a")
        assert slept == []

    def test_not_while_the_program_stops(self, transport) -> None:
        stop = threading.Event()
        stop.set()
        client = Client(transport, limiter=TokenBucket(0, 0), stop=stop)
        transport.send.side_effect = ConnectFailed("refused")
        with pytest.raises(ConnectFailed):
            client.get(PODS, "b", "a")
        assert transport.send.call_count == 1


def test_every_request_takes_its_turn(transport, clock, slept) -> None:
    client = Client(
        transport, limiter=TokenBucket(1.0, 1, clock=clock), clock=clock, sleep=slept.append
    )
    for _ in range(2):
        client.get(PODS, "b", "a")
    client.watch(PODS, resource_version="5", timeout_seconds=300)
    assert slept == pytest.approx([1.0, 2.0])


def test_client_with_a_rate_of_its_own_holds_nobody_up(transport, clock, slept) -> None:
    limiter = TokenBucket(1.0, 1, clock=clock)
    client = Client(transport, limiter=limiter, clock=clock, sleep=slept.append)
    other = client.with_rate(2.0, 1)
    for _ in range(2):
        other.get(PODS, "b", "a")
    assert slept == [0.5]
    client.get(PODS, "b", "a")
    assert len(slept) == 1
    assert len(sent(transport)) == 3


def test_from_kubeconfig_reports_what_is_missing(tmp_path) -> None:
    with pytest.raises(errors.ConfigError, match="--kubeconfig"):
        Client.from_kubeconfig(str(tmp_path / "none"), qps=1, burst=1, user_agent="test")
