"""What kubelets do, from the plugin's side, one test per case of the kubelet's own unit tests.

The numbers are those of the project's list of upstream cases. Where the kubelet decides alone, the
test shows that the plugin relies on nothing else.
Source: kubernetes pkg/kubelet/cm/dra/manager_test.go and plugin/*_test.go, v1.27 to v1.31.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import create_autospec

import grpc
import pytest
from prometheus_client import CollectorRegistry

from api.contract import FAKE
from api.resources import DRA_V1ALPHA2, NODES
from api.selectors import only_node
from dra.claims import ClaimRef
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.protocol.pluginregistration_pb2 import RegistrationStatus
from dra.kubelet.registration import Registration
from dra.kubelet.services import CLASSIC_SERVICES, supported_versions
from dra.kubelet.version import Kubelet
from dra.metrics import PluginMetrics
from kube.errors import ServerError
from testing.kubeletcalls import V1ALPHA2, V1ALPHA4
from tests.support.build import allocated, claim
from tests.support.pluginrig import NODE, PluginRig, node_object


class Node:
    """A plugin with both sockets, and a kubelet's connection to its plugin socket."""

    def __init__(self, root: Path) -> None:
        self.rig = PluginRig(root)
        self.serve()

    def serve(self) -> None:
        self._serving = self.rig.serving()
        self.calls = self._serving.__enter__()

    def restart(self) -> None:
        """Restart the plugin."""
        self.stop()
        self.rig.restart()
        self.serve()

    def stop(self) -> None:
        self._serving.__exit__(None, None, None)

    def upgrade(self) -> None:
        """Make the kubelet one of 1.31, after a restart of the plugin."""
        self.rig.api.put(NODES, node_object("v1.31.0"))
        self.restart()


@pytest.fixture
def node(short_path: Path) -> Iterator[Node]:
    made = Node(short_path)
    yield made
    made.stop()


@pytest.fixture
def registration() -> Registration:
    return Registration(
        FAKE.driver_name,
        Path("/plugin.sock"),
        create_autospec(Kubelet, instance=True, spec_set=True),
        PluginMetrics(CollectorRegistry()),
        services=CLASSIC_SERVICES,
        on_change=lambda: None,
    )


def dotted(version: str) -> tuple[int, ...]:
    """Parse as kubelets do (apimachinery ParseGeneric), which skip what is no such version."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)+", version) else ()


SUPPORTED_VERSIONS = supported_versions(CLASSIC_SERVICES)


def test_32_registration_with_no_versions_is_rejected_so_there_is_one() -> None:
    assert len(SUPPORTED_VERSIONS) > 0


def test_33_every_version_is_one_that_kubelets_can_read() -> None:
    assert all(dotted(version) for version in SUPPORTED_VERSIONS)


def test_34_refused_beside_a_registered_plugin_of_the_same_version(
    registration: Registration,
) -> None:
    refuse: Any = _status(error="already registered with an equal or higher version")
    registration.notify(refuse)
    assert registration.refused
    assert "no other plugin of this name" in str(registration.problem)


def test_35_legacy_version_1_0_0_is_offered() -> None:
    assert "1.0.0" in SUPPORTED_VERSIONS


def test_36_singles_are_served_for_kubelets_that_fall_back(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    assert node.calls.prepare(ref, by=V1ALPHA2) == node.calls.prepare(ref)


def test_37_batches_are_served_so_that_nobody_falls_back(node: Node) -> None:
    assert node.calls.prepare() == {}


def test_38_resources_are_not_listed(node: Node) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        node.calls.watch_resources()
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_39_claim_that_cannot_be_read_is_not_prepared(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    node.calls.prepare()
    node.rig.api.fault = lambda _verb, plural, _body: (
        ServerError(500, "InternalError", "etcd") if plural == DRA_V1ALPHA2.claims.plural else None
    )
    assert "etcd" in node.calls.prepare(ref)[ref.uid].error
    assert node.rig.saved() == {}


def test_40_kubelet_checks_the_reservation_and_the_plugin_does_not(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    assert "reservedFor" not in node.rig.api.find(DRA_V1ALPHA2.claims, "a", "default")["status"]
    assert not node.calls.prepare(ref)[ref.uid].error


def test_41_claim_that_no_container_uses_is_prepared_by_1_31(node: Node) -> None:
    used, unused = node.rig.allocate("used", 0), node.rig.allocate("unused", 1)
    node.upgrade()
    answers = node.calls.prepare(used, unused, by=V1ALPHA4)
    assert not any(answer.error for answer in answers.values())
    assert set(node.rig.saved()) == {used.uid, unused.uid}


def test_42_claim_of_a_second_pod_is_as_it_was(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    first = node.calls.prepare(ref)
    assert node.calls.prepare(ref) == first


def test_43_kubelet_that_restarted_gets_the_same_answer(node: Node) -> None:
    ref = node.rig.allocate("a", 0, split=3)
    first = node.calls.prepare(ref)
    node.restart()
    assert node.calls.prepare(ref) == first


def test_44_prepare_that_timed_out_succeeds_when_it_is_tried_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = node.rig.allocate("a", 0)
    timed_out, prepare = Event(), node.rig.state.prepare

    def slow(*wanted: Any) -> None:
        assert timed_out.wait(10)
        prepare(*wanted)

    monkeypatch.setattr(node.rig.state, "prepare", slow)
    request = batch.NodePrepareResourcesRequest(
        claims=[batch.Claim(namespace=ref.namespace, uid=ref.uid, name=ref.name)]
    )
    path = "/v1alpha3.Node/NodePrepareResources"
    with pytest.raises(grpc.RpcError) as caught:
        node.calls.call(path, request, batch.NodePrepareResourcesResponse, seconds=0.2)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    timed_out.set()
    assert not node.calls.prepare(ref)[ref.uid].error
    node.rig.assert_agreed()


def test_45_no_claim_is_answered_without_devices(node: Node) -> None:
    """Kubelets take that for success; a claim without devices here is an error instead."""
    ref = node.rig.allocate("a")
    answer = node.calls.prepare(ref)[ref.uid]
    assert answer.error
    assert not answer.cdi_devices


def test_46_no_claim_is_left_out_of_an_answer(node: Node) -> None:
    good, bad = node.rig.allocate("a", 0), ClaimRef("default", "none", _uid("none"))
    assert set(node.calls.prepare(good, bad)) == {good.uid, bad.uid}
    assert set(node.calls.unprepare(good, bad)) == {good.uid, bad.uid}


def test_47_no_other_claim_is_in_an_answer(node: Node) -> None:
    first, second = node.rig.allocate("a", 0), node.rig.allocate("b", 1)
    node.calls.prepare(first)
    assert set(node.calls.prepare(second)) == {second.uid}
    assert set(node.calls.unprepare(second)) == {second.uid}


def test_48_claim_that_was_made_anew_under_its_name_is_refused(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    anew = allocated(claim("a"))
    anew["metadata"]["uid"] = "uid-anew"
    node.rig.api.put(DRA_V1ALPHA2.claims, anew)
    assert "deleted and made anew" in node.calls.prepare(ref)[ref.uid].error
    assert node.rig.saved() == {}


def test_49_claim_of_another_driver_is_refused(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    node.rig.api.put(DRA_V1ALPHA2.claims, allocated(claim("a"), driver="other"))
    assert "driver other" in node.calls.prepare(ref)[ref.uid].error
    assert node.rig.saved() == {}


def test_50_shared_claim_stays_until_the_one_unprepare(node: Node) -> None:
    """The kubelet counts the pods, not the plugin."""
    ref = node.rig.allocate("a", 0)
    for _pod in range(3):
        node.calls.prepare(ref)
    node.calls.unprepare(ref)
    assert node.rig.saved() == {}


def test_51_claim_of_an_earlier_process_is_unprepared(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    node.calls.prepare(ref)
    node.restart()
    assert node.calls.unprepare(ref) == {ref.uid: ""}
    assert node.rig.saved() == node.rig.injected() == {}


def test_52_unprepare_that_timed_out_succeeds_when_it_is_tried_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = node.rig.allocate("a", 0)
    node.calls.prepare(ref)
    timed_out, unprepare = Event(), node.rig.state.unprepare

    def slow(uid: Any) -> None:
        assert timed_out.wait(10)
        unprepare(uid)

    monkeypatch.setattr(node.rig.state, "unprepare", slow)
    request = batch.NodeUnprepareResourcesRequest(
        claims=[batch.Claim(namespace=ref.namespace, uid=ref.uid, name=ref.name)]
    )
    path = "/v1alpha3.Node/NodeUnprepareResources"
    with pytest.raises(grpc.RpcError):
        node.calls.call(path, request, batch.NodeUnprepareResourcesResponse, seconds=0.2)
    timed_out.set()
    assert node.calls.unprepare(ref) == {ref.uid: ""}
    assert node.rig.saved() == {}


def test_53_devices_tell_which_request_they_serve(node: Node) -> None:
    """Kubelets give a container those of its request; a device without requests goes to all."""
    ref = node.rig.allocate("a", 0, 1)
    named = node.rig.device(0).id.lower()
    driver = "fake.resource.3-shake.com"
    result = {"request": "one", "driver": driver, "pool": "pool", "device": named}
    allocation = {
        "controller": driver,
        "nodeSelector": only_node(NODE),
        "devices": {"results": [result]},
    }
    node.rig.api.put(DRA_V1ALPHA2.claims, {**claim("a"), "status": {"allocation": allocation}})
    node.rig.api.served = ["v1alpha3"]
    node.upgrade()
    devices = node.calls.prepare(ref, by=V1ALPHA4)[ref.uid].devices
    assert [(list(d.request_names), d.pool_name) for d in devices] == [
        (["one"], "pool"),
        ([], NODE),
    ]
    assert all(len(d.cdi_device_ids) == 2 for d in devices)


def _status(error: str) -> Any:
    return RegistrationStatus(plugin_registered=False, error=error)


def _uid(text: str) -> Any:
    return text
