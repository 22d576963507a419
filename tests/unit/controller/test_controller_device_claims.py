"""The whole controller on claims of Kubernetes 1.31, up to what the plugin makes of them."""

import kubernetes_validate
import pytest

from api.claims.versions import read_claim
from api.contract import FAKE
from api.nas import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from dra.claims import ClaimRef, verify
from plugin.classic.driver import answer
from plugin.fakes import Fakes
from tests.support.build import (
    POD_CLAIM,
    deallocating,
    deleted,
    device_allocated,
    device_claim,
    device_class,
    device_request,
    finalized,
    holding,
    nas,
    opaque,
    pod,
    reserved,
    scheduling,
)
from tests.support.controllerrig import Rig

OF_CLAIM = "FakeClaimParameters"
PSC = "psc:default/pod"
CLAIM = "claim:default/claim"
UID = ClaimUID("uid-claim")


def waiting_pod(*claims: JSON, entries: list[tuple[str, str]] | None = None) -> Rig:
    return Rig(
        pod("pod", *(entries or [(POD_CLAIM, "claim")])),
        *claims,
        device_class(),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
        version="v1alpha3",
    )


def test_a_scheduled_pod_gets_its_requests_with_their_own_splits() -> None:
    asked = [device_request("a", 2), device_request("b")]
    rig = waiting_pod(device_claim("claim", *asked, config=[opaque(OF_CLAIM, "b", split=3)]))
    assert rig.handle(PSC) == "waiting"
    assert rig.api.writes() == [
        ("patch", "resourceclaims"),
        ("patch", "nodeallocationstates"),
        ("update", "resourceclaims/status"),
        ("update", "podschedulingcontexts/status"),
    ]
    assert rig.nas()["spec"]["allocatedClaims"]["uid-claim"]["fake"]["devices"] == [
        {"uuid": "node-1-0"},
        {"uuid": "node-1-1"},
        {"uuid": "node-1-2", "split": 3},
    ]
    stored = rig.claim()
    assert stored["metadata"]["finalizers"] == [FAKE.finalizer]
    assert [r["uid"] for r in stored["status"]["reservedFor"]] == ["uid-pod"]
    results = stored["status"]["allocation"]["devices"]["results"]
    assert [(r["request"], r["device"]) for r in results] == [
        ("a", "node-1-0"),
        ("a", "node-1-1"),
        ("b", "node-1-2"),
    ]


def test_what_is_written_is_valid() -> None:
    rig = waiting_pod(device_claim("claim", device_request("a", 2), device_request("b")))
    rig.handle(PSC)
    for obj in (rig.claim(), {**rig.scheduling(), "apiVersion": "resource.k8s.io/v1alpha3"}):
        kubernetes_validate.validate(obj, "1.31", strict=True)


def test_the_plugin_finds_the_request_of_each_device() -> None:
    rig = waiting_pod(device_claim("claim", device_request("a", 2), device_request("b")))
    rig.handle(PSC)
    node = NodeName("node-1")
    seen = read_claim(rig.claim())
    verify(seen, ClaimRef("default", "claim", UID), node, FAKE.driver_name)
    devices = tuple(PreparedDevice(DeviceID(i)) for i in rig.allocated()["uid-claim"])
    prepared = Fakes(FAKE, node).claim(UID, "default", "claim", "", devices)
    groups = answer(FAKE, prepared, seen.results(FAKE.driver_name), node)
    assert [(g.requests, g.pool, g.device) for g in groups] == [
        (("a",), "node-1", "node-1-0"),
        (("a",), "node-1", "node-1-1"),
        (("b",), "node-1", "node-1-2"),
    ]


def test_a_claim_that_a_pod_lists_twice_is_allocated_once() -> None:
    rig = waiting_pod(device_claim(), entries=[("one", "claim"), ("two", "claim")])
    assert rig.handle(PSC) == "waiting"
    assert rig.allocated() == {"uid-claim": ["node-1-0"]}
    entries = rig.scheduling()["status"]["resourceClaims"]
    assert [e["name"] for e in entries] == ["one", "two"]


def test_a_class_that_appears_wakes_who_waits_for_it() -> None:
    asked = device_request("r", deviceClassName="late")
    rig = waiting_pod(device_claim("claim", asked))
    assert rig.handle(PSC) == "blocked"
    assert {(kind, why) for kind, why, _ in rig.told()} == {
        ("ResourceClaim", "DeviceClassNotFound"),
        ("Pod", "DeviceClassNotFound"),
    }
    rig.queued()
    late = device_class("late")
    late["metadata"]["resourceVersion"] = "9000"
    rig.cache("classes").apply(late)
    assert rig.queued() == [PSC]
    assert rig.handle(PSC) == "waiting"
    assert rig.allocated() == {"uid-claim": ["node-1-0"]}


@pytest.mark.parametrize("end", [deleted, deallocating], ids=["deleted", "requested"])
def test_an_allocated_claim_is_freed(end) -> None:  # type: ignore[no-untyped-def]
    claim = end(finalized(device_allocated(device_claim())))
    rig = Rig(claim, holding(nas(), "uid-claim", 0), version="v1alpha3")
    assert rig.handle(CLAIM) == "done"
    assert rig.allocated() == {}
    assert rig.api.writes() == [
        ("patch", "nodeallocationstates"),
        ("update", "resourceclaims/status"),
        ("patch", "resourceclaims"),
    ]


@pytest.mark.parametrize(
    "claim",
    [
        device_claim(),
        deleted(finalized(reserved(device_allocated(device_claim())))),
        deleted(device_allocated(device_claim("claim", controller=""))),
    ],
    ids=["waits-for-its-pod", "in-use", "of-the-scheduler"],
)
def test_a_claim_that_is_left_alone(claim: JSON) -> None:
    rig = Rig(claim, device_class(), nas(), version="v1alpha3")
    assert rig.handle(CLAIM) == "done"
    assert rig.api.calls == []


def test_only_metadata_and_status_are_ever_written() -> None:
    """The API server compares opaque parameters byte by byte, and refuses a PUT of them."""
    sent: list[JSON | None] = []
    rig = waiting_pod(device_claim(config=[opaque(OF_CLAIM, split=2)]))

    def record(verb: str, plural: str, body: JSON | None) -> None:
        if plural == "resourceclaims":
            sent.append(body)

    rig.api.fault = record
    before = rig.claim()["metadata"]["resourceVersion"]
    rig.handle(PSC)
    assert sent == [{"metadata": {"resourceVersion": before, "finalizers": [FAKE.finalizer]}}]
