"""What nodes say to a pod: the same as each says when it is planned on."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.names import TIME_SLICED
from api.nas import AllocatedClaim, AllocatedDevice, Device, NodeAllocationState
from api.objects import ClaimUID, DeviceID, NodeName
from api.parameters import ClaimParameters, ClassParameters, DeviceSelector
from api.sharing import Share
from controller.decide import nodeview
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.decide.nodeview import NodeView, Verdicts

FOREIGN, MINE = ClaimUID("foreign"), ClaimUID("x")


def request(
    claim: str, count: int, model: str | None, offered: str, most: int | None
) -> DeviceRequest:
    return DeviceRequest(
        ClaimUID(claim),
        ClaimParameters(count, 0, model),
        ClassParameters((DeviceSelector(name=offered),), max_clients=most),
    )


REQUESTS = st.lists(
    st.builds(
        request,
        st.sampled_from("xy"),
        st.integers(1, 3),
        st.sampled_from([None, "A", "?"]),
        st.sampled_from(["*", "A", "B"]),
        st.sampled_from([None, None, 2]),
    ),
    min_size=1,
    max_size=3,
)
HELD = st.sampled_from([None, None, FOREIGN, MINE])
SHARES = st.sampled_from([None, None, Share(0, 2)])
NODES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("AB"), HELD, SHARES), max_size=4),
        st.booleans(),
        st.booleans(),
    ),
    min_size=2,
    max_size=6,
)


def view(devices: list[tuple[str, ClaimUID | None, Share | None]], sharing: bool) -> NodeView:
    """Return a node with devices of a model, each of which a claim has, or not."""
    given: dict[ClaimUID, list[AllocatedDevice]] = {}
    for number, (_, holder, share) in enumerate(devices):
        if holder:
            held = AllocatedDevice(DeviceID(f"d{number}"), 0, share)
            given.setdefault(holder, []).append(held)
    state = NodeAllocationState(
        NodeName("node"),
        "system",
        allocatable=tuple(
            Device(DeviceID(f"d{number}"), model) for number, (model, _, _) in enumerate(devices)
        ),
        allocated={uid: AllocatedClaim(tuple(each)) for uid, each in given.items()},
        sharing=(TIME_SLICED,) if sharing else (),
    )
    return NodeView.of(state)


def reservation(node: NodeView) -> Plan:
    """Return what another pod is about to get: the first device that is free."""
    return {FOREIGN: tuple(AllocatedDevice(each.id) for each in node.free[:1])}


ONE = [request("x", 1, None, "*", None)]
TWO = [request("x", 2, None, "*", None)]
FREE, GIVEN, KEPT = ("A", None, None), ("A", FOREIGN, None), ("A", MINE, None)


@given(REQUESTS, NODES)
@example(ONE, [([FREE], True, False), ([FREE], True, True)])
@example(TWO, [([FREE, GIVEN], True, False), ([FREE, KEPT], True, False)])
def test_a_node_says_what_a_plan_on_it_says(
    requests: list[DeviceRequest],
    nodes: list[tuple[list[tuple[str, ClaimUID | None, Share | None]], bool, bool]],
) -> None:
    verdicts = Verdicts(requests)
    for devices, sharing, reserved in nodes:
        node = view(devices, sharing)
        taken = reservation(node) if reserved else {}
        planned = node.plan(requests, taken)
        expected = planned if isinstance(planned, Refusal) else None
        assert verdicts.refusal(node, taken) == expected


def test_nodes_that_differ_by_names_only_are_planned_on_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned: list[int] = []

    def plan(*args: object) -> Plan:
        planned.append(len(args))
        return {}

    monkeypatch.setattr(nodeview, "plan", plan)
    verdicts = Verdicts([request("x", 1, None, "*", None)])
    free, taken = view([("A", None, None)] * 8, True), view([("A", FOREIGN, None)] * 8, True)
    for node in [free, taken] * 64:
        verdicts.refusal(node)
    assert len(planned) == 2
