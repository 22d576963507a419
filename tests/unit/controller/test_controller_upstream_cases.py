"""The cases of Kubernetes' own controller tests, by their number in the order of its table.

Source: k8s.io/dynamic-resource-allocation controller_test.go (release-1.30). Numbers 4 to 9 are run
for both allocation modes, which are 16 to 21 for the second.
"""

import pytest

from api.contract import FAKE
from api.objects import JSON
from controller.queue.reconcile import UnknownKey
from kube.errors import ApiError, KubeError
from testing.apiserver import Fault
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deallocating,
    deleted,
    finalized,
    holding,
    nas,
    pod,
    reserved,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig

IMMEDIATE = "Immediate"
DELAYED = "WaitForFirstConsumer"
BOTH_MODES = pytest.mark.parametrize("mode", [IMMEDIATE, DELAYED])
CLAIM = "claim:default/claim"
PSC = "psc:default/pod"


def failing(verb: str, plural: str) -> Fault:
    def fault(asked: str, where: str, _body: JSON | None) -> KubeError | None:
        broken = (asked, where) == (verb, plural)
        return ApiError(500, "InternalError", "it broke", {}) if broken else None

    return fault


def finalizers(obj: JSON) -> list[str]:
    return list(obj["metadata"].get("finalizers") or [])


def test_case_01_unexpected_key_format() -> None:
    with pytest.raises(UnknownKey, match="unexpected key format"):
        Rig().controller.reconciler.handle("claim:x/y/z")


def test_case_02_claim_not_in_cache() -> None:
    rig = Rig()
    assert rig.handle("claim:default/nothing") == "done"
    assert rig.api.calls == []


def test_case_03_immediate_claim_of_another_driver() -> None:
    rig = Rig(claim(mode=IMMEDIATE), resource_class(driver="other.example.com"), nas())
    assert rig.handle(CLAIM) == "again"
    assert rig.api.writes() == []


@BOTH_MODES
def test_case_04_deleted_not_allocated_drops_the_finalizer(mode: str) -> None:
    rig = Rig(deleted(finalized(claim(mode=mode))), nas())
    assert rig.handle(CLAIM) == "done"
    with pytest.raises(KeyError):
        rig.claim()


@BOTH_MODES
def test_case_05_deleted_and_deallocation_fails_keeps_the_finalizer(mode: str) -> None:
    rig = Rig(deleted(finalized(claim(mode=mode))), holding(nas(), "uid-claim", 0))
    rig.api.fault = failing("patch", "nodeallocationstates")
    assert rig.handle(CLAIM) == "error"
    assert finalizers(rig.claim()) == [FAKE.finalizer]


@BOTH_MODES
def test_case_06_deleted_with_foreign_finalizer_only(mode: str) -> None:
    rig = Rig(deleted(finalized(claim(mode=mode), "foreign/finalizer")), nas())
    assert rig.handle(CLAIM) == "done"
    assert rig.api.calls == []


@BOTH_MODES
def test_case_07_deleted_and_allocated_is_freed(mode: str) -> None:
    rig = Rig(deleted(finalized(allocated(claim(mode=mode)))), holding(nas(), "uid-claim", 0))
    assert rig.handle(CLAIM) == "done"
    assert rig.allocated() == {}
    assert "allocatedClaims" not in rig.nas()["spec"]
    assert rig.api.writes() == [
        ("patch", "nodeallocationstates"),
        ("update", "resourceclaims/status"),
        ("patch", "resourceclaims"),
    ]


@BOTH_MODES
def test_case_08_deleted_allocated_and_deallocation_fails_changes_nothing(mode: str) -> None:
    given = deleted(finalized(allocated(claim(mode=mode))))
    rig = Rig(given, holding(nas(), "uid-claim", 0))
    rig.api.fault = failing("patch", "nodeallocationstates")
    before = rig.claim()
    assert rig.handle(CLAIM) == "error"
    assert rig.claim() == before


@BOTH_MODES
def test_case_09_deleted_without_finalizer(mode: str) -> None:
    rig = Rig(deleted(claim(mode=mode)), nas())
    assert rig.handle(CLAIM) == "done"
    assert rig.api.calls == []


def test_case_10_immediate_claim_is_allocated() -> None:
    rig = Rig(claim(mode=IMMEDIATE), resource_class(), nas())
    assert rig.handle(CLAIM) == "done"
    stored = rig.claim()
    assert finalizers(stored) == [FAKE.finalizer]
    assert stored["status"]["driverName"] == FAKE.driver_name
    assert stored["status"]["allocation"]["shareable"] is True
    assert "reservedFor" not in stored["status"]
    assert rig.allocated() == {"uid-claim": ["node-1-0"]}


def test_case_11_immediate_claim_with_finalizer_goes_on() -> None:
    rig = Rig(finalized(claim(mode=IMMEDIATE)), resource_class(), nas())
    assert rig.handle(CLAIM) == "done"
    assert finalizers(rig.claim()) == [FAKE.finalizer]
    assert ("patch", "resourceclaims") not in rig.api.writes()
    assert rig.claim()["status"]["allocation"]


def test_case_12_immediate_allocation_fails_keeps_the_finalizer() -> None:
    rig = Rig(claim(mode=IMMEDIATE), resource_class(), nas())
    rig.api.fault = failing("patch", "nodeallocationstates")
    assert rig.handle(CLAIM) == "error"
    assert finalizers(rig.claim()) == [FAKE.finalizer]
    assert not rig.claim().get("status", {}).get("allocation")


def test_case_13_immediate_claim_that_is_allocated() -> None:
    rig = Rig(finalized(allocated(claim(mode=IMMEDIATE))), resource_class(), nas())
    assert rig.handle(CLAIM) == "done"
    assert rig.api.calls == []


@BOTH_MODES
def test_case_14_requested_deallocation(mode: str) -> None:
    given = deallocating(finalized(allocated(claim(mode=mode))))
    rig = Rig(given, resource_class(), holding(nas(), "uid-claim", 0))
    assert rig.handle(CLAIM) == "done"
    assert finalizers(rig.claim()) == []
    assert rig.claim()["status"] == {}
    assert rig.allocated() == {}


@BOTH_MODES
def test_case_15_requested_deallocation_fails(mode: str) -> None:
    rig = Rig(deallocating(finalized(allocated(claim(mode=mode)))), holding(nas(), "uid-claim", 0))
    rig.api.fault = failing("patch", "nodeallocationstates")
    before = rig.claim()
    assert rig.handle(CLAIM) == "error"
    assert rig.claim() == before


def test_case_22_delayed_claim_by_itself() -> None:
    rig = Rig(claim(), resource_class(), nas())
    assert rig.handle(CLAIM) == "done"
    assert rig.api.calls == []


def test_case_23_pod_without_claims() -> None:
    rig = Rig(pod(), scheduling(selected="node-1"), nas())
    before = rig.scheduling()
    assert rig.handle(PSC) == "waiting"
    assert rig.scheduling() == before


def test_case_24_pod_with_immediate_claim() -> None:
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(mode=IMMEDIATE),
        resource_class(),
        scheduling(selected="node-1"),
        nas(),
    )
    assert rig.handle(PSC) == "waiting"
    assert rig.api.writes() == []


def test_case_25_neither_selected_nor_potential_nodes() -> None:
    rig = Rig(pod("pod", (POD_CLAIM, "claim")), claim(), resource_class(), scheduling(), nas())
    assert rig.handle(PSC) == "done"
    assert rig.api.writes() == []


def waiting_pod(*, potential: list[str], selected: str = "", states: list[JSON]) -> Rig:
    return Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        resource_class(),
        scheduling(potential=potential, selected=selected),
        *states,
    )


def test_case_26_potential_nodes_only() -> None:
    rig = waiting_pod(potential=["node-1", "node-2"], states=[nas("node-1"), nas("node-2", 0)])
    assert rig.handle(PSC) == "waiting"
    entries = rig.scheduling()["status"]["resourceClaims"]
    assert entries == [{"name": POD_CLAIM, "unsuitableNodes": ["node-2"]}]
    assert rig.api.writes() == [("update", "podschedulingcontexts/status")]


def test_case_27_class_missing() -> None:
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
    )
    before = rig.scheduling()
    assert rig.handle(PSC) == "blocked"
    assert rig.scheduling() == before
    kinds = [kind for kind, reason, _ in rig.told() if reason == "ResourceClassNotFound"]
    assert kinds == ["ResourceClaim", "Pod"]
    assert all("my-class" in message for _, _, message in rig.told())


def test_case_28_selected_node_is_suitable() -> None:
    rig = waiting_pod(potential=["node-1"], selected="node-1", states=[nas()])
    assert rig.handle(PSC) == "waiting"
    stored = rig.claim()
    assert finalizers(stored) == [FAKE.finalizer]
    assert stored["status"]["driverName"] == FAKE.driver_name
    assert stored["status"]["reservedFor"] == [
        {"resource": "pods", "name": "pod", "uid": "uid-pod"}
    ]
    entries = rig.scheduling()["status"]["resourceClaims"]
    assert entries == [{"name": POD_CLAIM, "unsuitableNodes": []}]
    assert rig.api.calls == [
        ("patch", "resourceclaims", "default/claim"),
        ("patch", "nodeallocationstates", "fake-system/node-1"),
        ("update", "resourceclaims/status", "default/claim"),
        ("update", "podschedulingcontexts/status", "default/pod"),
    ]


def test_case_29_selected_node_is_unsuitable() -> None:
    rig = waiting_pod(potential=["node-1", "node-2"], selected="node-1", states=[nas("node-1", 0)])
    assert rig.handle(PSC) == "blocked"
    entries = rig.scheduling()["status"]["resourceClaims"]
    assert entries == [{"name": POD_CLAIM, "unsuitableNodes": ["node-1", "node-2"]}]
    assert finalizers(rig.claim()) == []
    reasons = {(kind, reason) for kind, reason, _ in rig.told()}
    assert reasons == {("Pod", "NoSuitableNode"), ("ResourceClaim", "NoSuitableNode")}


def test_a_claim_in_use_is_left_alone_whatever_is_requested() -> None:
    rig = Rig(deleted(finalized(reserved(allocated(claim())))), holding(nas(), "uid-claim", 0))
    assert rig.handle(CLAIM) == "done"
    assert rig.api.calls == []
