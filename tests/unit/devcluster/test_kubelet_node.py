"""The Node object and its Lease."""

from datetime import datetime
from unittest.mock import create_autospec

import pytest

from api.nodefit import NodeView
from api.objects import JSON
from api.resources import LEASES, NODES
from devcluster.kubelet.node import LEASE_NAMESPACE, NodeAgent, node_labels, node_status
from kube.client import Client
from kube.errors import AlreadyExists, Forbidden, NotFound
from tests.support.tables import cases

NOW = 1_000_000.5


@pytest.fixture
def api() -> Client:
    made: Client = create_autospec(Client, instance=True, spec_set=True)
    return made


def agent(api: Client) -> NodeAgent:
    return NodeAgent(api, "node-1", "v1.30.14", "10.0.0.1", lambda: NOW)


def test_the_scheduler_takes_the_node_for_ready() -> None:
    status = node_status("node-1", "v1.30.14", "10.0.0.1", NOW)
    raw = {"metadata": {"name": "node-1", "labels": node_labels("node-1")}, "status": status}
    view = NodeView.parse(raw)
    assert view.taints == ()
    assert view.labels["kubernetes.io/hostname"] == "node-1"


def test_what_kubectl_shows() -> None:
    status = node_status("node-1", "v1.30.14", "10.0.0.1", NOW)
    assert status["nodeInfo"]["kubeletVersion"] == "v1.30.14"
    assert {a["type"]: a["address"] for a in status["addresses"]} == {
        "InternalIP": "10.0.0.1",
        "Hostname": "node-1",
    }
    assert status["allocatable"] == status["capacity"]
    assert int(status["capacity"]["cpu"]) > 0
    assert status["capacity"]["memory"].endswith("Ki")


def test_a_new_node_is_created_and_then_ready(api: Client) -> None:
    agent(api).register()
    ((resource, body), _) = api.create.call_args  # type: ignore[attr-defined]
    assert (resource, body["metadata"]["name"]) == (NODES, "node-1")
    ((resource, name, patch), options) = api.patch.call_args  # type: ignore[attr-defined]
    assert (resource, name, options) == (NODES, "node-1", {"subresource": "status"})
    assert patch == {"status": body["status"]}


def test_a_node_that_exists_keeps_what_others_wrote(api: Client) -> None:
    api.create.side_effect = AlreadyExists(409, "AlreadyExists")  # type: ignore[attr-defined]
    agent(api).register()
    first, second = api.patch.call_args_list  # type: ignore[attr-defined]
    assert first.args[2] == {"metadata": {"labels": node_labels("node-1")}}
    assert set(second.args[2]) == {"status"}


@cases(
    ("found", "registered"),
    {
        "deleted": (NotFound(404, "NotFound"), True),
        "not ready": ({"status": {"conditions": []}}, True),
        "given up": ({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, True),
        "fine": ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, False),
    },
)
def test_a_node_that_is_not_there_or_not_ready_is_registered_again(
    api: Client, found: JSON | NotFound, registered: bool
) -> None:
    api.get.side_effect = [found]  # type: ignore[attr-defined]
    agent(api).confirm()
    assert api.create.call_count == int(registered)  # type: ignore[attr-defined]


def test_an_error_of_registration_is_for_the_caller(api: Client) -> None:
    api.create.side_effect = Forbidden(403, "Forbidden")  # type: ignore[attr-defined]
    with pytest.raises(Forbidden):
        agent(api).register()


def test_a_lease_is_renewed(api: Client) -> None:
    agent(api).renew()
    ((resource, name, patch), options) = api.patch.call_args  # type: ignore[attr-defined]
    assert (resource, name, options) == (LEASES, "node-1", {"namespace": LEASE_NAMESPACE})
    renewed = datetime.fromisoformat(patch["spec"]["renewTime"])
    assert renewed.timestamp() == NOW
    assert patch["spec"]["renewTime"] == "1970-01-12T13:46:40.500000Z"
    api.create.assert_not_called()  # type: ignore[attr-defined]


def test_a_lease_is_made_when_there_is_none(api: Client) -> None:
    api.patch.side_effect = NotFound(404, "NotFound")  # type: ignore[attr-defined]
    agent(api).renew()
    ((resource, body, namespace), _) = api.create.call_args  # type: ignore[attr-defined]
    assert (resource, namespace) == (LEASES, LEASE_NAMESPACE)
    assert body["spec"]["holderIdentity"] == "node-1"
    assert body["spec"]["leaseDurationSeconds"] == 40
