"""Claims are made for pods; ids and docstrings name cases of kubernetes TestSyncHandler."""

import pytest

from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON
from api.resources import DRA_V1ALPHA2
from kube.errors import Invalid, KubeError, ServerError
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    finished,
    generated,
    owned,
    pod,
    reserved,
    scheduling,
    template,
    templated_pod,
)
from tests.support.controlplanerig import ControlRig, claim_rig
from tests.support.tables import cases

POD = "pod:default/pod"


def statuses(rig: ControlRig) -> list[JSON] | None:
    found: list[JSON] | None = (rig.pod().get("status") or {}).get("resourceClaimStatuses")
    return found


def recorded(name: str) -> list[JSON]:
    return [{"name": POD_CLAIM, "resourceClaimName": name}]


@pytest.mark.parametrize(
    "others", [[], [{**claim(), "metadata": {**claim()["metadata"], "namespace": "other"}}]]
)
def test_makes_a_claim_and_records_it(others: list[JSON]) -> None:
    """create, create-with-other-claim."""
    rig = claim_rig(templated_pod(), template(labels={"a": "b"}, annotations={"c": "d"}), *others)
    rig.part.process(POD)
    (made,) = [
        c for c in rig.api.all(DRA_V1ALPHA2.claims) if c["metadata"]["namespace"] == "default"
    ]
    assert made["metadata"]["name"].startswith(f"pod-{POD_CLAIM}-")
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["annotations"] == {"c": "d", POD_CLAIM_NAME_ANNOTATION: POD_CLAIM}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-pod"
    assert statuses(rig) == recorded(made["metadata"]["name"])


@cases(
    "objects",
    {
        "nop": [templated_pod(made="claim"), template(), generated()],
        "no-such-pod": [template()],
        "pod-deleted": [deleted(templated_pod()), template()],
        "pod-stops": [deleted(templated_pod(nodeName="node-1")), template()],
        "pod-done": [finished(templated_pod()), template()],
        "no-claims": [pod(), template()],
        "named-claim-missing": [pod("pod", (POD_CLAIM, "missing")), template()],
    },
)
def test_writes_nothing_for_a_pod(objects: list[JSON]) -> None:
    rig = claim_rig(*objects)
    rig.part.process(POD)
    assert rig.api.writes() == []
    assert rig.told() == []
    assert rig.part.queue.retries(POD) == 0


def test_recreates_a_recorded_claim_that_vanished() -> None:
    rig = claim_rig(templated_pod(made="gone"), template())
    rig.part.process(POD)
    (made,) = rig.api.all(DRA_V1ALPHA2.claims)
    assert statuses(rig) == recorded(made["metadata"]["name"])


def test_entry_without_a_claim_stays_without() -> None:
    raw = templated_pod()
    rig = claim_rig({**raw, "status": {"resourceClaimStatuses": [{"name": POD_CLAIM}]}}, template())
    rig.part.process(POD)
    assert rig.api.writes() == []


def test_missing_template_is_told_and_retried() -> None:
    rig = claim_rig(templated_pod())
    rig.due()
    rig.part.process(POD)
    assert rig.told() == [
        (
            "FailedResourceClaimCreation",
            f'PodResourceClaim {POD_CLAIM}: resourceclaimtemplate "template" not found; create it',
        )
    ]
    assert rig.part.queue.retries(POD) == 1
    rig.put(template())
    rig.sync()
    assert rig.due() == [POD]


@cases(
    ("existing", "name"),
    {
        "find-existing-claim-by-annotation": (generated(), "claim"),
        "find-existing-claim-by-name": (owned(claim(f"pod-{POD_CLAIM}")), f"pod-{POD_CLAIM}"),
    },
)
def test_uses_the_claim_that_exists(existing: JSON, name: str) -> None:
    rig = claim_rig(templated_pod(), existing)
    rig.part.process(POD)
    assert rig.api.writes() == [("patch", "pods/status")]
    assert statuses(rig) == recorded(name)


def test_finds_the_claim_that_it_made_before_the_watch_tells() -> None:
    """find-created-claim-in-cache: recording it had failed."""
    rig = claim_rig(templated_pod(), template())
    faults: list[KubeError | None] = [ServerError(500, "InternalError", "no")]

    def fault(verb: str, plural: str, body: JSON | None) -> KubeError | None:
        return faults.pop() if verb == "patch" and faults else None

    rig.api.fault = fault
    rig.part.process(POD)
    assert statuses(rig) is None
    rig.part.process(POD)
    (made,) = rig.api.all(DRA_V1ALPHA2.claims)
    assert statuses(rig) == recorded(made["metadata"]["name"])


def test_claim_of_another_owner_is_not_used() -> None:
    """wrong-claim-owner."""
    rig = claim_rig(templated_pod(made="claim"), generated(consumer="other"), template())
    rig.part.process(POD)
    ((reason, message),) = rig.told()
    assert reason == "FailedResourceClaimCreation"
    assert "was not created for pod default/pod" in message
    assert rig.api.writes() == []
    assert rig.part.queue.retries(POD) == 1


def test_refused_creation_is_told_and_retried() -> None:
    """create-conflict."""
    rig = claim_rig(templated_pod(), template())
    rig.api.fault = lambda verb, plural, body: ServerError(500, "InternalError", "no quota")
    rig.part.process(POD)
    assert "no quota" in rig.told()[0][1]
    assert rig.part.queue.retries(POD) == 1


def test_pod_on_a_node_for_which_the_claim_has_no_place_is_tried_again_without_a_word() -> None:
    """The 33rd consumer: kube-controller-manager only logs, and the kubelet tells the pod."""
    rig = claim_rig(
        pod("pod", (POD_CLAIM, "claim"), nodeName="node-1"), reserved(allocated(claim()), "other")
    )
    rig.api.fault = lambda verb, plural, body: Invalid(422, "Invalid", "Too long")
    rig.part.process(POD)
    assert rig.told() == []
    assert rig.part.queue.retries(POD) == 1


def test_claim_is_recorded_once() -> None:
    rig = claim_rig(templated_pod(), template())
    rig.part.process(POD)
    rig.part.process(POD)
    assert rig.api.writes() == [("create", "resourceclaims"), ("patch", "pods/status")]


def test_selects_the_node_of_a_scheduled_pod() -> None:
    """trigger-allocation."""
    rig = claim_rig(templated_pod(nodeName="node-1"), generated(), template())
    rig.part.process(POD)
    context = rig.context()
    assert context["spec"] == {"selectedNode": "node-1"}
    assert context["metadata"]["ownerReferences"][0]["uid"] == "uid-pod"
    assert rig.claim() == rig.part.caches[DRA_V1ALPHA2.claims].get("default/claim")


@pytest.mark.parametrize("selected", ["", "node-9"])
def test_changes_the_selected_node_of_a_scheduled_pod(selected: str) -> None:
    rig = claim_rig(
        pod("pod", (POD_CLAIM, "claim"), nodeName="node-1"),
        claim(),
        scheduling(potential=["node-2"], selected=selected),
    )
    rig.part.process(POD)
    assert rig.context()["spec"] == {"selectedNode": "node-1", "potentialNodes": ["node-2"]}
    rig.part.process(POD)
    assert rig.api.writes() == [("update", "podschedulingcontexts")]


def test_reserves_for_a_scheduled_pod() -> None:
    """add-reserved."""
    rig = claim_rig(templated_pod(nodeName="node-1"), allocated(generated()), template())
    rig.part.process(POD)
    assert rig.claim()["status"]["reservedFor"] == [
        {"resource": "pods", "name": "pod", "uid": "uid-pod"}
    ]
    assert not rig.has(DRA_V1ALPHA2.contexts)
