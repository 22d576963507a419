"""The order in which nodes are tried for an Immediate claim, and what a class has to say in it."""

import pytest

from api.contract import FAKE
from api.nas import parse_nas
from api.objects import JSON, ClaimUID, NodeName
from api.parameters import ClassParameters, DeviceSelector, Policy
from controller.decide.allocator import DeviceRequest, left_over
from controller.decide.nodehealth import Objection, Severity
from controller.decide.nodeview import NodeView, view_of
from controller.decide.placement import Candidate, preferred
from tests.support.build import claim, holding, nas, offering
from tests.support.controllerrig import Rig

LAST = Objection(Severity.TAINTED, "it has a taint")


def candidate(name: str, free: int, *, holding: bool = False, last: bool = False) -> Candidate:
    return Candidate(NodeName(name), LAST if last else None, holding, free)


@pytest.mark.parametrize(
    ("candidates", "policy", "expected"),
    [
        pytest.param([("a", 1), ("b", 3), ("c", 2)], None, "bca", id="most-free-by-itself"),
        pytest.param([("a", 1), ("b", 3), ("c", 2)], Policy.SPREAD, "bca", id="spread"),
        pytest.param([("a", 1), ("b", 3), ("c", 2)], Policy.PACKED, "acb", id="packed"),
        pytest.param([("b", 1), ("a", 1)], Policy.PACKED, "ab", id="packed-ties-by-name"),
        pytest.param([("b", 1), ("a", 1)], Policy.SPREAD, "ab", id="spread-ties-by-name"),
        pytest.param([], Policy.PACKED, "", id="no-node"),
    ],
)
def test_nodes_in_order(
    candidates: list[tuple[str, int]], policy: Policy | None, expected: str
) -> None:
    found = preferred([candidate(*each) for each in candidates], policy)
    assert "".join(each.node for each in found) == expected


@pytest.mark.parametrize("policy", [None, *Policy])
def test_what_speaks_against_a_node_and_what_it_holds_count_more_than_room(
    policy: Policy | None,
) -> None:
    nodes = [
        candidate("bad", 5, last=True),
        candidate("bad-too", 5, last=True, holding=True),
        candidate("good", 3),
        candidate("mine", 4, holding=True),
        candidate("none", 0, last=True),
    ]
    found = [each.node for each in preferred(nodes, policy)]
    assert found[:3] == ["mine", "good", "bad-too"]


def view(state: JSON, *models: str) -> NodeView:
    for device, model in zip(state["spec"]["allocatableDevice"], models, strict=False):
        device["fake"]["name"] = model
    found = view_of(parse_nas(state, FAKE.device_key))
    assert isinstance(found, NodeView)
    return found


@pytest.mark.parametrize(
    ("state", "offer", "left"),
    [
        pytest.param(nas(devices=3), ClassParameters(), 3, id="whole-devices"),
        pytest.param(holding(nas(devices=3), "u", 0), ClassParameters(), 2, id="one-is-held"),
        pytest.param(
            nas(devices=3), ClassParameters((DeviceSelector(name="A"),)), 1, id="of-the-class"
        ),
        pytest.param(
            holding(nas(devices=3), "u", 0, share=(0, 4)), ClassParameters(), 2, id="one-is-shared"
        ),
        pytest.param(nas(devices=3), ClassParameters(max_clients=4), 12, id="shares"),
        pytest.param(
            holding(nas(devices=3), "u", 0, share=(0, 4)),
            ClassParameters(max_clients=4),
            11,
            id="shares-of-which-one-is-held",
        ),
        pytest.param(
            holding(nas(devices=3), "u", 0, share=(0, 2)),
            ClassParameters(max_clients=4),
            9,
            id="no-more-than-others-were-promised",
        ),
        pytest.param(
            holding(nas(devices=3), "u", 0, share=(0, 4)),
            ClassParameters((DeviceSelector(name="A"),), max_clients=4),
            3,
            id="shares-of-the-class",
        ),
    ],
)
def test_what_is_left_of_what_a_class_offers(
    state: JSON, offer: ClassParameters, left: int
) -> None:
    request = DeviceRequest(ClaimUID("uid"), offered_by_class=offer)
    seen = view(state, "A", "B", "B")
    assert left_over(seen.free, seen.shared, request) == left


NODES = [nas("node-1", 4), holding(nas("node-2", 4), "u", 0, 1, share=(0, 2)), nas("node-3", 2)]
"""Node 2 has as many whole devices as node 3, and shares of two more."""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, "node-1", id="by-itself"),
        pytest.param({"allocationPolicy": "Spread"}, "node-1", id="spread"),
        pytest.param({"allocationPolicy": "Packed"}, "node-2", id="packed"),
        pytest.param(
            {"allocationPolicy": "Packed", "sharing": "TimeSliced", "maxClients": 2},
            "node-3",
            id="packed-shares",
        ),
        pytest.param(
            {"allocationPolicy": "Spread", "sharing": "TimeSliced", "maxClients": 2},
            "node-1",
            id="spread-shares",
        ),
    ],
)
def test_an_immediate_claim_goes_where_its_class_wants_it(spec: JSON, expected: str) -> None:
    states = [{**each, "spec": {**each["spec"], "sharing": ["TimeSliced"]}} for each in NODES]
    rig = Rig(claim(mode="Immediate"), *offering(**spec), *states)
    assert rig.handle("claim:default/claim") == "done"
    assert "uid-claim" in rig.allocated(expected)


def test_a_packed_node_that_does_not_fit_is_passed_over() -> None:
    full = holding(nas("node-1", 1), "u", 0)
    packed = offering(allocationPolicy="Packed")
    rig = Rig(claim(mode="Immediate"), *packed, full, nas("node-2", 3), nas("node-3", 2))
    assert rig.handle("claim:default/claim") == "done"
    assert rig.allocated("node-3") == {"uid-claim": ["node-3-0"]}
