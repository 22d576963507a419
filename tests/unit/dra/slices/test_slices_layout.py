import pytest

from api.objects import JSON
from dra.errors import LimitExceeded
from dra.inventory import (
    Capacity,
    Consumption,
    CounterSet,
    Device,
    Effect,
    Pool,
    RequestPolicy,
    Taint,
    Version,
)
from dra.publish.slices.layout import Style, contents, offered

DEVICES = [
    pytest.param(
        Device("a", {"yes": False, "n": 0, "model": "x", "driver": Version("1.2.3")}),
        {
            "attributes": {
                "yes": {"bool": False},
                "n": {"int": 0},
                "model": {"string": "x"},
                "driver": {"version": "1.2.3"},
            }
        },
        id="attributes",
    ),
    pytest.param(
        Device("a", capacity={"m": "1Gi", "n": Capacity("2")}),
        {"capacity": {"m": {"value": "1Gi"}, "n": {"value": "2"}}},
        id="capacity",
    ),
    pytest.param(
        Device("a", capacity={"m": Capacity("4", RequestPolicy("2", ("1", "2")))}, shared=True),
        {
            "allowMultipleAllocations": True,
            "capacity": {
                "m": {"value": "4", "requestPolicy": {"default": "2", "validValues": ["1", "2"]}}
            },
        },
        id="valid-values",
    ),
    pytest.param(
        Device("a", capacity={"m": Capacity("4", RequestPolicy("2", (), "1", "3", "1"))}),
        {
            "capacity": {
                "m": {
                    "value": "4",
                    "requestPolicy": {
                        "default": "2",
                        "validRange": {"min": "1", "max": "3", "step": "1"},
                    },
                }
            },
        },
        id="range",
    ),
    pytest.param(
        Device("a", taints=(Taint("k", Effect.NO_EXECUTE, "v", "2026-01-01T00:00:00Z"),)),
        {
            "taints": [
                {
                    "key": "k",
                    "value": "v",
                    "effect": "NoExecute",
                    "timeAdded": "2026-01-01T00:00:00Z",
                }
            ]
        },
        id="taint",
    ),
    pytest.param(
        Device("a", binding_conditions=("x",), binding_failure_conditions=("y",)),
        {"bindingConditions": ["x"], "bindingFailureConditions": ["y"]},
        id="binding",
    ),
    pytest.param(
        Device("a", consumes=(Consumption("card", {"units": "4"}),)),
        {"consumesCounters": [{"counterSet": "card", "counters": {"units": {"value": "4"}}}]},
        id="counters",
    ),
]


@pytest.mark.parametrize(("device", "fields"), DEVICES)
def test_a_device_has_the_shape_of_v1_and_no_empty_field(device: Device, fields: JSON) -> None:
    (made,) = offered(Pool(devices=(device,)), "node-1").devices
    assert made == {"name": "a", **fields}


def test_devices_of_sets_that_one_device_joins_are_in_one_slice() -> None:
    def device(name: str, *sets: str) -> Device:
        return Device(name, consumes=tuple(Consumption(each, {"units": "1"}) for each in sets))

    pool = Pool(
        devices=(device("a", "x"), device("b", "y"), device("c", "z"), device("ab", "x", "y")),
        counters=tuple(CounterSet(each, {"units": "2"}) for each in "xyz"),
    )
    found = [
        (
            "".join(each["name"] for each in part["sharedCounters"]),
            [each["name"] for each in part["devices"]],
        )
        for part in contents(offered(pool, "node-1"), Style.TOGETHER)
    ]
    assert found == [("z", ["c"]), ("xy", ["b", "a", "ab"])]


def test_more_devices_of_a_set_than_a_slice_can_have_are_refused() -> None:
    taken = (Consumption("card", {"units": "1"}),)
    pool = Pool(
        devices=tuple(Device(f"d{number}", consumes=taken) for number in range(129)),
        counters=(CounterSet("card", {"units": "129"}),),
    )
    with pytest.raises(LimitExceeded, match="129 devices use the counter set 'card', at most 128"):
        contents(offered(pool, "node-1"), Style.TOGETHER)
