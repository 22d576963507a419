"""Which pods and claims the claim controller looks at, from watch events alone."""

from api.resources import DRA_V1ALPHA2, PODS
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    finished,
    generated,
    pod,
    reserved,
    scheduling,
    template,
    templated_pod,
)
from tests.support.controlplanerig import claim_rig

POD = "pod:default/pod"
CLAIM = "claim:default/claim"


def test_unrecorded_claim_is_looked_at_when_its_pod_is_done() -> None:
    rig = claim_rig(templated_pod(), generated(), template())
    rig.due()
    rig.put(finished(rig.pod()))
    rig.sync()
    assert rig.due() == [CLAIM, POD]


def test_generated_claim_lives_as_long_as_its_pod() -> None:
    """From template to deletion, with nothing but watch events as the trigger."""
    rig = claim_rig(templated_pod(), template())
    rig.settle()
    (made,) = rig.api.all(DRA_V1ALPHA2.claims)
    rig.put(reserved(allocated(made)))
    rig.put({**rig.pod(), "spec": {**rig.pod()["spec"], "nodeName": "node-1"}})
    rig.sync()
    rig.settle()
    (kept,) = rig.api.all(DRA_V1ALPHA2.claims)
    assert kept["status"]["reservedFor"]
    rig.put(finished(rig.pod()))
    rig.sync()
    rig.settle()
    assert rig.api.all(DRA_V1ALPHA2.claims) == []


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
    rig.api.objects.pop((DRA_V1ALPHA2.contexts.plural, "default/pod"))
    rig.sync()
    rig.settle()
    assert rig.context()["spec"]["selectedNode"] == "node-1"
