import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from werkzeug.serving import WSGIRequestHandler, make_server

from api.objects import JSON
from devcluster.apiserver.server import NAMESPACES as BUILT_IN
from devcluster.apiserver.server import ApiServer
from devcluster.resources import CLAIMS, binding_of
from kube.client import Client
from kube.errors import Conflict, Gone, NotFound
from kube.resources import NAMESPACES, PODS
from kube.watch import WatchStream
from tests.support.apiserverrig import pod_body


class NoLogs:
    def read(
        self, pod: JSON, container: str, *, follow: bool, previous: bool, tail: int | None
    ) -> Iterator[bytes]:
        return iter(())


class Handler(WSGIRequestHandler):
    """Keeps connections, and its thoughts to itself."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(server: ApiServer, directory: Path) -> Iterator[Client]:
    """Serve over a socket, and return a client that knows where."""
    web = make_server("127.0.0.1", 0, server.app, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.start()
    config = directory / "kubeconfig"
    url = f"http://127.0.0.1:{web.server_port}"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    client = Client.from_kubeconfig(str(config), qps=0, burst=0, user_agent="test")
    try:
        yield client
    finally:
        client.close()
        server.stop()
        web.shutdown()
        thread.join(10)
        web.server_close()


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(logs=NoLogs())


@pytest.fixture
def client(server: ApiServer, tmp_path: Path) -> Iterator[Client]:
    with serving(server, tmp_path) as client:
        yield client


def wait_for(stream: WatchStream, wanted: Callable[[str, JSON], bool]) -> JSON:
    return next(event.object for event in stream if wanted(event.type, event.object))


def test_the_namespaces_of_every_cluster_are_there(client: Client) -> None:
    found = client.list(NAMESPACES).items
    assert tuple(each["metadata"]["name"] for each in found) == BUILT_IN


def test_a_watch_sees_each_write_at_once(client: Client) -> None:
    begin = client.list(PODS).resource_version
    with client.watch(PODS, resource_version=begin, timeout_seconds=20) as stream:
        for name in ("p", "q"):
            client.create(PODS, pod_body(name), "default")
            event = next(stream)
            assert (event.type, event.object["metadata"]["name"]) == ("ADDED", name)


def test_a_pod_is_bound_and_deleted_by_its_kubelet(client: Client) -> None:
    client.create(PODS, pod_body("p"), "default")
    target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    client.create(binding_of("p"), target, "default")
    client.delete(PODS, "p", "default")
    assert client.get(PODS, "p", "default")["metadata"]["deletionTimestamp"]
    client.delete(PODS, "p", "default", grace_seconds=0)
    with pytest.raises(NotFound):
        client.get(PODS, "p", "default")


def test_errors_reach_the_client_as_what_they_are(client: Client) -> None:
    pod = client.create(PODS, pod_body("p"), "default")
    client.patch(PODS, "p", {"metadata": {"labels": {"a": "1"}}}, namespace="default")
    with pytest.raises(Conflict):
        client.update(PODS, pod)
    with (
        pytest.raises(Gone),
        client.watch(PODS, resource_version="9999", timeout_seconds=5) as stream,
    ):
        next(stream)


def test_a_namespace_goes_with_its_contents(client: Client) -> None:
    client.create(NAMESPACES, {"metadata": {"name": "n"}})
    claim = {"metadata": {"name": "c"}, "spec": {"resourceClassName": "k"}}
    client.create(CLAIMS, claim, "n")
    begin = client.list(NAMESPACES).resource_version
    with client.watch(NAMESPACES, resource_version=begin, timeout_seconds=20) as stream:
        client.delete(NAMESPACES, "n")
        wait_for(stream, lambda kind, obj: kind == "DELETED" and obj["metadata"]["name"] == "n")
    assert client.list(CLAIMS).items == []


def test_stopping_the_server_ends_its_watches(server: ApiServer, client: Client) -> None:
    begin = client.list(PODS).resource_version
    with client.watch(PODS, resource_version=begin, timeout_seconds=60) as stream:
        client.create(PODS, pod_body("p"), "default")
        assert next(stream).type == "ADDED"
        server.stop()
        assert list(stream) == []
