"""Devices that overlap: never published without the counters that keep them apart."""

import pytest

from api.objects import JSON
from devcluster.apiserver.resourceapi import ResourceApi, structured
from dra.inventory import Consumption, CounterSet, Device, Effect, Inventory, Pool, Taint
from dra.publish.slices.publisher import LOOK_SECONDS
from tests.support.slicerig import CLAIMS, DRIVER, NODE, SLICES, SliceRig

UNITS = {"full": "16", "half": "8", "quarter": "4"}
GATE = "DRAPartitionableDevices"
UNCOUNTED = structured(off=[GATE])
SICK = (Taint("sick", Effect.NO_SCHEDULE),)


def part(card: str, size: str, number: int) -> Device:
    taken = Consumption(card, {"units": UNITS[size]})
    return Device(f"{card}-{size}-{number}", consumes=(taken,))


def split(*cards: str, plain: tuple[Device, ...] = ()) -> Inventory:
    """Offer cards, their halves and their quarters."""
    sizes = [("full", 0), *(("half", n) for n in range(2)), *(("quarter", n) for n in range(4))]
    devices = [part(card, size, number) for size, number in sizes for card in cards]
    sets = tuple(CounterSet(card, {"units": "16"}) for card in cards)
    return Inventory.of(*devices, *plain, counters=sets)


def drop_counters(body: JSON) -> None:
    """Drop what the gate is for, as an API server does while it is off."""
    body["spec"].pop("sharedCounters", None)
    for device in body["spec"].get("devices") or []:
        device.pop("consumesCounters", None)


def overlapping(rig: SliceRig) -> bool:
    """Tell whether two devices of a card are published without counters."""
    bare = [
        device["name"].rpartition("-")[0].partition("-")[0]
        for each in rig.slices
        for device in each["spec"].get("devices") or []
        if "consumesCounters" not in device
    ]
    return len(bare) != len(set(bare))


def wipe(rig: SliceRig) -> None:
    """Delete all slices, as a kubelet does when it starts, and when a plugin is away for 30 s."""
    for each in rig.api.all(SLICES):
        rig.api.remove(SLICES, each["metadata"]["name"])
    rig.look()
    rig.work()


def watched(rig: SliceRig, api: ResourceApi) -> list[bool]:
    """Have other rules kept; return, filled later, whether devices ever overlapped."""
    seen: list[bool] = []
    rig.api.serve(api)
    rig.api.answered = lambda: seen.append(overlapping(rig))
    return seen


def test_counters_have_slices_of_their_own_after_those_of_devices() -> None:
    rig = SliceRig()
    rig.offer(split(*[f"card{number}" for number in range(10)]))
    slices = sorted(rig.slices, key=lambda each: each["metadata"]["name"])
    kinds = [sorted({"devices", "sharedCounters"} & set(each["spec"])) for each in slices]
    assert kinds == [["devices"], ["devices"], ["sharedCounters"], ["sharedCounters"]]
    assert [len(each["spec"].get("devices") or []) for each in slices] == [64, 6, 0, 0]
    assert [len(each["spec"].get("sharedCounters") or []) for each in slices] == [0, 0, 8, 2]
    assert rig.writes() == ["create"] * 5, "one of them asks and stores nothing"


def test_a_server_that_wants_them_together_gets_a_slice_for_each_set() -> None:
    rig = SliceRig(structured(34, on=[GATE]))
    rig.offer(split("card0", "card1", plain=(Device("nic"),)))
    found = [
        (
            [each["name"] for each in spec.get("sharedCounters") or []],
            [each["name"].partition("-")[0] for each in spec["devices"]],
        )
        for spec in (each["spec"] for each in rig.slices)
    ]
    assert found == [(["card0"], ["card0"] * 7), (["card1"], ["card1"] * 7), ([], ["nic"])]


def test_without_counters_only_what_does_not_overlap_is_published() -> None:
    rig = SliceRig()
    seen = watched(rig, UNCOUNTED)
    rig.offer(split("card0", "card1", plain=(Device("nic"),)))
    assert rig.devices == ["card0-full-0", "card1-full-0", "nic"]
    assert not any(seen)


def test_dropped_counters_are_told_with_the_gate_once() -> None:
    rig = SliceRig(UNCOUNTED)
    rig.offer(split("card0"))
    rig.publisher.republish()
    rig.work()
    ((reason, message),) = rig.events.warnings
    assert reason == "FieldsNotStored"
    assert GATE in message
    assert "devices[].consumesCounters" in message
    gauge = rig.registry.get_sample_value
    name = "fake_dra_plugin_slice_field_dropped"
    assert gauge(name, {"field": "consumesCounters"}) == 1
    assert gauge(name, {"field": "taints"}) == 0


def test_a_gate_that_is_switched_on_is_found_at_the_next_registration() -> None:
    rig = SliceRig(UNCOUNTED)
    rig.offer(split("card0"))
    rig.api.serve(structured())
    rig.publisher.republish()
    rig.work()
    assert len(rig.devices) == 7
    labels = {"field": "consumesCounters"}
    assert rig.registry.get_sample_value("fake_dra_plugin_slice_field_dropped", labels) == 0


def test_a_gate_that_is_switched_off_is_found_before_anything_is_written() -> None:
    rig = SliceRig()
    rig.offer(split("card0"))
    seen = watched(rig, UNCOUNTED)
    rig.offer(split("card0", "card1"))
    assert rig.devices == ["card0-full-0", "card1-full-0"]
    assert not any(seen)


def test_a_server_that_stores_less_than_it_said_is_answered_at_once() -> None:
    rig = SliceRig()
    rig.api.admit = lambda body: drop_counters(body) if "name" in body["metadata"] else None
    rig.offer(split("card0", "card1"))
    assert rig.devices == ["card0-full-0", "card1-full-0"]
    rig.look()
    assert rig.work() == 0


def test_with_an_allocated_part_nothing_that_overlaps_it_is_published() -> None:
    rig = SliceRig()
    rig.offer(split("card0", "card1"))
    rig.allocate((NODE, "card0-half-1"))
    rig.api.serve(UNCOUNTED)
    rig.publisher.republish()
    rig.offer(split("card0", "card1", plain=(Device("nic"),)))
    assert rig.devices == ["card1-full-0", "card0-half-0", "card0-half-1", "nic"]
    rig.allocate()
    rig.publisher.allocation_changed()
    rig.work()
    assert rig.devices == ["card0-full-0", "card1-full-0", "nic"]


def test_a_part_stays_beside_its_allocated_sibling_when_the_plugin_restarts() -> None:
    rig = SliceRig(UNCOUNTED, static=Halves())
    rig.offer(split("card0"))
    rig.allocate((NODE, "card0-half-0"))
    rig.publisher.republish()
    rig.work()
    assert rig.devices == ["card0-half-0", "card0-half-1"]


@pytest.mark.parametrize("restarted", [False, True], ids=["kubelet", "kubelet and plugin"])
def test_an_allocated_part_that_is_not_preferred_survives_the_wipe_of_a_kubelet(
    restarted: bool,
) -> None:
    """Or what overlaps it would be given out beside it."""
    rig = SliceRig(static=Halves())
    rig.offer(split("card0"))
    rig.allocate((NODE, "card0-quarter-1"))
    rig.api.serve(UNCOUNTED)
    rig.publisher.republish()
    rig.work()
    before = ["card0-half-0", "card0-quarter-1"]
    assert rig.devices == before
    wipe(rig)
    if restarted:
        rig.start()
        rig.offer(split("card0"))
    assert rig.devices == before
    rig.allocate()
    rig.publisher.allocation_changed()
    rig.work()
    assert rig.devices == ["card0-half-0", "card0-half-1"]


def test_an_allocated_part_that_is_not_preferred_keeps_what_overlaps_it_away() -> None:
    """What is stored does not say any more what it consumes."""
    rig = SliceRig(static=Halves())
    rig.offer(split("card0"))
    rig.allocate((NODE, "card0-quarter-1"))
    rig.api.serve(UNCOUNTED)
    rig.publisher.republish()
    rig.work()
    for _ in range(2):
        rig.publisher.allocation_changed()
        rig.work()
        assert rig.devices == ["card0-half-0", "card0-quarter-1"]


def test_a_part_that_is_offered_no_more_keeps_what_overlaps_it_away_without_counters() -> None:
    rig = SliceRig()
    rig.offer(split("card0"))
    rig.allocate((NODE, "card0-quarter-1"))
    rig.api.serve(UNCOUNTED)
    less = Inventory.of(
        *(part("card0", *size) for size in (("full", 0), ("half", 0), ("half", 1))),
        counters=(CounterSet("card0", {"units": "16"}),),
    )
    rig.publisher.republish()
    rig.offer(less)
    for _ in range(2):
        rig.publisher.allocation_changed()
        rig.work()
        assert rig.devices == ["card0-half-0", "card0-quarter-1"]


def test_what_overlaps_a_part_that_was_given_out_while_it_left_leaves() -> None:
    """By a scheduler that has not heard of the change."""
    rig = SliceRig(UNCOUNTED, static=Halves())
    rig.offer(split("card0"))
    rig.static = None
    rig.start()
    rig.allocate_late((NODE, "card0-half-1"))
    rig.offer(split("card0"))
    assert rig.devices == ["card0-full-0"]
    rig.retry()
    assert rig.devices == ["card0-half-0", "card0-half-1"]


def test_claims_are_not_listed_again_for_devices_that_are_offered_anyway() -> None:
    """All nodes of a cluster would list all of its claims, twice a minute."""
    rig = SliceRig(UNCOUNTED, static=Halves())
    rig.offer(split("card0"))
    rig.allocate((NODE, "card0-half-0"))
    rig.publisher.republish()
    rig.retry()
    rig.clock.advance(LOOK_SECONDS)
    rig.queue.add_after("another pool", 0)
    assert rig.work() == 1


class Halves:
    """A driver that prefers halves where there are no counters."""

    def static_inventory(self) -> Inventory:
        return Inventory.of(Device("card0-half-0"), Device("card0-half-1"), Device("card0-full-0"))


def test_a_driver_says_what_it_prefers_without_counters() -> None:
    rig = SliceRig(UNCOUNTED, static=Halves())
    rig.offer(split("card0"))
    assert rig.devices == ["card0-half-0", "card0-half-1"]


def test_a_removed_part_keeps_its_counters_while_it_is_allocated() -> None:
    rig = SliceRig()
    rig.offer(split("card0", "card1"))
    rig.allocate((NODE, "card1-half-0"))
    rig.offer(split("card0"))
    assert rig.device("card1-half-0")["consumesCounters"][0]["counterSet"] == "card1"
    sets = [x["name"] for each in rig.slices for x in each["spec"].get("sharedCounters") or []]
    assert sets == ["card0", "card1"]


def test_a_card_that_is_divided_no_more_keeps_its_counters_while_a_part_is_allocated() -> None:
    """Or it would be given out beside the part."""
    rig = SliceRig()
    rig.offer(split("card0", "card1"))
    rig.allocate((NODE, "card1-half-0"))
    rig.offer(Inventory.of(Device("card0-full-0"), Device("card1-full-0")))
    assert rig.devices == ["card0-full-0", "card1-full-0", "card1-half-0"]
    (taken,) = rig.device("card1-full-0")["consumesCounters"]
    assert taken == {"counterSet": "card1", "counters": {"units": {"value": "16"}}}
    assert "consumesCounters" not in rig.device("card0-full-0")
    rig.allocate()
    rig.publisher.allocation_changed()
    rig.work()
    assert rig.devices == ["card0-full-0", "card1-full-0"]
    assert "consumesCounters" not in rig.device("card1-full-0")


@pytest.mark.parametrize("divided", [True, False], ids=["divided", "not divided any more"])
def test_an_allocated_part_that_is_offered_no_more_survives_the_wipe_of_a_kubelet(
    divided: bool,
) -> None:
    rig = SliceRig()
    rig.offer(split("card0", "card1"))
    rig.allocate((NODE, "card1-half-0"))
    rig.offer(split("card0") if divided else Inventory.of(Device("card1-full-0")))
    before = sorted((each["spec"] for each in rig.slices), key=str)
    wipe(rig)
    found = [each["spec"] for each in rig.slices]
    for spec in (*before, *found):
        del spec["pool"]
    assert sorted(found, key=str) == sorted(before, key=str)
    rig.allocate()
    rig.publisher.allocation_changed()
    rig.work()
    assert "card1-half-0" not in rig.devices


def test_an_allocated_device_beside_shares_that_leave_keeps_what_overlaps_it_away() -> None:
    """Also in another counter set than that of the device of which claims have shares."""
    rig = SliceRig()
    rig.publish(Device("a", shared=True), Device("pair"), Device("other"))
    names = [("a", {"shareID": "s"}), ("pair", {})]
    results = [
        {"request": "r", "driver": DRIVER, "pool": NODE, "device": name, **share}
        for name, share in names
    ]
    rig.api.put(
        CLAIMS,
        {
            "metadata": {"name": "claim", "namespace": "default"},
            "status": {"allocation": {"devices": {"results": results}}},
        },
    )
    half, half_of_other = Consumption("card0", {"units": "8"}), Consumption("card1", {"units": "8"})
    a, pair = Device("a", consumes=(half,)), Device("pair", consumes=(half, half_of_other))
    other = Device("other", consumes=(half_of_other,))
    sets = tuple(CounterSet(card, {"units": "16"}) for card in ("card0", "card1"))
    rig.offer(Inventory.of(a, pair, Device("b", consumes=(half,)), other, counters=sets))
    assert rig.devices == ["a", "pair", "other"]
    taken = [each["counterSet"] for each in rig.device("pair")["consumesCounters"]]
    assert taken == ["card0", "card1"]
    assert rig.device("pair")["taints"][0]["key"] == f"{DRIVER}/removed"
    rig.allocate()
    rig.retry()
    assert rig.devices == ["a", "pair", "b", "other"]
    assert "taints" not in rig.device("pair")


@pytest.mark.parametrize(
    "gate", ["DRADeviceTaints", "DRAConsumableCapacity", "DRADeviceBindingConditions"]
)
def test_other_dropped_fields_are_told_and_not_written_again(gate: str) -> None:
    rig = SliceRig(structured(off=[gate]))
    device = Device(
        "gpu-0",
        shared=True,
        taints=SICK,
        binding_conditions=("ready",),
        binding_failure_conditions=("failed",),
    )
    rig.publish(device)
    assert [gate in message for _, message in rig.events.warnings] == [True]
    rig.publish(device)
    assert rig.writes() == ["create"]


def test_pools_without_counters_ask_nothing() -> None:
    rig = SliceRig()
    rig.offer(Inventory((Pool("plain", (Device("gpu-0"),)),)))
    assert rig.writes() == ["create"]
