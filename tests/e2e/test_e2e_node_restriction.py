"""A kubelet plugin writes the state of its own node and of no other, whatever RBAC lets it do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from api.names import STATUS_READY
from api.nas import status_patch
from api.objects import JSON
from api.resources import STATES
from demo.session import SYSTEM
from kube.client import Client
from kube.errors import ApiError
from tests.support.anycluster import plugin_of
from tests.support.build import nas
from tests.support.choice import RELEASE
from tests.support.realcluster import RaisedCluster

ACCOUNT = f"{RELEASE}-kubeletplugin"
OTHER = "another-node"

pytestmark = [
    pytest.mark.raised,
    pytest.mark.since(30, "a token does not name the node of its pod"),
    pytest.mark.timeout(120),
]

As = Callable[..., Client]


@pytest.fixture
def plugin(raised: RaisedCluster, tmp_path: Path) -> Iterator[As]:
    """Makes clients with tokens of the plugin's service account, for a pod if one is given."""
    with ExitStack() as stack:

        def make(pod: JSON | None = None) -> Client:
            bound = ["--bound-object-kind=Pod"] if pod else []
            if pod:
                meta = pod["metadata"]
                bound += [
                    f"--bound-object-name={meta['name']}",
                    f"--bound-object-uid={meta['uid']}",
                ]
            token = raised.kubectl.run("create", "token", ACCOUNT, "-n", SYSTEM, *bound).strip()
            path = tmp_path / "kubeconfig"
            path.write_text(yaml.safe_dump(with_token(raised.machine.kubeconfig, token)))
            client = Client.from_kubeconfig(str(path), qps=0, burst=1, user_agent="tests")
            stack.callback(client.close)
            return client

        yield make


def with_token(kubeconfig: Path, token: str) -> JSON:
    """Return a kubeconfig for the same cluster with other credentials."""
    found: JSON = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    return {**found, "users": [{**user, "user": {"token": token}} for user in found["users"]]}


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
