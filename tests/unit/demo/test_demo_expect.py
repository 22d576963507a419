"""The checks of the demos can fail: each wrong cluster is told apart from the right one."""

import pytest

from api.contract import FAKE
from api.nas import parse_nas
from api.objects import JSON
from demo.expect import (
    DEMOS,
    STRUCTURED_DEMOS,
    Devices,
    Given,
    device_lines,
    devices_of,
    leftovers,
    overlaps,
    problems,
    shortage,
)
from tests.support.tables import cases

TEST1, TEST2, _, _, TEST5 = DEMOS
WHOLE = [f"FAKE-00000000-0000-0000-0000-00000000000{n}" for n in range(8)]
CHILD = [f"FAKE-10000000-0000-0000-0000-00000000000{n}" for n in range(8)]


def log(*devices: str) -> str:
    lines = [f"export FAKE_DEVICE_{n}='{device}'" for n, device in enumerate(devices)]
    return "\n".join(["export PATH='/bin'", *lines])


def state(prepared: dict[str, list[JSON]], **spec: object) -> JSON:
    return {
        "metadata": {"name": "node", "namespace": "fake-system", "uid": "u"},
        "spec": {
            "allocatableDevice": [{"fake": {"name": "M", "uuid": d}} for d in WHOLE],
            "preparedDevices": {uid: {"fake": {"devices": d}} for uid, d in prepared.items()},
            **spec,
        },
        "status": "Ready",
    }


def whole(*indexes: int) -> list[JSON]:
    return [{"uuid": WHOLE[n]} for n in indexes]


def children(parents: list[int]) -> list[JSON]:
    return [{"uuid": CHILD[n], "parentUUID": WHOLE[parent]} for n, parent in enumerate(parents)]


TWO_CLAIMS = state({"a": whole(0), "b": whole(1)})
PAIRS = [0, 0, 1, 1, 2, 2, 3, 3]


@cases(
    ("logs", "nas", "told"),
    {
        "right": ({"pod0": log(WHOLE[0]), "pod1": log(WHOLE[1])}, TWO_CLAIMS, ""),
        "same device": (
            {"pod0": log(WHOLE[0]), "pod1": log(WHOLE[0])},
            TWO_CLAIMS,
            "is in 2 claims",
        ),
        "none": ({"pod0": log(WHOLE[0]), "pod1": ""}, TWO_CLAIMS, "sees 0 devices"),
        "not prepared": (
            {"pod0": log(WHOLE[0]), "pod1": log(WHOLE[2])},
            TWO_CLAIMS,
            "not among the prepared",
        ),
        "child": (
            {"pod0": log(WHOLE[0]), "pod1": log(CHILD[0])},
            state({"a": whole(0), "b": children([1])}),
            "has parent",
        ),
    },
)
def test_two_pods_with_distinct_devices(logs: dict[str, str], nas: JSON, told: str) -> None:
    found = problems(
        TEST1, {(p, "ctr0"): text for p, text in logs.items()}, [parse_nas(nas, FAKE.device_key)]
    )
    assert [told in text for text in found] == ([True] * len(found)), found
    assert bool(found) == bool(told)


def test_containers_of_one_claim_have_to_share() -> None:
    logs = {("pod0", "ctr0"): log(WHOLE[0]), ("pod0", "ctr1"): log(WHOLE[1])}
    assert any(
        "does not share" in t
        for t in problems(TEST2, logs, [parse_nas(TWO_CLAIMS, FAKE.device_key)])
    )


@cases(
    ("parents", "right"), {"pairs": (PAIRS, True), "four of one": ([0, 0, 0, 0, 1, 1, 2, 2], False)}
)
def test_eight_children_come_in_pairs(parents: list[int], right: bool) -> None:
    nas = parse_nas(state({"a": children(parents)}), FAKE.device_key)
    found = problems(TEST5, {("pod0", "ctr0"): log(*CHILD)}, [nas])
    assert (found == []) == right, found


def test_leftovers_are_named() -> None:
    clean, dirty = (
        parse_nas(state({}), FAKE.device_key),
        parse_nas(state({"uid-a": whole(0)}), FAKE.device_key),
    )
    assert leftovers([clean]) == []
    assert leftovers([dirty]) == ["node node still has prepared uid-a"]


def test_devices_are_read_by_index_from_any_shell() -> None:
    text = f'declare -x FAKE_DEVICE_1="{WHOLE[1]}"\nexport FAKE_DEVICE_0={WHOLE[0]}\nX=1'
    assert devices_of(text) == WHOLE[:2]
    assert len(device_lines(text)) == 2


@pytest.mark.parametrize("nodes", [[8], [4, 4], [5, 1, 1, 1]], ids=str)
def test_nodes_with_devices_enough(nodes: list[int]) -> None:
    assert shortage(nodes) == ""


@cases(
    ("nodes", "have"),
    {"one": ([1], "1"), "too few": ([7], "7"), "scattered": ([3, 3, 3], "3, 3, 3")},
)
def test_what_nodes_lack_is_told(nodes: list[int], have: str) -> None:
    told = f"the demos need 8 devices, 4 of them on one node; the nodes have {have}"
    assert shortage(nodes) == told


TEST6, TEST7 = STRUCTURED_DEMOS[5:]
OFFERED = frozenset(WHOLE)


def part(number: int, split: int, parent: int = 0, claim: str = "c") -> tuple[str, Given]:
    return CHILD[number], Given(claim, WHOLE[parent], split)


@cases(
    ("given", "told"),
    {
        "apart": ([(WHOLE[0], Given("a")), part(0, 2, 1), part(1, 2, 1)], []),
        "mixed": ([part(0, 2), part(1, 4), part(2, 4)], []),
        "whole-beside-child": (
            [(WHOLE[0], Given("a")), part(0, 16)],
            [f"17/16 of {WHOLE[0]} is given out"],
        ),
        "too-many-parts": (
            [part(0, 2), part(1, 4), part(2, 4), part(3, 8)],
            [f"9/8 of {WHOLE[0]} is given out"],
        ),
        "two-claims": (
            [part(0, 4, claim="a"), part(0, 4, claim="b")],
            [f"{CHILD[0]} is given to 2 claims"],
        ),
    },
)
def test_nothing_is_given_out_twice(given: list[tuple[str, Given]], told: list[str]) -> None:
    assert overlaps(Devices(OFFERED, tuple(given))) == told


@cases(
    ("given", "told"),
    {
        "right": ([part(0, 2), part(1, 4), part(2, 4)], ""),
        "two-parents": ([part(0, 2), part(1, 4), part(2, 4, 1)], "children by parent are"),
        "other-parts": ([part(0, 2), part(1, 8), part(2, 8)], "it has parts of (2, 8, 8)"),
        "not-given": ([part(0, 2), part(1, 4)], "not among the prepared"),
    },
)
def test_a_half_and_two_quarters(given: list[tuple[str, Given]], told: str) -> None:
    logs = {("pod0", "ctr0"): log(*CHILD[:3])}
    found = problems(TEST6, logs, Devices(OFFERED, tuple(given)))
    assert bool(found) == bool(told)
    assert any(told in text for text in found) == bool(told)


def test_the_first_alternative_is_taken_where_it_is_free() -> None:
    logs = {("pod0", "ctr0"): log(CHILD[0])}
    assert problems(TEST7, logs, Devices(OFFERED, (part(0, 4),))) == []
    assert problems(TEST7, logs, Devices(OFFERED, (part(0, 8),))) == [
        "test7: it has parts of (8,), expected (4,)"
    ]
