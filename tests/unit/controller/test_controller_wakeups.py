"""Who is looked at again when something changes elsewhere."""

import pytest

from api.objects import JSON
from api.resources import STATES
from controller.outcome import Topic
from controller.queue.reconcile import Waiters
from controller.queue.wakeups import may_serve_more
from tests.support.build import (
    POD_CLAIM,
    SYSTEM,
    allocated,
    claim,
    deallocating,
    deleted,
    finalized,
    holding,
    nas,
    owned,
    pod,
    preparing,
    reserved,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import RESOURCES, Rig

PSC = "psc:default/pod"


def test_waiters_wake_only_who_waits_for_the_topic() -> None:
    waiters = Waiters()
    a, b = Topic("node", "a"), Topic("node", "b")
    waiters.wait("x", [a, b])
    waiters.wait("y", [b])
    assert waiters.wake(a) == ["x"]
    assert waiters.wake(b) == ["x", "y"]
    waiters.wait("x", [])
    assert waiters.wake(a) == []
    assert waiters.wake(b) == ["y"]


DELAYED = claim()
IMMEDIATE = claim(mode="Immediate")
HELD = finalized(allocated(DELAYED))


@pytest.mark.parametrize(
    ("old", "new", "looked_at"),
    [
        (None, DELAYED, False),
        (DELAYED, HELD, False),
        (HELD, reserved(HELD), False),
        (None, IMMEDIATE, True),
        (IMMEDIATE, finalized(allocated(IMMEDIATE)), True),
        (HELD, deallocating(HELD), True),
        (HELD, deleted(HELD), True),
        (deleted(HELD), deleted(reserved(HELD)), True),
        (None, deleted(DELAYED), False),
    ],
    ids=[
        "made",
        "allocated",
        "reserved",
        "made Immediate",
        "allocated Immediate",
        "deallocation requested",
        "deleted",
        "deleted but reserved again",
        "deleted and not ours",
    ],
)
def test_a_claim_is_looked_at_unless_there_is_and_was_nothing_to_do(
    old: JSON | None, new: JSON, looked_at: bool
) -> None:
    rig = Rig(begun=False)
    rig.controller.begin()
    rig.queued()
    rig.controller.wakeups.on_claim(old, new)
    assert rig.queued() == (["claim:default/claim"] if looked_at else [])


EMPTY = nas(devices=4)
HALF = holding(EMPTY, "u", 0, 1)


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        (None, EMPTY, True),
        (EMPTY, None, True),
        (EMPTY, HALF, False),
        (HALF, EMPTY, True),
        (HALF, holding(HALF, "u", 0), True),
        (HALF, holding(HALF, "v", 2), False),
        (HALF, preparing(HALF, "u", 0, 1), False),
        (preparing(HALF, "u", 0, 1), HALF, True),
        ({**EMPTY, "status": "NotReady"}, EMPTY, True),
        (EMPTY, nas(devices=5), True),
        (EMPTY, nas(sharing=["TimeSliced"]), True),
        ({**EMPTY, "spec": ["odd"]}, EMPTY, True),
    ],
    ids=[
        "published",
        "deleted",
        "allocated",
        "freed",
        "shrunk",
        "one-more",
        "prepared",
        "unprepared",
        "ready",
        "new-device",
        "shares-its-devices-now",
        "mended",
    ],
)
def test_only_changes_that_may_help_somebody_wake(
    old: JSON | None, new: JSON | None, more: bool
) -> None:
    assert may_serve_more(old, new) is more


def wanting_room() -> Rig:
    """A pod that waits for a device of a node whose only one is taken."""
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        resource_class(),
        scheduling(potential=["node-1"]),
        holding(nas(devices=1), "somebody", 0),
    )
    rig.queued()
    return rig


def waiting_for_room() -> Rig:
    rig = wanting_room()
    assert rig.handle(PSC) == "blocked"
    rig.queued()
    return rig


def test_what_changes_while_a_pod_is_answered_is_not_missed() -> None:
    rig = wanting_room()

    def freed(verb: str, plural: str, _: object) -> None:
        if (verb, plural) == ("update", "podschedulingcontexts/status"):
            rig.see(nas(devices=1))

    rig.api.fault = freed
    assert rig.handle(PSC) == "blocked"
    assert PSC in rig.queued()


def newer(obj: JSON, version: str = "9000") -> JSON:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}


def test_a_freed_device_wakes_the_pod_that_waits_for_its_node() -> None:
    rig = waiting_for_room()
    rig.cache("states").apply(newer(nas(devices=1)))
    assert rig.queued() == [PSC]
    rig.handle(PSC)
    entries = rig.scheduling()["status"]["resourceClaims"]
    assert entries == [{"name": POD_CLAIM, "unsuitableNodes": []}]


def test_own_write_wakes_it_with_the_watch_and_not_in_the_stack_of_who_writes() -> None:
    rig = waiting_for_room()
    leaving = deleted(finalized(allocated(claim("leaving"))))
    held = holding(nas(devices=1), leaving["metadata"]["uid"], 0)
    for name, resource, obj in (("claims", RESOURCES.claims, leaving), ("states", STATES, held)):
        rig.cache(name).apply(rig.api.put(resource, obj))
    rig.queued()
    assert rig.handle("claim:default/leaving") == "done"
    assert rig.cache("states").get(f"{SYSTEM}/node-1")["spec"].get("allocatedClaims") in (None, {})
    assert len(rig.controller.queue) == 0
    rig.cache("states").apply(rig.nas())
    assert PSC in rig.queued()


def test_another_node_does_not_wake_it() -> None:
    rig = waiting_for_room()
    rig.cache("states").apply(newer(nas("node-2")))
    assert rig.queued() == []


@pytest.mark.parametrize("kind", ["class", "parameters"])
def test_what_a_claim_refers_to_wakes_it_when_it_appears(kind: str) -> None:
    ref = {"apiGroup": "fake.resource.3-shake.com", "kind": "FakeClaimParameters", "name": "p"}
    parameters = {
        "apiVersion": "fake.resource.3-shake.com/v1alpha1",
        "kind": "FakeClaimParameters",
        "metadata": {"name": "p", "namespace": "default", "uid": "uid-p"},
        "spec": {"count": 2},
    }
    given = {"class": [parameters], "parameters": [resource_class()]}[kind]
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(parametersRef=ref),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
        *given,
    )
    assert rig.handle(PSC) == "blocked"
    rig.queued()
    missing = {
        "class": ("classes", resource_class()),
        "parameters": ("FakeClaimParameters", parameters),
    }
    name, obj = missing[kind]
    rig.cache(name).apply(newer(obj))
    assert PSC in rig.queued()
    assert rig.handle(PSC) == "waiting"
    assert rig.allocated() == {"uid-claim": ["node-1-0", "node-1-1"]}


def test_a_pod_whose_claims_are_recorded_later_wakes_its_context() -> None:
    young = pod("pod")
    young["spec"]["resourceClaims"] = [
        {"name": POD_CLAIM, "source": {"resourceClaimTemplateName": "t"}}
    ]
    rig = Rig(young, scheduling(potential=["node-1"], selected="node-1"), resource_class(), nas())
    assert rig.handle(PSC) == "again"
    rig.queued()
    made = owned(claim("made-x7k2p"))
    rig.cache("claims").apply(rig.api.put(RESOURCES.claims, made))
    statuses = [{"name": POD_CLAIM, "resourceClaimName": "made-x7k2p"}]
    rig.cache("pods").apply(newer({**young, "status": {"resourceClaimStatuses": statuses}}))
    assert PSC in rig.queued()
    assert rig.handle(PSC) == "waiting"
    assert rig.allocated() == {"uid-made-x7k2p": ["node-1-0"]}


def test_an_answer_asks_nothing_and_a_new_question_does() -> None:
    rig = waiting_for_room()
    rig.queued()
    asked = rig.scheduling()
    answered = {**asked, "status": {"resourceClaims": [{"name": POD_CLAIM}]}}
    rig.cache("contexts").apply(newer(answered, "9001"))
    assert rig.queued() == []
    moved = {**answered, "spec": {**asked["spec"], "selectedNode": "node-1"}}
    rig.cache("contexts").apply(newer(moved, "9002"))
    assert rig.queued() == [PSC]


def test_a_claim_that_was_let_go_is_not_freed_again() -> None:
    held = deleted(finalized(claim()))
    rig = Rig(held, resource_class(), nas())
    rig.handle("claim:default/claim")
    before = rig.api.writes()
    rig.cache("claims").apply(newer(held))
    rig.handle("claim:default/claim")
    assert rig.api.writes() == before
