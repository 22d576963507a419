"""The client of the control plane asks the application of its own process, and is told the same."""

from typing import Any

import pytest

from api.resources import NAMESPACES
from devcluster.inprocess import InProcess
from kube.access import Access
from kube.client import Client
from kube.connections import Connections
from kube.errors import AlreadyExists, NotFound
from kube.exchange import Answer, Request
from kube.ratelimit import TokenBucket
from kube.transport import Transport
from testing.apiserver import MemoryApi
from testing.appconnections import AppConnections


class Network(Connections):
    """Counts what goes over it."""

    def __init__(self, over: AppConnections) -> None:
        self.asked: list[str] = []
        self.closed = False
        self._over = over

    def request(self, request: Request, seconds: float) -> Answer:
        self.asked.append(_asked(request))
        return self._over.request(request, seconds)

    def stream(self, request: Request, seconds: float) -> Any:
        self.asked.append(_asked(request))
        return self._over.stream(request, seconds)

    def close(self) -> None:
        self.closed = True


def _asked(request: Request) -> str:
    return f"{request.method} {request.path.partition('?')[0]}"


@pytest.fixture
def network() -> Network:
    return Network(AppConnections(MemoryApi().app))


@pytest.fixture
def client(network: Network) -> Client:
    app = network._over._app
    transport = Transport(Access("http://here"), InProcess(app, network), user_agent="test")
    return Client(transport, limiter=TokenBucket(0, 0), retry_seconds=0)


def test_calls_stay_in_the_process(client: Client, network: Network) -> None:
    made = client.create(
        NAMESPACES, {"metadata": {"name": "new", "annotations": {"a": "ä"}, "labels": {"a": "b"}}}
    )
    assert client.get(NAMESPACES, "new") == made
    found = client.list(NAMESPACES, label_selector="a in (c, b)").items
    assert [each["metadata"]["name"] for each in found] == ["new"]
    assert network.asked == []


def test_refusals_are_those_of_the_api_server(client: Client) -> None:
    with pytest.raises(NotFound):
        client.get(NAMESPACES, "none")
    with pytest.raises(AlreadyExists):
        client.create(NAMESPACES, {"metadata": {"name": "default"}})


def test_a_watch_goes_over_the_network_where_it_can_be_ended(
    client: Client, network: Network
) -> None:
    with client.watch(NAMESPACES, resource_version="", timeout_seconds=60) as events:
        assert next(events).type == "ADDED"
    assert network.asked == ["GET /api/v1/namespaces"]
    client.close()
    assert network.closed
