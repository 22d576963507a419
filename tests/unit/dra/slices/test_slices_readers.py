"""Pools of many slices, before the eyes of a reader who hears of every single write."""

import random

from api.objects import JSON
from devcluster.apiserver.storage import Event
from dra.inventory import Device, Inventory
from tests.support.slicerig import SliceRig, completes, named


class Reader:
    """Looks at the pool after each write.

    Attributes:
        offered: the devices that are right from now on.
        complete: how often the pool was complete after a write.
    """

    def __init__(self, rig: SliceRig) -> None:
        self._slices: dict[str, JSON] = {}
        self.offered: list[str] = []
        self.complete = 0
        self.misled: list[list[str]] = []
        rig.api.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if event.resource != ("resource.k8s.io", "resourceslices"):
            return
        assert event.stored is not None
        obj = event.stored.obj
        if event.type == "DELETED":
            self._slices.pop(obj["metadata"]["name"])
        else:
            self._slices[obj["metadata"]["name"]] = obj
        self._read()

    def _read(self) -> None:
        found = completes([*self._slices.values()])
        self.complete += bool(found)
        self.misled += [each for each in found if each != self.offered]


def test_a_pool_that_changes_a_thousand_times_misleads_no_reader() -> None:
    rig, rand = SliceRig(), random.Random(1)
    reader = Reader(rig)
    names: list[str] = []
    for number in range(1000):
        change = rand.choice(("grow", "shrink", "reorder"))
        if change == "grow" or not names:
            names = [*names, *(f"gpu-{number}-{each}" for each in range(rand.randint(1, 40)))][
                -200:
            ]
        elif change == "shrink":
            names = names[rand.randint(0, len(names) // 2) : len(names)]
        else:
            rand.shuffle(names := [*names])
        reader.offered = names
        rig.publish(*named(names))
        assert reader.misled == []
        assert rig.devices == names
    assert reader.complete > 500


def test_five_thousand_devices_are_one_pool() -> None:
    rig = SliceRig()
    devices = named([f"gpu-{number}" for number in range(5000)])
    rig.publish(*devices)
    assert rig.writes() == ["create"] * 79
    assert rig.devices == [device.name for device in devices]
    rig.publish(*devices[:-1])
    assert rig.writes() == ["update"]
    rig.offer(Inventory.of(*devices, Device("more")))
    assert rig.writes() == ["update"]
