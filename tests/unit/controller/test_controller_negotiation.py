"""What is answered in a PodSchedulingContext, without any API server."""

import pytest

from api.claims import PodSchedulingContext
from api.nas import AllocatedDevice
from api.objects import ClaimUID, DeviceID, NodeName
from controller.allocator import DeviceRequest, Plan, Refusal
from controller.negotiation import answered, explain, negotiate
from tests.support.build import POD_CLAIM, scheduling

REQUEST = DeviceRequest(ClaimUID("u"))
PLAN: Plan = {ClaimUID("u"): (AllocatedDevice(DeviceID("d")),)}
FULL = Refusal("TooFewFree", "needs 1 device, 0 free")


def nodes(count: int) -> list[str]:
    return [f"node-{i}" for i in range(count)]


def ask(potential: list[str], selected: str, bad: set[str]):  # type: ignore[no-untyped-def]
    psc = PodSchedulingContext(scheduling(potential=potential, selected=selected))
    return negotiate(psc, [POD_CLAIM], [REQUEST], lambda node, _: FULL if node in bad else PLAN)


@pytest.mark.parametrize(
    ("potential", "selected", "bad", "unsuitable", "allocate_on"),
    [
        (["a", "b"], "", set(), [], None),
        (["a", "b"], "", {"b"}, ["b"], None),
        (["a", "b"], "a", {"b"}, ["b"], "a"),
        (["a", "b"], "a", {"a", "b"}, ["a", "b"], None),
        (["a"], "z", set(), [], "z"),
        (["a"], "z", {"z"}, ["z"], None),
        ([], "a", set(), [], "a"),
        ([], "a", {"a"}, [], None),
    ],
    ids=[
        "all-fit",
        "one-refused",
        "selected-fits",
        "selected-refused",
        "selected-not-potential",
        "selected-not-potential-refused",
        "scheduled-pod",
        "scheduled-pod-refused",
    ],
)
def test_answer(
    potential: list[str],
    selected: str,
    bad: set[str],
    unsuitable: list[str],
    allocate_on: str | None,
) -> None:
    answer = ask(potential, selected, bad)
    assert answer.unsuitable == {POD_CLAIM: unsuitable}
    assert (answer.allocate_on[0] if answer.allocate_on else None) == allocate_on
    assert set(answer.refusals) == bad & {*potential, selected}


def test_case_30_selected_last_of_129_unsuitable_drops_the_first() -> None:
    potential = nodes(128)
    answer = ask(potential, "selected", {*potential, "selected"})
    assert answer.unsuitable[POD_CLAIM] == [*potential[1:], "selected"]


def test_case_31_selected_first_of_129_unsuitable_drops_the_last() -> None:
    potential = ["selected", *nodes(128)]
    answer = ask(potential, "selected", set(potential))
    assert answer.unsuitable[POD_CLAIM] == potential[:128]


def test_node_that_fails_at_the_last_moment_is_refused_within_the_limit() -> None:
    potential = [*nodes(128)]
    answer = ask(potential, "selected", set(potential))
    refused = answer.refuse(NodeName("selected"), FULL)
    assert refused.allocate_on is None
    assert len(refused.unsuitable[POD_CLAIM]) == 128
    assert refused.unsuitable[POD_CLAIM][-1] == "selected"
    assert refused.refuse(NodeName("selected"), FULL).unsuitable == refused.unsuitable


def test_an_empty_entry_is_written_once_and_other_drivers_entries_stay() -> None:
    raw = scheduling(potential=["a"])
    raw["status"] = {"resourceClaims": [{"name": "foreign", "unsuitableNodes": ["x"]}]}
    body = answered(PodSchedulingContext(raw), {POD_CLAIM: []})
    assert body is not None
    assert body["status"]["resourceClaims"] == [
        {"name": "foreign", "unsuitableNodes": ["x"]},
        {"name": POD_CLAIM, "unsuitableNodes": []},
    ]
    assert answered(PodSchedulingContext(body), {POD_CLAIM: []}) is None
    assert answered(PodSchedulingContext(body), {POD_CLAIM: [NodeName("a")]}) is not None


def test_explanation_counts_nodes_by_reason() -> None:
    refusals = {NodeName(n): FULL for n in ("a", "b")}
    refusals[NodeName("c")] = Refusal("NotReady", "its plugin reports status NotReady")
    assert explain(refusals, 4) == (
        "1 of 4 nodes can serve the pod's claims; 2 of them: needs 1 device, 0 free; "
        "1 of them: its plugin reports status NotReady"
    )
