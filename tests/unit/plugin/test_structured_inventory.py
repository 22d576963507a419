"""What the fake driver offers to kube-scheduler: no limit is broken, nothing is given out twice."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE, Contract
from api.objects import NodeName
from api.quantities import quantity
from api.validation import identifier, label
from dra.inventory import Capacity, Device, Inventory, Pool, RequestPolicy
from dra.publish.slices.layout import Style, contents, offered
from dra.publish.slices.limits import check
from plugin.devices import MAX_DEVICES, FakeDeviceSource
from plugin.structured.inventory import SIZES, Division, Offered, Part, part_of

NODE = NodeName("node-1")

DIVISIONS = st.builds(
    Division,
    splits=st.lists(st.sampled_from(SIZES), unique=True).map(tuple),
    static=st.lists(
        st.tuples(st.sampled_from(SIZES), st.integers(0, MAX_DEVICES)),
        unique_by=lambda each: each[0],
    ).map(tuple),
    shared=st.booleans(),
)


def offer(count: int, division: Division = Division(), contract: Contract = FAKE) -> Offered:  # noqa: B008 - a value
    source = FakeDeviceSource(contract, NODE, count, "M")
    return Offered(contract.device_key, source, division)


def pool(inventory: Inventory) -> Pool:
    (found,) = inventory.pools
    return found


def taken(device: Device) -> Mapping[str, Fraction]:
    return {
        each.counter_set: quantity(amount)
        for each in device.consumes
        for amount in each.counters.values()
    }


def test_a_device_and_its_children() -> None:
    devices = {each.name: each for each in pool(offer(2).inventory()).devices}
    assert list(devices)[:4] == ["fake-0", "fake-1", "fake-0-split2-0", "fake-0-split2-1"]
    assert len(devices) == 2 * 31
    whole, quarter = devices["fake-1"], devices["fake-1-split4-3"]
    source = FakeDeviceSource(FAKE, NODE, 2, "M").devices()[1]
    assert whole.attributes == {
        "uuid": source.id,
        "model": "M",
        "index": 1,
        "type": "whole",
        "split": 1,
        "driverVersion": whole.attributes["driverVersion"],
    }
    assert quarter.attributes == {
        **whole.attributes,
        "uuid": quarter.attributes["uuid"],
        "type": "split",
        "split": 4,
        "parentUUID": source.id,
    }
    assert (whole.capacity, quarter.capacity) == ({"memory": "16Gi"}, {"memory": "4Gi"})
    assert (taken(whole), taken(quarter)) == ({"fake-1": 16}, {"fake-1": 4})


def test_whole_devices_come_first() -> None:
    kinds = [each.attributes["type"] for each in pool(offer(8).inventory()).devices]
    assert kinds == ["whole"] * 8 + ["split"] * 8 * 30


@given(st.integers(0, 9), DIVISIONS)
def test_what_is_offered_keeps_every_limit(count: int, division: Division) -> None:
    made = offer(count, division)
    for inventory in (made.inventory(), made.static()):
        check(inventory, FAKE.driver_name, NODE)
        for device in pool(inventory).devices:
            assert not label(device.name)
            assert not any(map(identifier, [*device.attributes, *device.capacity]))


@given(st.integers(1, 3), DIVISIONS)
def test_no_two_devices_have_one_name_or_uuid(count: int, division: Division) -> None:
    devices = pool(offer(count, division).inventory()).devices
    for names in ([x.name for x in devices], [x.attributes["uuid"] for x in devices]):
        assert [name for name, number in Counter(names).items() if number > 1] == []


@given(DIVISIONS, st.data())
def test_children_of_a_parent_never_have_more_than_the_parent(
    division: Division, data: st.DataObject
) -> None:
    """Whatever counters let be given out together is no more than there is."""
    found = pool(offer(1, division).inventory())
    left = {x.name: quantity(x.counters["units"]) for x in found.counters}
    memory = Fraction()
    given_out: list[Device] = []
    for device in data.draw(st.permutations(found.devices)):
        if all(amount <= left[name] for name, amount in taken(device).items()):
            left.update({name: left[name] - x for name, x in taken(device).items()})
            capacity = device.capacity["memory"]
            memory += quantity(capacity.value if isinstance(capacity, Capacity) else capacity)
            given_out.append(device)
    assert memory == quantity("16Gi")
    kinds = Counter(str(each.attributes["type"]) for each in given_out)
    assert kinds["whole"] == 0 or kinds == {"whole": 1}


@given(st.integers(0, 12), DIVISIONS)
def test_what_is_offered_without_counters_does_not_overlap(count: int, division: Division) -> None:
    parts = [part_of("fake", x.name) for x in pool(offer(count, division).static()).devices]
    known = [part for part in parts if part is not None]
    assert len(known) == len(parts)
    assert {part.index for part in known} == set(range(count))
    for one, other in combinations(known, 2):
        assert one.index != other.index or (one.split == other.split and one.split > 1)
    split = {part.index for part in known if part.split > 1}
    assert len(split) <= count // 2
    assert split == set(range(count - len(split), count))


@pytest.mark.parametrize(
    ("count", "division", "sizes"),
    [
        pytest.param(8, Division(), [1, 1, 1, 1, 2, 2, 2, 2], id="default"),
        pytest.param(4, Division(), [1, 1, 2, 2], id="half at most"),
        pytest.param(1, Division(), [1], id="one"),
        pytest.param(0, Division(), [], id="none"),
        pytest.param(6, Division(static=((4, 1), (2, 2))), [1, 1, 1, 4, 2, 2], id="two sizes"),
        pytest.param(4, Division((4,)), [1, 1, 1, 1], id="size that is not offered"),
        pytest.param(2, Division(()), [1, 1], id="no splits"),
        pytest.param(2, Division(static=()), [1, 1], id="no static splits"),
        pytest.param(2, Division(shared=True), [1, 1], id="shared"),
    ],
)
def test_devices_that_are_split_without_counters(
    count: int, division: Division, sizes: list[int]
) -> None:
    devices = pool(offer(count, division).static()).devices
    splits = {each.attributes["index"]: each.attributes["split"] for each in devices}
    assert [splits[index] for index in range(count)] == sizes


def test_shares_take_a_part_of_each_dimension_unless_they_ask_for_more() -> None:
    found = pool(offer(2, Division(shared=True)).inventory())
    assert (found.counters, len(found.devices)) == ((), 2)
    policy = RequestPolicy(default="1Gi", minimum="1Gi", step="1Gi")
    assert {each.shared for each in found.devices} == {True}
    assert [each.capacity for each in found.devices] == [{"memory": Capacity("16Gi", policy)}] * 2


def test_the_largest_node_fits_the_slices_of_every_minor() -> None:
    devices = offered(pool(offer(MAX_DEVICES).inventory()), NODE)
    assert len(devices.devices) == 3968
    apart, together = contents(devices, Style.APART), contents(devices, Style.TOGETHER)
    assert len(apart) == 62 + 16
    assert max(len(each.get("devices", ())) for each in apart) == 64
    assert max(len(each.get("sharedCounters", ())) for each in apart) == 8
    assert {len(each["devices"]) for each in together} == {31}
    assert len(together) == MAX_DEVICES


@given(st.integers(0, MAX_DEVICES - 1), st.sampled_from((1, *SIZES)), st.data())
def test_a_device_is_known_by_its_name(index: int, split: int, data: st.DataObject) -> None:
    part = Part(index, split, data.draw(st.integers(0, split - 1)))
    assert part_of("fake", part.name("fake")) == part


@pytest.mark.parametrize(
    "name",
    [
        *("", "fake", "fake-", "fake-00", "fake-128", "gpu-0", f"fake-{'9' * 60}"),
        *("fake-0-split1-0", "fake-0-split3-0", "fake-0-split2-2", "fake-0-split02-0"),
        *("fake-0-split2", "fake-\N{ARABIC-INDIC DIGIT ONE}"),
    ],
)
def test_names_that_no_device_ever_has(name: str) -> None:
    assert part_of("fake", name) is None
