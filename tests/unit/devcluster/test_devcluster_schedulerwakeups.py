"""Which pods the scheduler looks at after a change, and which changes it ignores."""

import pytest

from api.resources import DRA_V1ALPHA2, PODS
from devcluster.scheduler import LONGEST_WAIT
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deallocating,
    finalized,
    node,
    pod,
    resource_class,
    scheduling,
)
from tests.support.controlplanerig import scheduler_rig
from tests.support.tables import cases

KEY = "default/pod"
USER = pod("pod", (POD_CLAIM, "claim"))


def test_own_writes_lead_to_no_further_attempt() -> None:
    rig = scheduler_rig(node(), USER, claim(), resource_class())
    rig.part.process(rig.due()[0])
    rig.sync()
    assert rig.due() == []


def test_looks_again_after_a_long_time() -> None:
    rig = scheduler_rig(node(unschedulable=True), pod())
    rig.settle()
    rig.time += LONGEST_WAIT
    assert rig.due() == [KEY]


def test_foreign_context_blocks_until_it_is_gone() -> None:
    foreign = scheduling()
    foreign["metadata"]["ownerReferences"][0]["uid"] = "uid-former"
    rig = scheduler_rig(node(), USER, claim(), resource_class(), foreign)
    rig.settle()
    assert rig.api.writes() == []
    rig.api.objects.pop((DRA_V1ALPHA2.contexts.plural, "default/pod"))
    rig.sync()
    rig.settle()
    assert rig.context()["metadata"]["ownerReferences"][0]["uid"] == "uid-pod"


@cases(
    "change",
    {
        "class": lambda rig: rig.put(resource_class(suitableNodes={"nodeSelectorTerms": []})),
        "new-node": lambda rig: rig.put(node("node-2")),
        "changed-node": lambda rig: rig.put(node(spec="changed", unschedulable=True)),
        "claim": lambda rig: rig.put(deallocating(rig.claim())),
    },
)
def test_changes_that_matter(change) -> None:  # type: ignore[no-untyped-def]
    rig = scheduler_rig(node(), USER, allocated(claim(), "node-9"), resource_class())
    rig.due()
    change(rig)
    rig.sync()
    assert rig.due() == [KEY]


@cases(
    "change",
    {
        "heartbeat": lambda rig: rig.put({**node(), "status": {**node()["status"], "images": []}}),
        "own-condition": lambda rig: rig.put({**rig.pod(), "status": {"conditions": []}}),
        "finalizer": lambda rig: rig.put(finalized(rig.claim())),
        "other-claim": lambda rig: rig.put(claim("unrelated")),
        "other-context": lambda rig: rig.put(scheduling("unrelated")),
        "claim-gone": lambda rig: rig.api.objects.pop(
            (DRA_V1ALPHA2.claims.plural, "default/claim")
        ),
    },
)
def test_changes_that_do_not_matter(change) -> None:  # type: ignore[no-untyped-def]
    rig = scheduler_rig(node(), USER, claim(), resource_class())
    rig.due()
    change(rig)
    rig.sync()
    assert rig.due() == []


def test_new_class_wakes_only_pods_with_claims() -> None:
    rig = scheduler_rig(USER, pod("plain"))
    rig.due()
    rig.put(resource_class())
    rig.sync()
    assert rig.due() == [KEY]


@pytest.mark.parametrize("unschedulable", [True, False], ids=["backing-off", "bound"])
def test_forgets_a_pod_that_is_gone(*, unschedulable: bool) -> None:
    rig = scheduler_rig(node(unschedulable=unschedulable), pod())
    rig.settle()
    rig.api.objects.pop((PODS.plural, "default/pod"))
    rig.sync()
    rig.put(pod())
    rig.put(node())
    rig.sync()
    rig.settle()
    assert rig.node_of() == "node-1"
