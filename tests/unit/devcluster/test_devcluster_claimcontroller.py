"""The claim controller on an API server in memory.

The first tests mirror kubernetes pkg/controller/resourceclaim TestSyncHandler, case by case.
"""

import pytest

from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON
from devcluster.resources import CLAIMS, SCHEDULING_CONTEXTS
from kube.errors import KubeError, ServerError
from kube.resources import PODS
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    finalized,
    owned,
    pod,
    reserved,
    scheduling,
    template,
    templated_pod,
)
from tests.support.controlplanerig import ControlRig, claim_rig

POD = "pod:default/pod"
CLAIM = "claim:default/claim"
DONE = {"status": {"phase": "Succeeded"}}


def generated(name: str = "claim", consumer: str = "pod") -> JSON:
    """Return a claim as made for a pod."""
    raw = owned(claim(name), consumer)
    notes = {POD_CLAIM_NAME_ANNOTATION: POD_CLAIM}
    return {**raw, "metadata": {**raw["metadata"], "annotations": notes}}


def done(raw: JSON) -> JSON:
    return {**raw, "status": {**raw.get("status", {}), "phase": "Succeeded"}}


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
    (made,) = [c for c in rig.api.all(CLAIMS) if c["metadata"]["namespace"] == "default"]
    assert made["metadata"]["name"].startswith(f"pod-{POD_CLAIM}-")
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["annotations"] == {"c": "d", POD_CLAIM_NAME_ANNOTATION: POD_CLAIM}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-pod"
    assert statuses(rig) == recorded(made["metadata"]["name"])


@pytest.mark.parametrize(
    "objects",
    [
        [templated_pod(made="claim"), template(), generated()],
        [template()],
        [deleted(templated_pod()), template()],
        [deleted(templated_pod(nodeName="node-1")), template()],
        [done(templated_pod()), template()],
        [pod(), template()],
        [pod("pod", (POD_CLAIM, "missing")), template()],
    ],
    ids=[
        "nop",
        "no-such-pod",
        "pod-deleted",
        "pod-stops",
        "pod-done",
        "no-claims",
        "named-claim-missing",
    ],
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
    (made,) = rig.api.all(CLAIMS)
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


@pytest.mark.parametrize(
    ("existing", "name"),
    [
        (generated(), "claim"),
        (owned(claim(f"pod-{POD_CLAIM}")), f"pod-{POD_CLAIM}"),
    ],
    ids=["find-existing-claim-by-annotation", "find-existing-claim-by-name"],
)
def test_uses_the_claim_that_exists(existing: JSON, name: str) -> None:
    rig = claim_rig(templated_pod(), existing)
    rig.part.process(POD)
    assert rig.api.writes() == [("patch", "pods")]
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
    (made,) = rig.api.all(CLAIMS)
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


@pytest.mark.parametrize(
    "seen", [True, False], ids=["stay-reserved-seen", "stay-reserved-not-seen"]
)
def test_keeps_a_reservation_of_a_pod_that_is_there(*, seen: bool) -> None:
    rig = claim_rig(reserved(allocated(claim())))
    rig.put(pod())
    if seen:
        rig.sync()
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


def test_keeps_a_reservation_of_a_replaced_pod_that_the_cache_does_not_know_yet() -> None:
    rig = claim_rig(reserved(allocated(claim())), {**pod(), "metadata": _former()})
    rig.put(pod())
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


def _former() -> JSON:
    return {"name": "pod", "namespace": "default", "uid": "uid-former"}


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [done(pod())],
        [{**pod(), "metadata": _former()}],
        [deleted(pod())],
    ],
    ids=["gone", "done", "replaced", "deleted-before-scheduling"],
)
@pytest.mark.parametrize(
    ("mode", "deallocates"),
    [("WaitForFirstConsumer", True), ("Immediate", None)],
    ids=["delayed", "immediate"],
)
def test_drops_a_consumer_that_is_gone(
    pods: list[JSON], mode: str, *, deallocates: bool | None
) -> None:
    """clear-reserved-{delayed,immediate}-allocation, clear-reserved-when-done-*."""
    rig = claim_rig(reserved(allocated(claim(mode=mode))), *pods)
    rig.part.process(CLAIM)
    status = rig.claim()["status"]
    assert "reservedFor" not in status
    assert status.get("deallocationRequested") == deallocates
    assert status["allocation"]


def test_deleted_pod_that_still_runs_keeps_its_reservation() -> None:
    rig = claim_rig(reserved(allocated(claim())), deleted(pod(nodeName="node-1")))
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


def test_keeps_the_other_consumers() -> None:
    """remove-reserved."""
    given = reserved(allocated(claim()))
    other = {"resource": "pods", "name": "other", "uid": "uid-other"}
    given["status"]["reservedFor"].append(other)
    rig = claim_rig(given, pod())
    rig.part.process(CLAIM)
    assert [c["uid"] for c in rig.claim()["status"]["reservedFor"]] == ["uid-pod"]
    assert "deallocationRequested" not in rig.claim()["status"]


def test_touches_no_claim_with_a_consumer_of_another_kind() -> None:
    given = reserved(allocated(claim()))
    given["status"]["reservedFor"].append({"apiGroup": "x", "resource": "jobs", "uid": "u"})
    rig = claim_rig(given)
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


def test_unreserved_claim_keeps_its_allocation() -> None:
    """A driver that reserves for nobody has its claims deallocated by the scheduler only."""
    rig = claim_rig(allocated(claim()))
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


@pytest.mark.parametrize(
    ("objects", "left"),
    [
        ([done(templated_pod(made="claim")), reserved(allocated(generated()))], 0),
        ([{**templated_pod(), "metadata": _former()}, generated()], 0),
        ([templated_pod(made="claim"), generated()], 1),
        ([generated()], 1),
        ([done(pod()), claim()], 1),
        ([done(templated_pod(made="claim")), deleted(finalized(generated()))], 1),
    ],
    ids=[
        "delete-claim-when-done",
        "owner-replaced",
        "owner-runs",
        "owner-unknown-left-to-garbage-collector",
        "not-generated",
        "deleted-already",
    ],
)
def test_deletes_generated_claims_without_use(objects: list[JSON], left: int) -> None:
    rig = claim_rig(*objects)
    rig.part.process(CLAIM)
    assert len(rig.api.all(CLAIMS)) == left
    assert rig.part.queue.retries(CLAIM) == 0


def test_keeps_a_generated_claim_that_another_pod_uses() -> None:
    given = reserved(allocated(generated()), "other")
    rig = claim_rig(done(templated_pod(made="claim")), pod("other"), given)
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


def test_does_not_delete_a_claim_of_another_uid() -> None:
    rig = claim_rig(done(templated_pod(made="claim")), generated())
    replaced = rig.claim()
    replaced["metadata"]["uid"] = "uid-replaced"
    rig.put(replaced)
    rig.part.process(CLAIM)
    assert rig.claim()["metadata"]["uid"] == "uid-replaced"


def test_unrecorded_claim_is_looked_at_when_its_pod_is_done() -> None:
    rig = claim_rig(templated_pod(), generated(), template())
    rig.due()
    rig.put(done(rig.pod()))
    rig.sync()
    assert rig.due() == [CLAIM, POD]


def test_claim_is_recorded_once() -> None:
    rig = claim_rig(templated_pod(), template())
    rig.part.process(POD)
    rig.part.process(POD)
    assert rig.api.writes() == [("create", "resourceclaims"), ("patch", "pods")]


def test_selects_the_node_of_a_scheduled_pod() -> None:
    """trigger-allocation."""
    rig = claim_rig(templated_pod(nodeName="node-1"), generated(), template())
    rig.part.process(POD)
    context = rig.context()
    assert context["spec"] == {"selectedNode": "node-1"}
    assert context["metadata"]["ownerReferences"][0]["uid"] == "uid-pod"
    assert rig.claim() == rig.part.caches[CLAIMS].get("default/claim")


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
    assert not rig.has(SCHEDULING_CONTEXTS)


def test_generated_claim_lives_as_long_as_its_pod() -> None:
    """From template to deletion, with nothing but watch events as the trigger."""
    rig = claim_rig(templated_pod(), template())
    rig.settle()
    (made,) = rig.api.all(CLAIMS)
    rig.put(reserved(allocated(made)))
    rig.put({**rig.pod(), "spec": {**rig.pod()["spec"], "nodeName": "node-1"}})
    rig.sync()
    rig.settle()
    (kept,) = rig.api.all(CLAIMS)
    assert kept["status"]["reservedFor"]
    rig.put(done(rig.pod()))
    rig.sync()
    rig.settle()
    assert rig.api.all(CLAIMS) == []


def test_deleting_a_pod_releases_its_claim() -> None:
    rig = claim_rig(pod("pod", (POD_CLAIM, "claim")), reserved(allocated(claim())))
    rig.settle()
    rig.api.objects.pop((PODS.plural, "default/pod"))
    rig.sync()
    assert rig.due() == [CLAIM]
    rig.part.process(CLAIM)
    assert rig.claim()["status"]["deallocationRequested"]


def test_allocated_claim_wakes_the_scheduled_pod() -> None:
    rig = claim_rig(pod("pod", (POD_CLAIM, "claim"), nodeName="node-1"), claim())
    rig.settle()
    rig.put(allocated(rig.claim()))
    rig.sync()
    assert rig.due() == [CLAIM, POD]


def test_context_of_a_former_pod_is_replaced_once_it_is_gone() -> None:
    foreign = scheduling()
    foreign["metadata"]["ownerReferences"][0]["uid"] = "uid-former"
    rig = claim_rig(pod("pod", (POD_CLAIM, "claim"), nodeName="node-1"), claim(), foreign)
    rig.settle()
    assert rig.api.writes() == []
    rig.api.objects.pop((SCHEDULING_CONTEXTS.plural, "default/pod"))
    rig.sync()
    rig.settle()
    assert rig.context()["spec"]["selectedNode"] == "node-1"


def test_stale_claim_is_a_conflict_and_tried_again() -> None:
    rig = claim_rig(reserved(allocated(claim())))
    rig.put(rig.claim())
    rig.part.process(CLAIM)
    assert rig.part.queue.retries(CLAIM) == 1
    rig.sync()
    rig.part.process(CLAIM)
    assert rig.claim()["status"]["deallocationRequested"]
    assert rig.part.queue.retries(CLAIM) == 0
