"""A node whose kubelet is silent is not ready any more."""

import pytest

from api.nodefit import is_ready
from api.objects import JSON
from api.resources import LEASES, NODES
from devcluster.kubelet.node import LEASE_NAMESPACE, node_status
from devcluster.nodelifecycle import GRACE_SECONDS, NodeLifecycle
from kube.errors import ConnectFailed
from kube.store import Store
from testing.apiserver import MemoryApi


def lease(renewed: str) -> JSON:
    return {
        "kind": "Lease",
        "metadata": {"name": "node-1", "namespace": LEASE_NAMESPACE},
        "spec": {"renewTime": renewed},
    }


class Rig:
    def __init__(self) -> None:
        self.api = MemoryApi()
        self.now = 1000.0
        self.nodes, self.leases = Store(), Store()
        status = node_status("node-1", "v1.30.14", "127.0.0.1", 0.0)
        meta = {"name": "node-1", "uid": "uid-1"}
        self.api.put(NODES, {"kind": "Node", "metadata": meta, "status": status})
        self.life = NodeLifecycle(self.api, self.nodes, self.leases, clock=lambda: self.now)

    def check(self, after: float = 0.0) -> bool:
        """Look once after some seconds; tell whether the node is ready then."""
        self.now += after
        self.nodes.replace(self.api.all(NODES), self.api.version())
        self.leases.replace(self.api.all(LEASES), self.api.version())
        self.life.check()
        return is_ready(self.api.find(NODES, "node-1"))

    def renew(self, at: str) -> None:
        self.api.put(LEASES, lease(at))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_node_stays_ready_as_long_as_its_lease_is_renewed(rig: Rig) -> None:
    for second in range(10):
        rig.renew(f"at {second}")
        assert rig.check(GRACE_SECONDS)
    assert rig.api.writes() == []


def test_a_silent_node_is_unknown_in_every_condition(rig: Rig) -> None:
    rig.renew("once")
    assert rig.check()
    assert rig.check(GRACE_SECONDS)
    assert not rig.check(1)
    conditions = rig.api.find(NODES, "node-1")["status"]["conditions"]
    assert [c["type"] for c in conditions] == [
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
        "Ready",
    ]
    assert {(c["status"], c["reason"], c["message"]) for c in conditions} == {
        ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    }
    assert rig.api.writes() == [("patch", "nodes/status")]
    rig.check(GRACE_SECONDS)
    assert rig.api.writes() == [("patch", "nodes/status")]


def test_a_node_without_a_lease_is_left_alone(rig: Rig) -> None:
    assert rig.check()
    assert rig.check(10 * GRACE_SECONDS)


def test_what_could_not_be_written_is_tried_again(rig: Rig) -> None:
    rig.renew("once")
    rig.check()
    rig.api.fault = lambda *_: ConnectFailed("no connection")
    rig.check(GRACE_SECONDS + 1)
    rig.api.fault = lambda *_: None
    assert not rig.check()
