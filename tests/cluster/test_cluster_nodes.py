"""Nodes that somebody chose, stopped, started or deleted, and pods of nodes that do not exist."""

from collections.abc import Iterator

import pytest

from api.nas import NodeAllocationState
from api.resources import NAMESPACES, NODES, PODS
from devcluster.config import NodeConfig
from devcluster.controls import request_control
from kube.errors import NotFound
from testing.waiting import until
from tests.support.embedded import Embedded, embedded
from tests.support.fakedriver import short_directory
from tests.support.manifests import ClaimRequest, namespace
from tests.support.space import Space

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

SMALL, BIG = NodeConfig("small", 2), NodeConfig("big", 4, "GA102 (GeForce RTX 3090)")


@pytest.fixture(scope="module")
def pair() -> Iterator[Embedded]:
    """A cluster of two nodes with names, models and numbers of devices of their own."""
    with short_directory() as path, embedded(path, nodes=0, named=(SMALL, BIG)) as it:
        yield it


@pytest.fixture
def corner(pair: Embedded) -> Iterator[Space]:
    """A namespace on that cluster."""
    pair.client.create(NAMESPACES, namespace("corner"))
    made = Space(pair, "corner")
    yield made
    made.clear()
    pair.settled()
    until("the namespace is gone", lambda: is_gone(made, "corner"))


def is_gone(space: Space, name: str) -> bool:
    try:
        space.cluster.client.get(NAMESPACES, name)
    except NotFound:
        return True
    return False


def control(cluster: Embedded, action: str, node: str) -> str:
    return request_control(cluster.config.state_dir, action, node)


def offered(state: NodeAllocationState) -> tuple[str, int, set[str]]:
    return state.node, len(state.allocatable), {device.model for device in state.allocatable}


@pytest.mark.embedded
def test_nodes_have_the_names_models_and_numbers_of_devices_that_were_chosen(
    pair: Embedded,
) -> None:
    assert [offered(state) for state in pair.session.states()] == [
        ("big", 4, {"GA102 (GeForce RTX 3090)"}),
        ("small", 2, {"LATEST-FAKE-MODEL"}),
    ]


@pytest.mark.embedded
@pytest.mark.parametrize(("model", "node"), [("GA102*", "big"), ("LATEST-*", "small")])
def test_a_selector_of_a_model_finds_its_node(corner: Space, model: str, node: str) -> None:
    corner.apply(*corner.claim("chosen", ClaimRequest(model=model)), corner.pod("pod", "chosen"))
    corner.ready("pod")
    assert corner.node_with("chosen") == node


@pytest.mark.embedded
def test_a_plugin_that_was_stopped_stays_away_until_it_is_started(pair: Embedded) -> None:
    assert control(pair, "stop-plugin", "small") == "plugin of node small stopped"
    assert [state.node for state in pair.session.states() if state.ready] == ["big"]
    assert control(pair, "start-plugin", "small") == "plugin of node small starts"
    pair.session.nodes_ready(2)


@pytest.mark.embedded
def test_pods_of_a_node_that_was_stopped_run_again_with_their_devices(
    pair: Embedded, corner: Space
) -> None:
    def restarts() -> int:
        (status,) = corner.get("pod", "pod")["status"]["containerStatuses"]
        return int(status["restartCount"])

    corner.apply(*corner.claim("c"), corner.pod("pod", "c", nodeName="small"))
    corner.ready("pod")
    before = corner.devices("pod")
    assert control(pair, "stop-node", "small") == "node small stopped"
    assert pair.kubectl.run("logs", "-n", corner.name, "pod") == ""
    assert control(pair, "start-node", "small") == "node small starts"
    until("the container runs again", lambda: restarts() == 1)
    corner.ready("pod")
    assert corner.devices("pod") == before


@pytest.mark.embedded
def test_a_node_that_was_deleted_registers_again_with_its_devices(pair: Embedded) -> None:
    def uid() -> str:
        return str(pair.client.get(NODES, "small")["metadata"]["uid"])

    before = uid()
    pair.client.delete(NODES, "small")
    with pytest.raises(NotFound):
        uid()

    def registered() -> bool:
        try:
            return uid() != before
        except NotFound:
            return False

    until("another Node of that name", registered)
    until("devices of the node", lambda: len(pair.session.states()) == 2)
    pair.session.nodes_ready(2)


def test_a_pod_of_a_node_that_does_not_exist_goes_and_its_namespace(space: Space) -> None:
    space.apply(space.pod("lost", nodeName="nowhere"))
    assert [pod["spec"]["nodeName"] for pod in space.pods()] == ["nowhere"]
    other = f"{space.name}-2"
    space.cluster.client.create(NAMESPACES, namespace(other))
    space.cluster.client.create(PODS, Space(space.cluster, other).pod("lost", nodeName="nowhere"))
    space.cluster.client.delete(NAMESPACES, other)
    until("the pod is gone", lambda: not space.pods(), 120)
    until("the namespace is gone", lambda: is_gone(space, other), 120)
