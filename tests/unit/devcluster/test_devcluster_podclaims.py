"""Which claims a pod means; cases of k8s.io/dynamic-resource-allocation/resourceclaim."""

from api.claims.versions import read_claim
from api.claims.view import with_status
from api.objects import JSON
from api.pods import Pod
from devcluster.podclaims import (
    claim_keys,
    is_finished,
    is_reserved_for,
    usable_claims,
    with_consumer,
    without_consumer,
)
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    owned,
    pod,
    reserved,
    templated_pod,
)
from tests.support.tables import cases

NAMED = pod("pod", (POD_CLAIM, "claim"))
MADE = templated_pod(made="claim")


@cases(
    ("given", "stored", "found"),
    {
        "claim-reference": (NAMED, claim(), ["claim"]),
        "claim-template": (MADE, owned(claim()), ["claim"]),
        "empty": (pod(), claim(), []),
        "omitted": (
            {**templated_pod(), "status": {"resourceClaimStatuses": [{"name": POD_CLAIM}]}},
            None,
            [],
        ),
        "not-generated-yet": (
            templated_pod(),
            None,
            f'waiting for the ResourceClaim of pod claim "{POD_CLAIM}" to be created',
        ),
        "missing-claim": (NAMED, None, 'resourceclaim "claim" not found'),
        "deleted-claim": (NAMED, deleted(claim()), 'resourceclaim "claim" is being deleted'),
        "wrong-owner": (
            MADE,
            owned(claim(), "other"),
            "ResourceClaim default/claim was not created for pod default/pod (pod is not owner)",
        ),
        "no-owner": (
            MADE,
            claim(),
            "ResourceClaim default/claim was not created for pod default/pod (pod is not owner)",
        ),
    },
)
def test_usable_claims(given: JSON, stored: JSON | None, found: list[str] | str) -> None:
    answer = usable_claims(Pod(given), {"default/claim": stored}.get)
    names = answer if isinstance(answer, str) else [c.name for _, c in answer]
    assert names == found


def test_claims_keep_the_order_of_the_pod() -> None:
    given = Pod(pod("pod", ("z", "claim-1"), ("a", "claim-0")))
    answer = usable_claims(given, lambda key: claim(key.partition("/")[2]))
    assert [(name, c.name) for name, c in answer] == [("z", "claim-1"), ("a", "claim-0")]
    assert [*claim_keys(given)] == ["default/claim-1", "default/claim-0"]


def test_keys_skip_what_is_not_generated_yet() -> None:
    assert [*claim_keys(Pod(templated_pod()))] == []


@cases(
    ("given", "finished"),
    {
        "pending": (pod(), False),
        "running": ({**pod(), "status": {"phase": "Running"}}, False),
        "succeeded": ({**pod(), "status": {"phase": "Succeeded"}}, True),
        "failed": ({**pod(), "status": {"phase": "Failed"}}, True),
        "deleted-unscheduled": (deleted(pod()), True),
        "deleted-on-node": (deleted(pod(nodeName="node-1")), False),
    },
)
def test_is_finished(given: JSON, *, finished: bool) -> None:
    assert is_finished(Pod(given)) is finished


def test_consumers_come_and_go() -> None:
    before = reserved(allocated(claim()), "other")
    after = read_claim(with_consumer(read_claim(before), Pod(pod())))
    assert is_reserved_for(Pod(pod()), after)
    assert not is_reserved_for(Pod(pod()), read_claim(before))
    assert without_consumer(after, Pod(pod())) == before
    assert "reservedFor" not in without_consumer(read_claim(before), Pod(pod("other")))["status"]


def test_status_fields_are_replaced_in_a_copy() -> None:
    before = reserved(allocated(claim()))
    after = with_status(before, reservedFor=None, deallocationRequested=True)
    assert set(after["status"]) == {"allocation", "driverName", "deallocationRequested"}
    assert before == reserved(allocated(claim()))
    assert with_status(claim(), deallocationRequested=True)["status"] == {
        "deallocationRequested": True
    }
