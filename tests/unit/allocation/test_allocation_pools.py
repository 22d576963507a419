"""Pools of devices as a scheduler sees them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.pools import Node, Pool, by_pool, gather, gathered, readable
from api.objects import JSON
from api.selectors import only_node

HERE = Node("here", {"zone": "a"})
DRIVER = "gpu.example.com"
ZONE_A: JSON = {
    "nodeSelectorTerms": [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    ]
}


def a_slice(name: str, *devices: JSON | str, **spec: Any) -> JSON:
    """Return a slice of the only pool of the node `here`, with one slice of generation 1."""
    made = [{"name": each} if isinstance(each, str) else each for each in devices]
    pool = {
        "name": spec.pop("pool", "here"),
        "generation": spec.pop("generation", 1),
        "resourceSliceCount": spec.pop("count", 1),
    }
    place = {"nodeName": "here"} if not SELECTIONS & spec.keys() else {}
    own = {"driver": DRIVER, "pool": pool, **place, **({"devices": made} if made else {}), **spec}
    return {"metadata": {"name": name}, "spec": own}


SELECTIONS = {"nodeName", "allNodes", "nodeSelector", "perDeviceNodeSelection"}


def counter_slice(name: str, *sets: str, **spec: Any) -> JSON:
    shared = [{"name": each, "counters": {"units": {"value": "16"}}} for each in sets]
    return a_slice(name, sharedCounters=shared, **spec)


def drawing(name: str, counter_set: str = "card", counter: str = "units") -> JSON:
    consumed = {"counterSet": counter_set, "counters": {counter: {"value": "4"}}}
    return {"name": name, "consumesCounters": [consumed]}


def names(pool: Pool) -> list[str]:
    return [device["name"] for device in pool.devices]


@pytest.mark.parametrize(
    ("selection", "seen"),
    [
        ({"nodeName": "here"}, True),
        ({"nodeName": "there"}, False),
        ({"nodeName": "there", "allNodes": True}, False),
        ({"allNodes": True}, True),
        ({"allNodes": False}, False),
        ({"nodeSelector": ZONE_A}, True),
        ({"nodeSelector": only_node("there")}, False),
        ({"nodeSelector": {"nodeSelectorTerms": []}}, False),
        ({"perDeviceNodeSelection": False}, False),
    ],
    ids=[
        "node-name",
        "other-node-name",
        "name-before-all",
        "all-nodes",
        "not-all-nodes",
        "labels",
        "other-node-selector",
        "no-terms",
        "nothing-known",
    ],
)
def test_slices_of_a_node(selection: JSON, *, seen: bool) -> None:
    found = gather([a_slice("s", "d", **selection)], HERE)
    assert [names(pool) for pool in found] == ([["d"]] if seen else [])


def test_devices_that_select_nodes_by_themselves() -> None:
    devices = (
        {"name": "a", "nodeName": "here"},
        {"name": "b", "nodeName": "there"},
        {"name": "c", "allNodes": True},
        {"name": "d", "nodeSelector": ZONE_A},
    )
    (pool,) = gather([a_slice("s", *devices, perDeviceNodeSelection=True)], HERE)
    assert names(pool) == ["a", "c", "d"]
    assert [device["name"] for device in pool.elsewhere] == ["b"]


def test_slice_without_a_device_for_the_node_is_none_of_it() -> None:
    there = {"name": "b", "nodeName": "there"}
    assert gather([a_slice("s", there, perDeviceNodeSelection=True)], HERE) == ()


POOLS = [
    ("complete", [a_slice("s2", "b", count=2), a_slice("s1", "a", count=2)], True, "", ["a", "b"]),
    ("missing-slice", [a_slice("s1", "a", count=2)], False, "1 of 2 slices of generation 1", []),
    (
        "left-over-slice",
        [a_slice("s1", "a"), a_slice("s2", "b")],
        False,
        "2 of 1 slices of generation 1",
        [],
    ),
    (
        "newest-generation",
        [a_slice("s1", "old", count=2), a_slice("s2", "new", generation=2)],
        True,
        "",
        ["new"],
    ),
    (
        "newest-generation-incomplete",
        [a_slice("s1", "old"), a_slice("s2", "new", generation=2, count=2)],
        False,
        "1 of 2 slices of generation 2",
        [],
    ),
    (
        "duplicate-device",
        [a_slice("s1", "a", count=2), a_slice("s2", "a", count=2)],
        True,
        "duplicate device name a",
        [],
    ),
    (
        "duplicate-counter-set",
        [counter_slice("c1", "card", count=2), counter_slice("c2", "card", count=2)],
        True,
        "duplicate counter set name card",
        [],
    ),
    ("no-counter-set", [a_slice("s", drawing("a"))], True, "counter set card not found", []),
    (
        "no-counter",
        [counter_slice("c", "card", count=2), a_slice("s", drawing("a", counter="x"), count=2)],
        True,
        "counter x not found in counter set card",
        [],
    ),
    (
        "counters",
        [counter_slice("c", "card", count=2), a_slice("s", drawing("a"), count=2)],
        True,
        "",
        ["a"],
    ),
    (
        "devices-beside-counters",
        [counter_slice("c", "card", devices=[{"name": "lost"}])],
        True,
        "",
        [],
    ),
]


@pytest.mark.parametrize(
    ("slices", "complete", "problem", "devices"),
    [row[1:] for row in POOLS],
    ids=[row[0] for row in POOLS],
)
def test_state_of_a_pool(
    slices: list[JSON], problem: str, devices: list[str], *, complete: bool
) -> None:
    (pool,) = gather(slices, HERE)
    assert (pool.complete, pool.problem, names(pool)) == (complete, problem, devices)
    assert readable(slices) == (pool,)


def test_counters_of_other_nodes_slices_are_found() -> None:
    slices = [
        a_slice("s1", drawing("a"), count=3),
        a_slice("s2", drawing("b"), count=3, nodeName="there"),
        counter_slice("c", "card", count=3, nodeName="there"),
    ]
    (pool,) = gather(slices, HERE)
    assert pool.counters == {"card": {"units": "16"}}
    assert names(pool) == ["a"]
    assert [device["name"] for device in pool.elsewhere] == ["b"]


def test_pool_that_is_replaced_elsewhere_is_left_out() -> None:
    old = a_slice("s1", "a", count=2)
    new = a_slice("s2", "b", generation=2, nodeName="there")
    assert gather([old, new], HERE) == ()


def test_old_generation_that_is_all_there_is_used_although_it_is_replaced_elsewhere() -> None:
    old = a_slice("s1", "a")
    new = a_slice("s2", "b", generation=2, nodeName="there")
    assert [names(pool) for pool in gather([old, new], HERE)] == [["a"]]


def test_pools_in_order() -> None:
    late = {"name": "d", "bindingConditions": ["ready"], "bindingFailureConditions": ["failed"]}
    slices = [
        a_slice("5", late, pool="pool-1"),
        a_slice("4", "d", pool="pool-9"),
        a_slice("3", "d", pool="pool-10"),
        a_slice("2", "d", pool="pool-9", driver="a.example.com"),
        a_slice("1", late, pool="pool-0", driver="z.example.com"),
    ]
    assert [pool.id for pool in gather(slices, HERE)] == [
        ("a.example.com", "pool-9"),
        (DRIVER, "pool-10"),
        (DRIVER, "pool-9"),
        (DRIVER, "pool-1"),
        ("z.example.com", "pool-0"),
    ]


def test_pool_is_late_for_a_device_that_the_node_cannot_reach() -> None:
    there = {"name": "b", "nodeName": "there", "bindingConditions": ["ready"]}
    slices = [
        a_slice("1", {"name": "a", "allNodes": True}, there, pool="a", perDeviceNodeSelection=True),
        a_slice("2", "d", pool="b"),
    ]
    assert [pool.name for pool in gather(slices, HERE)] == ["b", "a"]


def test_slice_with_compatibility_groups_is_missing() -> None:
    grouped = drawing("b")
    grouped["consumesCounters"][0]["compatibilityGroups"] = ["g"]
    slices = [
        a_slice("1", drawing("a"), count=3),
        a_slice("2", grouped, count=3),
        counter_slice("3", "card", count=3),
    ]
    (pool,) = gather(slices, HERE)
    assert (pool.complete, pool.problem) == (False, "2 of 3 slices of generation 1")


def test_counters_are_not_known_without_their_gate() -> None:
    slices = [a_slice("1", drawing("a"), count=2), counter_slice("2", "card", count=2)]
    (pool,) = gathered(by_pool(slices).values(), HERE, partitionable=False)
    assert (names(pool), pool.counters) == (["a"], {})


@st.composite
def published(draw: st.DrawFn) -> list[JSON]:
    """Return slices of one pool, of two generations, on two nodes, in any order."""
    names = draw(st.lists(st.sampled_from(["s1", "s2", "s3", "s4"]), unique=True))
    devices = st.lists(st.sampled_from("abcd"), max_size=2)
    return [
        a_slice(
            name,
            *draw(devices),
            generation=draw(st.integers(1, 2)),
            count=draw(st.integers(1, 3)),
            nodeName=draw(st.sampled_from(["here", "there"])),
        )
        for name in draw(st.permutations(names))
    ]


def newest(slices: Sequence[JSON]) -> list[JSON]:
    generation = max(each["spec"]["pool"]["generation"] for each in slices)
    return [each for each in slices if each["spec"]["pool"]["generation"] == generation]


@given(published())
def test_no_reader_sees_a_name_twice_or_half_a_pool(slices: list[JSON]) -> None:
    pools = [*readable(slices), *gather(slices, HERE)]
    for pool in pools:
        assert len(set(names(pool))) == len(names(pool))
        assert not (pool.devices and pool.problem)
        assert pool.complete or pool.problem
    for pool in readable(slices):
        present = newest(slices)
        assert pool.generation == present[0]["spec"]["pool"]["generation"]
        count = present[0]["spec"]["pool"]["resourceSliceCount"]
        assert pool.complete == (len(present) == count)


@given(published(), st.randoms())
def test_order_of_slices_does_not_matter_while_they_agree(slices: list[JSON], random: Any) -> None:
    for each in slices:
        each["spec"]["pool"]["resourceSliceCount"] = 2
    shuffled = random.sample(slices, len(slices))
    assert gather(shuffled, HERE) == gather(slices, HERE)
