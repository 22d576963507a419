import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.nas import AllocatedDevice, PreparedDevice
from api.objects import DeviceID, NodeName
from plugin.devices import MAX_DEVICES, FakeDeviceSource, prepared_devices
from plugin.errors import DeviceGone

SOURCE = FakeDeviceSource(FAKE, NodeName("node-1"), 8, "M")
FIRST, SECOND = (device.id for device in SOURCE.devices()[:2])


def test_ids_are_fixed_for_all_time() -> None:
    """Prepared claims of a running cluster name them: they must not change with a release."""
    assert FIRST == "FAKE-9db0f96f-cccd-53a1-8f15-b8d38c413c38"
    assert SOURCE.children(FIRST, 1) == ("FAKE-5259974d-6da3-57fe-bd39-48e8e6b9b15e",)


def test_restart_finds_the_same_devices() -> None:
    assert FakeDeviceSource(FAKE, NodeName("node-1"), 8, "M").devices() == SOURCE.devices()


def test_fewer_devices_are_the_first_ones() -> None:
    assert FakeDeviceSource(FAKE, NodeName("node-1"), 3, "M").devices() == SOURCE.devices()[:3]


@pytest.mark.parametrize("count", [0, 1, MAX_DEVICES])
def test_ids_are_unique_in_the_cluster(count: int) -> None:
    nodes = [FakeDeviceSource(FAKE, NodeName(name), count, "M") for name in ("a", "b")]
    ids = [device.id for node in nodes for device in node.devices()]
    assert len(set(ids)) == len(ids) == 2 * count


def test_model_is_that_of_every_device() -> None:
    assert {d.model for d in FakeDeviceSource(FAKE, NodeName("n"), 3, "X").devices()} == {"X"}


@pytest.mark.parametrize("split", [0, 1])
def test_whole_device_has_no_parent(split: int) -> None:
    assert prepared_devices(SOURCE, [AllocatedDevice(FIRST, split)]) == (PreparedDevice(FIRST),)


def test_children_stand_in_the_order_of_their_parents() -> None:
    allocated = [AllocatedDevice(SECOND, 3), AllocatedDevice(FIRST, 2)]
    found = prepared_devices(SOURCE, allocated)
    assert [d.parent for d in found] == [SECOND] * 3 + [FIRST] * 2
    assert tuple(d.id for d in found) == SOURCE.children(SECOND, 3) + SOURCE.children(FIRST, 2)


@given(st.integers(2, 40), st.integers(2, 40))
def test_children_of_a_smaller_split_are_the_first_of_a_larger_one(a: int, b: int) -> None:
    few, many = sorted((a, b))
    assert SOURCE.children(FIRST, many)[:few] == SOURCE.children(FIRST, few)
    assert len(set(SOURCE.children(FIRST, many)) | {FIRST}) == many + 1


def test_every_missing_device_is_named() -> None:
    gone = [AllocatedDevice(DeviceID(f"FAKE-{name}")) for name in "xy"]
    with pytest.raises(DeviceGone, match="FAKE-x, FAKE-y is not on this node"):
        prepared_devices(SOURCE, [AllocatedDevice(FIRST), *gone])
