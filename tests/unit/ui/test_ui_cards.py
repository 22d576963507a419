"""Devices as cards: what belongs together, what is taken of it, and where that lies."""

from collections.abc import Sequence
from typing import Any

import pytest

from allocation.pools import readable
from api.objects import JSON
from explain.holders import Holder
from tests.support.allocationworld import DRIVER, device, drawing
from tests.support.structuredobjects import a_slice
from tests.support.tables import cases
from ui.cards import Card, Holding, Part, State, cards, groups

TAINT = {"key": "example.com/broken", "effect": "NoSchedule"}
NOTE = {"key": "example.com/slow", "effect": "None"}


def drawn(
    *devices: JSON, counters: Sequence[JSON] = (), left: Sequence[str] = (), **held: Any
) -> list[Card]:
    """Return the cards of a pool; `held` are claims, or holders, by device with `_` for `-`."""
    names = len(counters) and 1
    pool = {"name": "node-1", "generation": 1, "resourceSliceCount": 1 + names}
    slices = [a_slice("s", *devices, driver=DRIVER, pool=pool)]
    if counters:
        slices.append(a_slice("c", driver=DRIVER, pool=pool, sharedCounters=list(counters)))
    (found,) = readable(slices)
    assert not found.problem
    holders = {
        (DRIVER, "node-1", name.replace("_", "-")): [who if isinstance(who, Holder) else by(who)]
        for name, who in held.items()
    }
    return [*cards(found, groups(found), Holding(holders, left))]


def by(claim: str, **fields: Any) -> Holder:
    return Holder(f"default/{claim}", (), "", **fields)


def mig(name: str, *slices: int) -> JSON:
    """Return a partition that takes slices of a GPU's memory, and an engine."""
    taken = {f"memory-slice-{index}": {"value": "1"} for index in slices}
    taken["engines"] = {"value": str(len(slices))}
    return device(name, consumesCounters=[{"counterSet": "gpu-0-counters", "counters": taken}])


SLICES = {f"memory-slice-{index}": {"value": "1"} for index in range(8)}
GPU = {"name": "gpu-0-counters", "counters": {**SLICES, "engines": {"value": "8"}}}
CARD = {"name": "card", "counters": {"units": {"value": "16"}}}
PARTS = [drawing("whole", 16), drawing("half-0", 8), drawing("half-1", 8), drawing("quarter-0", 4)]


def test_devices_by_themselves() -> None:
    found = drawn(device("gpu-0"), device("gpu-1"), gpu_1="train")
    assert found == [
        Card("gpu-0", 1, (Part("gpu-0", State.FREE),)),
        Card("gpu-1", 1, (Part("gpu-1", State.USED, claims=("default/train",)),)),
    ]


def test_a_device_of_which_nothing_is_taken_is_one_card() -> None:
    (card,) = drawn(*PARTS, counters=[CARD])
    assert card == Card("card", 4, (Part("whole", State.FREE),))


def test_parts_lie_beside_each_other_by_their_size() -> None:
    (card,) = drawn(*PARTS, counters=[CARD], half_1="a", quarter_0="b")
    assert [(p.device, p.start, p.size) for p in card.parts] == [
        ("half-1", 0.0, 0.5),
        ("quarter-0", 0.5, 0.25),
    ]


def test_parts_lie_where_their_counters_say() -> None:
    """As the instances of a MIG GPU, whose slices of memory are counters of one each."""
    found = drawn(
        mig("whole", *range(8)),
        mig("mig-3g-0", 0, 1, 2, 3),
        mig("mig-1g-5", 5),
        counters=[GPU],
        mig_1g_5="a",
    )
    ((part,),) = [card.parts for card in found]
    assert (part.device, part.start, part.size) == ("mig-1g-5", 5 / 8, 1 / 8)


def test_parts_of_a_parent_that_is_not_offered() -> None:
    """As where the API server stores no counters."""
    children = [
        device(
            f"gpu-0-part-{index}",
            attributes={"parentUUID": {"string": "GPU-1"}},
            capacity={"memory": {"value": size}},
        )
        for index, size in enumerate(["40Gi", "20Gi", "20Gi"])
    ]
    (card,) = drawn(*children, gpu_0_part_1="a")
    assert card.name == "gpu-0-part"
    assert [(p.state, p.start, p.size) for p in card.parts] == [
        (State.FREE, 0.0, 0.5),
        (State.USED, 0.5, 0.25),
        (State.FREE, 0.75, 0.25),
    ]


def test_a_parent_that_is_offered_too_names_the_card() -> None:
    found = drawn(
        device("gpu-0", attributes={"uuid": {"string": "GPU-1"}}),
        device("mig-0", attributes={f"{DRIVER}/parentUUID": {"string": "GPU-1"}}),
        gpu_0="a",
    )
    assert found == [Card("gpu-0", 2, (Part("gpu-0", State.USED, claims=("default/a",)),))]


def test_shares_of_a_device() -> None:
    shared = device("gpu-0", capacity={"memory": {"value": "40Gi"}}, allowMultipleAllocations=True)
    pool = {"name": "node-1", "generation": 1, "resourceSliceCount": 1}
    (found,) = readable([a_slice("s", shared, driver=DRIVER, pool=pool)])
    taken = [by(name, share=True, consumed=(("memory", "10Gi"),)) for name in ("a", "b")]
    holding = Holding({(DRIVER, "node-1", "gpu-0"): taken}, left=["default/b"])
    (card,) = cards(found, groups(found), holding)
    assert card.parts == (
        Part("gpu-0", State.USED, 0.0, 0.25, ("default/a",)),
        Part("gpu-0", State.LEFT, 0.25, 0.25, ("default/b",)),
    )


@cases(
    ("taints", "held", "left", "expected"),
    {
        "free": ([], {}, [], (State.FREE, False)),
        "tainted": ([TAINT], {}, [], (State.TAINTED, True)),
        "noted": ([NOTE], {}, [], (State.FREE, True)),
        "used-and-tainted": ([TAINT], {"gpu_0": "a"}, [], (State.USED, True)),
        "left": ([], {"gpu_0": "a"}, ["default/a"], (State.LEFT, False)),
        "admin": ([], {"gpu_0": by("a", admin=True)}, [], (State.FREE, False)),
    },
)
def test_states(
    taints: list[JSON], held: dict[str, Any], left: list[str], expected: tuple[State, bool]
) -> None:
    (card,) = drawn(device("gpu-0", taints=taints), left=left, **held)
    (part,) = card.parts
    assert (part.state, part.ill) == expected


def test_a_card_whose_parts_are_all_tainted() -> None:
    tainted = [{**each, "taints": [TAINT]} for each in PARTS]
    (card,) = drawn(*tainted, counters=[CARD])
    assert [(part.state, part.ill) for part in card.parts] == [(State.TAINTED, True)]


@pytest.mark.parametrize("held", [{}, {"half_0": "a", "half_1": "b"}], ids=["free", "full"])
def test_parts_never_leave_the_card(held: dict[str, str]) -> None:
    for card in drawn(*PARTS, counters=[CARD], **held):
        end = 0.0
        for part in card.parts:
            assert end <= part.start < part.start + part.size <= 1.0
            end = part.start + part.size
