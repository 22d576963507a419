"""Where Immediate claims go, by what the Nodes say: there is no pod to keep off a bad one."""

import pytest

from api.objects import JSON
from tests.support.build import claim, holding, nas, node, resource_class
from tests.support.controllerrig import Rig

CLAIM = "claim:default/claim"
DEDICATED = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
EVICTING = {"key": "maintenance", "effect": "NoExecute"}
PREFERRED = {"key": "busy", "effect": "PreferNoSchedule"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}

CLOSED = {
    "missing": (None, "its Node does not exist"),
    "cordoned": (node(unschedulable=True), "it is cordoned"),
    "not ready": (node(ready=False), "its kubelet is not ready"),
    "unreachable": (node(taints=[UNREACHABLE]), "taint node.kubernetes.io/unreachable:NoExecute"),
}
"""Nodes on which no pod can run, and what is said about them."""

TAINTED = {
    "NoSchedule": (node(taints=[DEDICATED]), "the taint dedicated=gpu:NoSchedule"),
    "NoExecute": (node(taints=[EVICTING]), "the taint maintenance:NoExecute"),
}
"""Nodes on which pods run that tolerate them."""

closed = pytest.mark.parametrize(("bad", "text"), CLOSED.values(), ids=CLOSED)
tainted = pytest.mark.parametrize(("bad", "text"), TAINTED.values(), ids=TAINTED)
any_bad = pytest.mark.parametrize(
    "bad", [bad for bad, _ in (CLOSED | TAINTED).values()], ids=CLOSED | TAINTED
)


def rig(*objects: JSON | None) -> Rig:
    """Return a controller that has an Immediate claim to allocate."""
    given = [obj for obj in objects if obj is not None]
    return Rig(claim(mode="Immediate"), resource_class(), *given, with_nodes=False)


@any_bad
def test_a_good_node_is_chosen_before_a_bad_one_with_more_room(bad: JSON | None) -> None:
    made = rig(nas("node-1", 8), bad, nas("node-2", 2), node("node-2"))
    assert made.handle(CLAIM) == "done"
    assert made.allocated("node-2") == {"uid-claim": ["node-2-0"]}
    assert made.told() == []


def test_a_taint_that_keeps_no_pod_off_does_not_count() -> None:
    soft = node("node-1", taints=[PREFERRED])
    made = rig(nas("node-1", 8), soft, nas("node-2", 2), node("node-2"))
    assert made.handle(CLAIM) == "done"
    assert made.allocated("node-1") == {"uid-claim": ["node-1-0"]}
    assert made.told() == []


@any_bad
def test_an_attempt_on_a_node_that_went_bad_moves_to_a_good_one(bad: JSON | None) -> None:
    begun = holding(nas("node-1", 8), "uid-claim", 0)
    made = rig(begun, bad, nas("node-2", 2), node("node-2"))
    assert made.handle(CLAIM) == "done"
    assert made.allocated("node-1") == {}
    assert made.allocated("node-2") == {"uid-claim": ["node-2-0"]}


@tainted
def test_a_tainted_node_serves_if_no_better_one_can_and_the_claim_says_so(
    bad: JSON, text: str
) -> None:
    full = holding(nas("node-2", 1), "other", 0)
    made = rig(nas("node-1"), bad, full, node("node-2"))
    assert made.handle(CLAIM) == "done"
    assert made.allocated("node-1") == {"uid-claim": ["node-1-0"]}
    ((kind, reason, message),) = made.told()
    assert (kind, reason) == ("ResourceClaim", "NodeOfLastResort")
    assert message == (
        f"allocated on node node-1 because no better one can serve the claim: it has {text}, "
        "so that only pods which tolerate that can use the claim"
    )


@closed
def test_a_claim_waits_if_no_pod_could_run_where_its_devices_are(
    bad: JSON | None, text: str
) -> None:
    made = rig(nas("node-1"), bad)
    assert made.handle(CLAIM) == "blocked"
    assert made.allocated("node-1") == {}
    ((kind, reason, message),) = made.told()
    assert (kind, reason) == ("ResourceClaim", "NoSuitableNode")
    assert "no pod can run there: " in message
    assert text in message


@closed
def test_a_waiting_claim_is_allocated_when_its_node_is_good_again(
    bad: JSON | None, text: str
) -> None:
    made = rig(nas("node-1"), bad)
    assert made.handle(CLAIM) == "blocked"
    made.queued()
    made.see(node("node-1"))
    assert made.queued() == [CLAIM]
    assert made.handle(CLAIM) == "done"
    assert made.allocated("node-1") == {"uid-claim": ["node-1-0"]}


def test_a_node_that_says_the_same_again_wakes_nobody() -> None:
    made = rig(nas("node-1"), node(unschedulable=True))
    assert made.handle(CLAIM) == "blocked"
    made.queued()
    made.see(node(unschedulable=True))
    assert made.queued() == []


def test_nodes_that_are_equally_good_are_taken_by_room_and_name() -> None:
    states = [nas("node-3", 2), nas("node-2", 4), nas("node-1", 4)]
    made = rig(*states, *(node(f"node-{n}") for n in (1, 2, 3)))
    assert made.handle(CLAIM) == "done"
    assert made.allocated("node-1") == {"uid-claim": ["node-1-0"]}
