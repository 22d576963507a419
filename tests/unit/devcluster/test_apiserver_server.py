from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.objects import JSON
from api.resources import DRA_V1ALPHA2, NAMESPACES, PODS
from devcluster.apiserver.server import NAMESPACES as BUILT_IN
from devcluster.apiserver.server import ApiServer
from kube.client import Client
from kube.errors import Conflict, Gone
from kube.watch import WatchStream
from tests.support.apiserverrig import pod_body
from tests.support.apiserverweb import Logs, client_of, serving


@pytest.fixture
def server() -> ApiServer:
    logs = Logs()
    return ApiServer(logs=logs, commands=logs)


@pytest.fixture
def client(server: ApiServer, tmp_path: Path) -> Iterator[Client]:
    with serving(server) as url:
        client = client_of(url, tmp_path)
        yield client
        client.close()


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


def test_errors_reach_the_client_as_what_they_are(server: ApiServer, client: Client) -> None:
    pod = client.create(PODS, pod_body("p"), "default")
    client.patch(PODS, "p", {"metadata": {"labels": {"a": "1"}}}, namespace="default")
    with pytest.raises(Conflict):
        client.update(PODS, pod)
    server._storage.compact()
    with pytest.raises(Gone), client.watch(PODS, resource_version="1", timeout_seconds=5) as stream:
        next(stream)


def test_a_namespace_goes_with_its_contents(client: Client) -> None:
    client.create(NAMESPACES, {"metadata": {"name": "n"}})
    claim = {"metadata": {"name": "c"}, "spec": {"resourceClassName": "k"}}
    client.create(DRA_V1ALPHA2.claims, claim, "n")
    begin = client.list(NAMESPACES).resource_version
    with client.watch(NAMESPACES, resource_version=begin, timeout_seconds=20) as stream:
        client.delete(NAMESPACES, "n")
        wait_for(stream, lambda kind, obj: kind == "DELETED" and obj["metadata"]["name"] == "n")
    assert client.list(DRA_V1ALPHA2.claims).items == []


def test_stopping_the_server_ends_its_watches(server: ApiServer, client: Client) -> None:
    begin = client.list(PODS).resource_version
    with client.watch(PODS, resource_version=begin, timeout_seconds=60) as stream:
        client.create(PODS, pod_body("p"), "default")
        assert next(stream).type == "ADDED"
        server.stop()
        assert list(stream) == []
