"""Claims are taken back; ids and docstrings name cases of kubernetes TestSyncHandler."""

from api.objects import JSON
from api.resources import DRA_V1ALPHA2
from devcluster.claimapi import STRUCTURED
from devcluster.claimrules import FINALIZER
from tests.support.build import (
    allocated,
    claim,
    deleted,
    finalized,
    finished,
    generated,
    pod,
    reserved,
    templated_pod,
)
from tests.support.controlplanerig import claim_rig
from tests.support.tables import cases

CLAIM = "claim:default/claim"


@cases("seen", {"stay-reserved-seen": True, "stay-reserved-not-seen": False})
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


@cases(
    "pods",
    {
        "gone": [],
        "done": [finished(pod())],
        "replaced": [{**pod(), "metadata": _former()}],
        "deleted-before-scheduling": [deleted(pod())],
    },
)
@cases(
    ("mode", "deallocates"),
    {"delayed": ("WaitForFirstConsumer", True), "immediate": ("Immediate", None)},
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


@cases(
    ("objects", "left"),
    {
        "delete-claim-when-done": (
            [finished(templated_pod(made="claim")), reserved(allocated(generated()))],
            0,
        ),
        "owner-replaced": ([{**templated_pod(), "metadata": _former()}, generated()], 0),
        "owner-runs": ([templated_pod(made="claim"), generated()], 1),
        "owner-unknown-left-to-garbage-collector": ([generated()], 1),
        "not-generated": ([finished(pod()), claim()], 1),
        "deleted-already": (
            [finished(templated_pod(made="claim")), deleted(finalized(generated()))],
            1,
        ),
    },
)
def test_deletes_generated_claims_without_use(objects: list[JSON], left: int) -> None:
    rig = claim_rig(*objects)
    rig.part.process(CLAIM)
    assert len(rig.api.all(DRA_V1ALPHA2.claims)) == left
    assert rig.part.queue.retries(CLAIM) == 0


def test_keeps_a_generated_claim_that_another_pod_uses() -> None:
    given = reserved(allocated(generated()), "other")
    rig = claim_rig(finished(templated_pod(made="claim")), pod("other"), given)
    rig.part.process(CLAIM)
    assert rig.api.writes() == []


def test_does_not_delete_a_claim_of_another_uid() -> None:
    rig = claim_rig(finished(templated_pod(made="claim")), generated())
    replaced = rig.claim()
    replaced["metadata"]["uid"] = "uid-replaced"
    rig.put(replaced)
    rig.part.process(CLAIM)
    assert rig.claim()["metadata"]["uid"] == "uid-replaced"


def test_stale_claim_is_a_conflict_and_tried_again() -> None:
    rig = claim_rig(reserved(allocated(claim())))
    rig.put(rig.claim())
    rig.part.process(CLAIM)
    assert rig.part.queue.retries(CLAIM) == 1
    rig.sync()
    rig.part.process(CLAIM)
    assert rig.claim()["status"]["deallocationRequested"]
    assert rig.part.queue.retries(CLAIM) == 0


def taken(*pods: str, deleting: bool = False) -> JSON:
    """Return a claim that the scheduler has allocated."""
    result = {"request": "r", "driver": "d", "pool": "p", "device": "gpu-0"}
    consumers = [{"resource": "pods", "name": name, "uid": f"uid-{name}"} for name in pods]
    meta = {"name": "claim", "namespace": "default", "uid": "uid-claim", "finalizers": [FINALIZER]}
    exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}
    made = {
        "kind": "ResourceClaim",
        "apiVersion": STRUCTURED.claims.api_version,
        "metadata": meta,
        "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
        "status": {"allocation": {"devices": {"results": [result]}}, "reservedFor": consumers},
    }
    return deleted(made) if deleting else made


def test_what_the_scheduler_allocated_is_free_when_the_last_consumer_is_gone() -> None:
    rig = claim_rig(taken("pod", "other"), pod("other"), known=STRUCTURED)
    rig.part.process(CLAIM)
    assert [each["name"] for each in rig.claim()["status"]["reservedFor"]] == ["other"]
    assert "allocation" in rig.claim()["status"]
    rig.api.remove(rig.resources["Pod"], "other", "default")
    rig.sync()
    rig.part.process(CLAIM)
    assert not rig.claim().get("status")
    assert not rig.claim()["metadata"].get("finalizers")


def test_a_claim_that_was_deleted_goes_when_nobody_uses_it() -> None:
    rig = claim_rig(taken("pod", deleting=True), pod(), known=STRUCTURED)
    rig.part.process(CLAIM)
    assert rig.api.writes() == []
    rig.api.remove(rig.resources["Pod"], "pod", "default")
    rig.sync()
    rig.part.process(CLAIM)
    assert not rig.has(STRUCTURED.claims)


def test_a_claim_that_is_allocated_and_never_was_used_goes_when_it_is_deleted() -> None:
    rig = claim_rig(taken(deleting=True), known=STRUCTURED)
    rig.part.process(CLAIM)
    assert not rig.has(STRUCTURED.claims)


def test_the_finalizer_stays_while_the_scheduler_allocates() -> None:
    made = taken()
    del made["status"]
    rig = claim_rig(made, known=STRUCTURED)
    rig.part.process(CLAIM)
    assert rig.api.writes() == []
