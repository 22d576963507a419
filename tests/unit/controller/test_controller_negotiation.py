"""What is answered in a PodSchedulingContext, without any API server."""

from collections.abc import Collection

import pytest

from api.nas import AllocatedDevice
from api.objects import ClaimUID, DeviceID, NodeName
from api.pods import PodSchedulingContext
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.decide.negotiation import Answer, answered, explain, favoured, negotiate
from kube.events import LONGEST_MESSAGE
from tests.support.build import POD_CLAIM, scheduling

REQUEST = DeviceRequest(ClaimUID("u"))
PLAN: Plan = {ClaimUID("u"): (AllocatedDevice(DeviceID("d")),)}
FULL = Refusal("TooFewFree", "asked for 1 device, not free at present")


def nodes(count: int) -> list[str]:
    return [f"node-{i}" for i in range(count)]


def ask(
    potential: list[str],
    selected: str,
    bad: set[str],
    silent: Collection[str] = (),
    others: dict[str, list[str]] | None = None,
) -> Answer:
    """Ask about nodes; `others` is what the claims of other drivers know as unsuitable."""
    raw = scheduling(potential=potential, selected=selected)
    entries = [{"name": n, "unsuitableNodes": nodes} for n, nodes in (others or {}).items()]
    psc = PodSchedulingContext({**raw, "status": {"resourceClaims": entries}})
    return negotiate(
        psc,
        [POD_CLAIM],
        lambda node: FULL if node in bad else None,
        lambda node: FULL if node in bad else PLAN,
        lambda node: node in silent,
    )


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


@pytest.mark.parametrize(
    ("potential", "selected", "bad", "silent", "others", "unsuitable", "allocate_on"),
    [
        (["a", "b"], "", set(), {"a"}, {}, ["a"], None),
        (["a", "b"], "a", set(), {"a"}, {}, ["a"], None),
        (["a", "b"], "b", set(), {"a"}, {}, ["a"], "b"),
        (["a", "b"], "a", {"b"}, {"a"}, {}, ["b"], "a"),
        (["a", "b"], "a", set(), {"a", "b"}, {}, [], "a"),
        (["a", "b"], "", {"a"}, {"a"}, {}, ["a"], None),
        (["a"], "a", set(), {"a"}, {}, [], "a"),
        ([], "a", set(), {"a"}, {}, [], "a"),
        (["a"], "z", set(), {"a"}, {}, [], "z"),
        (["a", "b"], "a", set(), {"a"}, {"foreign": ["b"]}, [], "a"),
        (["a", "b", "c"], "a", set(), {"a"}, {"foreign": ["b"]}, ["a"], None),
        (["a", "b"], "a", set(), {"a"}, {POD_CLAIM: ["b"]}, ["a"], None),
    ],
    ids=[
        "another suits",
        "selected, another suits",
        "another is selected",
        "the other is full",
        "all are silent",
        "full anyway",
        "the only one",
        "scheduled pod",
        "the other is not potential",
        "the other does not suit another driver",
        "one of the others suits both drivers",
        "the other did not suit us before",
    ],
)
def test_a_silent_node_is_unsuitable_while_another_potential_node_suits(
    potential: list[str],
    selected: str,
    bad: set[str],
    silent: set[str],
    others: dict[str, list[str]],
    unsuitable: list[str],
    allocate_on: str | None,
) -> None:
    answer = ask(potential, selected, bad, silent, others)
    assert answer.unsuitable == {POD_CLAIM: unsuitable}
    assert (answer.allocate_on[0] if answer.allocate_on else None) == allocate_on
    told = {node: refusal.reason for node, refusal in answer.refusals.items()}
    assert told == {node: "TooFewFree" if node in bad else "Silent" for node in unsuitable}


@pytest.mark.parametrize(("silent", "expected"), [(set(), "a"), ({"a"}, None)])
def test_a_node_that_went_silent_after_the_answer_is_not_taken_unseen(
    silent: set[str], expected: str | None
) -> None:
    raw = scheduling(potential=["a", "b"], selected="a")
    raw["status"] = {"resourceClaims": [{"name": POD_CLAIM, "unsuitableNodes": []}]}
    psc = PodSchedulingContext(raw)
    assert favoured(psc, [POD_CLAIM], lambda node: node in silent) == expected


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


NOT_READY = Refusal("NotReady", "its plugin reports status NotReady")


@pytest.mark.parametrize(
    ("refused", "asked", "told"),
    [
        pytest.param(
            {"b": FULL, "a": FULL, "c": NOT_READY},
            4,
            "1 of 4 nodes can serve the claims; "
            "a, b: asked for 1 device, not free at present; "
            "c: its plugin reports status NotReady",
            id="the-most-frequent-reason-first",
        ),
        pytest.param(
            {"b": FULL, "a": NOT_READY},
            2,
            "0 of 2 nodes can serve the claims; "
            "b: asked for 1 device, not free at present; "
            "a: its plugin reports status NotReady",
            id="equal-ones-by-text",
        ),
        pytest.param(
            dict.fromkeys(reversed(nodes(6)), FULL),
            6,
            "0 of 6 nodes can serve the claims; node-0, node-1, node-2 and 3 more: "
            "asked for 1 device, not free at present",
            id="a-few-names",
        ),
        pytest.param(
            {f"n{i}": Refusal("Malformed", f"field {i} is wrong") for i in range(7)},
            7,
            "0 of 7 nodes can serve the claims; n0: field 0 is wrong; n1: field 1 is wrong; "
            "n2: field 2 is wrong; n3: field 3 is wrong; n4: field 4 is wrong; 2 more reasons",
            id="a-few-reasons",
        ),
    ],
)
def test_explanation_names_nodes_by_reason(
    refused: dict[str, Refusal], asked: int, told: str
) -> None:
    refusals = {NodeName(node): refusal for node, refusal in refused.items()}
    assert explain(refusals, asked) == told
    assert explain(dict(reversed(refusals.items())), asked) == told


def test_explanation_fits_into_an_event_by_leaving_reasons_out() -> None:
    refusals = {
        NodeName(f"{i}{'x' * 252}"): Refusal("Malformed", f"field {i} is wrong") for i in range(9)
    }
    told = explain(refusals, 9)
    assert len(told.encode()) <= LONGEST_MESSAGE
    assert told.endswith("2x" + "x" * 251 + ": field 2 is wrong; 6 more reasons")
