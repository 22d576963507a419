"""A kubelet plugin writes the state of its own node and of no other, whatever RBAC lets it do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.names import STATUS_READY
from api.nas import status_patch
from api.objects import JSON
from api.resources import STATES
from demo.session import SYSTEM
from kube.errors import ApiError
from tests.support.anycluster import plugin_of
from tests.support.build import nas
from tests.support.choice import RELEASE
from tests.support.realcluster import RaisedCluster
from tests.support.serviceaccount import As, clients_of

ACCOUNT = f"{RELEASE}-kubeletplugin"
OTHER = "another-node"

pytestmark = [
    pytest.mark.raised,
    pytest.mark.since(30, "a token does not name the node of its pod"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def plugin(raised: RaisedCluster, tmp_path: Path) -> Iterator[As]:
    """Makes clients with tokens of the plugin's service account."""
    with clients_of(raised.kubectl, SYSTEM, ACCOUNT, tmp_path / "kubeconfig") as make:
        yield make


@pytest.fixture
def other(raised: RaisedCluster) -> Iterator[str]:
    """The state of a node that is not the plugin's."""
    raised.client.create(STATES, without_uid(nas(OTHER, 1, status="NotReady")))
    yield OTHER
    raised.client.delete(STATES, OTHER, SYSTEM)


def without_uid(obj: JSON) -> JSON:
    meta = {name: value for name, value in obj["metadata"].items() if name != "uid"}
    return {**obj, "metadata": meta}


def test_plugin_writes_the_state_of_its_own_node(raised: RaisedCluster, plugin: As) -> None:
    (node,) = raised.nodes
    client = plugin(raised.pod(plugin_of(node)))
    stored = client.patch(STATES, node, status_patch(STATUS_READY), namespace=SYSTEM)
    assert stored["metadata"]["name"] == node


def test_plugin_cannot_change_the_state_of_another_node(
    raised: RaisedCluster, plugin: As, other: str
) -> None:
    (node,) = raised.nodes
    client = plugin(raised.pod(plugin_of(node)))
    said = f"node {node} may not write the NodeAllocationState {other}"
    with pytest.raises(ApiError, match=said):
        client.patch(STATES, other, status_patch(STATUS_READY), namespace=SYSTEM)
    assert raised.client.get(STATES, other, SYSTEM)["status"] == "NotReady"


def test_plugin_cannot_make_the_state_of_another_node(raised: RaisedCluster, plugin: As) -> None:
    (node,) = raised.nodes
    client = plugin(raised.pod(plugin_of(node)))
    with pytest.raises(ApiError, match=f"may not write the NodeAllocationState {OTHER}"):
        client.create(STATES, without_uid(nas(OTHER, 1)))


def test_a_token_of_no_pod_writes_no_state(raised: RaisedCluster, plugin: As) -> None:
    (node,) = raised.nodes
    with pytest.raises(ApiError, match="the token names no node"):
        plugin().patch(STATES, node, status_patch(STATUS_READY), namespace=SYSTEM)
