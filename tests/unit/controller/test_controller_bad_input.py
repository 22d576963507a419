"""Bad input: one clear error on the objects concerned, and nothing else changes."""

import pytest

from api.objects import JSON
from kube.errors import ConnectFailed, Forbidden
from tests.support.build import (
    CLASS,
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    finalized,
    holding,
    nas,
    owned,
    pod,
    preparing,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig

PSC = "psc:default/pod"
CLAIM = "claim:default/claim"
GROUP = "fake.resource.3-shake.com"


def parameters(**spec: object) -> JSON:
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "FakeClaimParameters",
        "metadata": {"name": "p", "namespace": "default", "uid": "uid-p"},
        "spec": spec,
    }


def refers(**fields: str) -> JSON:
    return {"apiGroup": GROUP, "kind": "FakeClaimParameters", "name": "p", **fields}


@pytest.mark.parametrize(
    ("ref", "objects", "reason", "told"),
    [
        (refers(), [parameters(count=0)], "InvalidParameters", "spec.count: 0 is out of bounds"),
        (refers(), [parameters(count=129)], "InvalidParameters", "must be 1 to 128"),
        (refers(), [parameters(split=17)], "InvalidParameters", "spec.split: 17"),
        (refers(), [parameters(cuont=1)], "InvalidParameters", "spec.cuont: Unknown field"),
        (
            refers(),
            [],
            "ParametersNotFound",
            "FakeClaimParameters.fake.resource.3-shake.com default/p",
        ),
        (refers(kind="Gpu"), [], "UnknownParametersKind", "kind FakeClaimParameters"),
        (refers(apiGroup="x.org"), [], "UnknownParametersKind", f"apiGroup {GROUP}"),
    ],
    ids=["count-0", "count-129", "split-17", "typo", "missing", "kind", "group"],
)
def test_bad_claim_parameters(ref: JSON, objects: list[JSON], reason: str, told: str) -> None:
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(parametersRef=ref),
        resource_class(),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
        *objects,
    )
    assert rig.handle(PSC) == "blocked"
    assert rig.api.writes() == []
    assert [(kind, why) for kind, why, _ in rig.told()] == [
        ("ResourceClaim", reason),
        ("Pod", reason),
    ]
    assert all(told in message for _, _, message in rig.told())


def test_parameters_have_to_be_in_the_namespace_of_the_claim() -> None:
    """Said in any case, and without names: who else has parameters is not everybody's business."""
    elsewhere = parameters()
    elsewhere["metadata"]["namespace"] = "team-b"
    rig = Rig(claim(mode="Immediate", parametersRef=refers()), resource_class(), nas(), elsewhere)
    assert rig.handle(CLAIM) == "blocked"
    ((_, reason, message),) = rig.told()
    assert reason == "ParametersNotFound"
    assert message == (
        f"ResourceClaim default/claim has parametersRef FakeClaimParameters.{GROUP} default/p, "
        "which does not exist; create it in namespace default, that of the claim: parameters in "
        "another namespace are not looked at"
    )


def test_group_version_in_the_reference_is_accepted() -> None:
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(parametersRef=refers(apiGroup=f"{GROUP}/v1alpha1")),
        resource_class(),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
        parameters(count=2, split=3),
    )
    assert rig.handle(PSC) == "waiting"
    stored = rig.nas()["spec"]["allocatedClaims"]["uid-claim"]
    assert stored == {
        "claimInfo": {"name": "claim", "namespace": "default"},
        "fake": {"devices": [{"split": 3, "uuid": "node-1-0"}, {"split": 3, "uuid": "node-1-1"}]},
    }
    assert rig.nas()["summary"] == {"devices": 8, "free": 6, "used": 2}


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ({"apiGroup": GROUP, "kind": "DeviceClassParameters", "name": "p"}, "ParametersNotFound"),
        ({"apiGroup": GROUP, "kind": "FakeClaimParameters", "name": "p"}, "UnknownParametersKind"),
    ],
    ids=["missing", "kind"],
)
def test_bad_class_parameters(ref: JSON, reason: str) -> None:
    rig = Rig(claim(mode="Immediate"), resource_class(parametersRef=ref), nas())
    assert rig.handle(CLAIM) == "blocked"
    assert [why for _, why, _ in rig.told()] == [reason]
    assert CLASS in rig.told()[0][2]


def test_class_parameters_select_models() -> None:
    ref = {"apiGroup": GROUP, "kind": "DeviceClassParameters", "name": "p"}
    chosen = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "DeviceClassParameters",
        "metadata": {"name": "p", "uid": "uid-cp"},
        "spec": {"deviceSelector": [{"type": "fake", "name": "OTHER-*"}]},
    }
    rig = Rig(claim(mode="Immediate"), resource_class(parametersRef=ref), nas(), chosen)
    assert rig.handle(CLAIM) == "blocked"
    assert [why for _, why, _ in rig.told()] == ["NoSuitableNode"]


def test_a_claim_that_was_made_for_another_pod_is_not_used() -> None:
    thief = pod("pod")
    thief["spec"]["resourceClaims"] = [
        {"name": POD_CLAIM, "source": {"resourceClaimTemplateName": "t"}}
    ]
    rig = Rig(
        thief,
        owned(claim(f"pod-{POD_CLAIM}"), "another"),
        resource_class(),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
    )
    assert rig.handle(PSC) == "blocked"
    assert [(kind, why) for kind, why, _ in rig.told()] == [("Pod", "ForeignClaim")]
    assert rig.api.writes() == []


def test_a_context_of_an_earlier_pod_of_that_name_is_ignored() -> None:
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        resource_class(),
        owned(scheduling(potential=["node-1"], selected="node-1"), "gone"),
        nas(),
    )
    assert rig.handle(PSC) == "done"
    assert rig.api.writes() == []


@pytest.mark.parametrize(
    "state",
    [nas(allocatedClaims={"u": 3}), nas(status="NotReady")],
    ids=["malformed", "not-ready"],
)
def test_a_node_in_a_bad_state_is_unsuitable_and_untouched(state: JSON) -> None:
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        resource_class(),
        scheduling(potential=["node-1"], selected="node-1"),
        state,
    )
    before = rig.nas()
    assert rig.handle(PSC) == "blocked"
    assert rig.nas() == before
    entries = rig.scheduling()["status"]["resourceClaims"]
    assert entries == [{"name": POD_CLAIM, "unsuitableNodes": ["node-1"]}]


def test_freeing_a_claim_on_a_malformed_node_tells_the_claim() -> None:
    broken = holding(nas(), "uid-claim", 0)
    broken["spec"]["preparedDevices"] = {"u": 3}
    rig = Rig(deleted(finalized(allocated(claim()))), broken)
    assert rig.handle(CLAIM) == "blocked"
    ((kind, reason, message),) = rig.told()
    assert (kind, reason) == ("ResourceClaim", "MalformedState")
    assert "spec.preparedDevices.u" in message


def test_a_deleted_node_does_not_keep_its_claims() -> None:
    rig = Rig(deleted(finalized(allocated(claim()))))
    assert rig.handle(CLAIM) == "done"
    with pytest.raises(KeyError):
        rig.claim()


def test_freeing_waits_until_the_node_has_unprepared() -> None:
    busy = preparing(holding(nas(), "uid-claim", 0), "uid-claim", 0)
    rig = Rig(deleted(finalized(allocated(claim()))), busy)
    assert rig.handle(CLAIM) == "waiting"
    assert rig.api.writes() == []
    free = holding(nas(), "uid-claim", 0)
    free["metadata"]["resourceVersion"] = "9000"
    rig.queued()
    rig.cache("states").apply(free)
    assert rig.queued() == [CLAIM]


def test_an_api_server_that_is_away_is_retried_without_events() -> None:
    rig = Rig(claim(mode="Immediate"), resource_class(), nas())
    rig.api.fault = lambda verb, *_: None if verb == "get" else ConnectFailed("refused")
    assert rig.handle(CLAIM) == "error"
    assert rig.told() == []
    assert rig.controller.queue.retries(CLAIM) == 1


def test_a_missing_permission_is_told_on_the_object() -> None:
    rig = Rig(claim(mode="Immediate"), resource_class(), nas())
    denied = Forbidden(403, "Forbidden", "cannot update resourceclaims", {})
    rig.api.fault = lambda verb, *_: None if verb == "get" else denied
    assert rig.handle(CLAIM) == "error"
    assert [(kind, why) for kind, why, _ in rig.told()] == [("ResourceClaim", "Forbidden")]


def test_a_conflict_on_the_node_is_planned_again() -> None:
    rig = Rig(claim(mode="Immediate"), resource_class(), nas(devices=2))
    rig.api.rewrite(holding(rig.nas(), "other", 0))
    assert rig.handle(CLAIM) == "done"
    assert rig.allocated() == {"other": ["node-1-0"], "uid-claim": ["node-1-1"]}


def test_an_immediate_claim_goes_to_the_node_with_most_room_that_the_class_allows() -> None:
    selector = {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
        ]
    }
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-2", "uid": "n2"}}
    node["metadata"]["labels"] = {"zone": "a"}  # type: ignore[index]
    rig = Rig(
        claim(mode="Immediate"),
        resource_class(suitableNodes=selector),
        nas("node-1", 8),
        nas("node-2", 2),
        node,
    )
    assert rig.handle(CLAIM) == "done"
    assert rig.allocated("node-2") == {"uid-claim": ["node-2-0"]}
