"""The trace that success leaves: one Normal event for each allocation, on the claim."""

import pytest

from api.nas import AllocatedDevice
from api.objects import DeviceID, NodeName
from controller.decide.allocator import described
from kube.errors import BrokenAnswer
from tests.support.build import claim, nas, pod, resource_class, scheduling
from tests.support.controllerrig import Rig

PSC = "psc:default/pod"
CLAIM = "claim:default/claim"


def successes(rig: Rig) -> list[tuple[str, str, str]]:
    calls = rig.events.normal.call_args_list
    return [(call.args[0]["metadata"]["name"], call.args[1], call.args[2]) for call in calls]


def negotiating(*claims: str) -> Rig:
    return Rig(
        pod("pod", *((f"my-{name}", name) for name in claims)),
        *(claim(name) for name in claims),
        resource_class(),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
    )


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        ([("a", 0)], "1 device of node n: a"),
        ([("a", 0), ("b", 0)], "2 devices of node n: a, b"),
        ([("a", 2), ("b", 0)], "2 devices of node n: a split in 2, b"),
        (
            [(str(i), 0) for i in range(128)],
            "128 devices of node n: 0, 1, 2, 3, 4, 5, 6, 7 and 120 more",
        ),
    ],
    ids=["one", "two", "split", "many"],
)
def test_devices_are_named_in_their_order_and_not_all(
    devices: list[tuple[str, int]], told: str
) -> None:
    given = [AllocatedDevice(DeviceID(name), split) for name, split in devices]
    assert described(NodeName("n"), given) == told


def test_every_claim_of_a_pod_is_told_of_once() -> None:
    rig = negotiating("one", "two")
    for _ in range(3):
        rig.handle(PSC)
        rig.resync()
    assert successes(rig) == [
        ("one", "Allocated", "1 device of node node-1: node-1-0"),
        ("two", "Allocated", "1 device of node node-1: node-1-1"),
    ]
    assert rig.told() == []


def test_immediate_claim_is_told_of_once() -> None:
    rig = Rig(claim(mode="Immediate"), resource_class(), nas())
    for _ in range(3):
        rig.handle(CLAIM)
        rig.resync()
    assert successes(rig) == [("claim", "Allocated", "1 device of node node-1: node-1-0")]


@pytest.mark.parametrize(
    ("verb", "plural"),
    [
        ("patch", "resourceclaims"),
        ("patch", "nodeallocationstates"),
        ("update", "resourceclaims/status"),
    ],
)
def test_attempts_that_fail_are_not_told_of_and_the_last_one_is_once(
    verb: str, plural: str
) -> None:
    rig = negotiating("claim")
    works = rig.api.fault
    rig.api.fault = lambda v, p, _: BrokenAnswer("lost") if (v, p) == (verb, plural) else None
    rig.handle(PSC)
    assert successes(rig) == []
    rig.api.fault = works
    rig.resync()
    rig.handle(PSC)
    assert [reason for _, reason, _ in successes(rig)] == ["Allocated"]
