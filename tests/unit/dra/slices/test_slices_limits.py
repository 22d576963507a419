"""Every limit of the API, each named with its field; and what is just within them passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.objects import JSON
from dra.errors import LimitExceeded
from dra.inventory import (
    Attribute,
    Capacity,
    Consumption,
    CounterSet,
    Device,
    Effect,
    Inventory,
    Pool,
    RequestPolicy,
    Taint,
    Version,
)
from dra.publish.slices.limits import check

DRIVER = "gpu.example.com"
UNITS = CounterSet("card", {"units": "16"})


def problems(inventory: Inventory, driver: str = DRIVER) -> tuple[str, ...]:
    try:
        check(inventory, driver, "node-1")
    except LimitExceeded as error:
        return error.problems
    return ()


def attribute(value: Attribute) -> Device:
    return Device("a", {"x": value})


def policy(value: str = "16", **given: str | tuple[str, ...]) -> Device:
    made = RequestPolicy(**given)  # type: ignore[arg-type]
    return Device("a", capacity={"units": Capacity(value, made)}, shared=True)


def taken(*sets: str, counter: str = "units") -> Device:
    return Device("a", consumes=tuple(Consumption(each, {counter: "1"}) for each in sets))


WRONG = [
    pytest.param(Device("A"), "device 'A': name is no DNS label of at most 63", id="upper"),
    pytest.param(Device("a.b"), "name is no DNS label", id="dot"),
    pytest.param(Device("a" * 64), "name is no DNS label of at most 63", id="long-name"),
    pytest.param(Device("a\n"), "name is no DNS label", id="newline"),
    pytest.param(Device("a", {"a-b": 1}), "'a-b' is no C identifier of at most 32", id="key"),
    pytest.param(Device("a", {"x" * 33: 1}), "no C identifier of at most 32", id="long-key"),
    pytest.param(Device("a", {"a/b/c": 1}), "'a/b' is no DNS subdomain", id="two-slashes"),
    pytest.param(Device("a", {f"{'d' * 64}/x": 1}), "no DNS subdomain of at most 63", id="domain"),
    pytest.param(
        Device("a", {"model": "x", f"{DRIVER}/model": "y"}),
        "attribute 'model' is also given as 'gpu.example.com/model'",
        id="two-spellings",
    ),
    pytest.param(
        Device("a", {f"x{n}": n for n in range(20)}, {f"y{n}": "1" for n in range(13)}),
        "33 attributes and capacities, at most 32",
        id="too-many",
    ),
    pytest.param(attribute("é" * 33), "attribute 'x': 66 bytes, at most 64", id="bytes"),
    pytest.param(
        attribute("\udc80"), "attribute 'x': '\\udc80' is no Unicode text", id="surrogate"
    ),
    pytest.param(attribute(Version("1.0")), "'1.0' is no semantic version", id="version"),
    pytest.param(attribute(Version("v1.0.0")), "'v1.0.0' is no semantic", id="version-v"),
    pytest.param(attribute(Version("01.0.0")), "no semantic version", id="version-zero"),
    pytest.param(attribute(2**63), "has more than 64 bits", id="int"),
    pytest.param(Device("a", capacity={"m": "80GB"}), "'80GB' is no quantity", id="quantity"),
    pytest.param(
        Device("a", capacity={"m": Capacity("1", RequestPolicy("1"))}),
        "a request policy, which only a shared device can have",
        id="policy-unshared",
    ),
    pytest.param(
        policy(default="1", valid_values=("1",), minimum="1"), "and a range", id="policy-both"
    ),
    pytest.param(policy(valid_values=("1",)), "has no default", id="policy-default"),
    pytest.param(policy(default="17"), "default 17 is above the capacity", id="default-above"),
    pytest.param(policy(default="1", valid_values=("2", "1")), "not ascending", id="ascending"),
    pytest.param(policy(default="1", valid_values=("1", "17")), "above the capacity", id="above"),
    pytest.param(policy(default="3", valid_values=("1",)), "none of the valid", id="not-valid"),
    pytest.param(policy(default="1", maximum="2"), "no minimum", id="range-minimum"),
    pytest.param(policy(default="3", minimum="1", maximum="2"), "minimum <= default", id="range"),
    pytest.param(policy(default="2", minimum="1", step="2"), "whole number of steps", id="step"),
    pytest.param(policy(default="1", minimum="1", step="0"), "step 0 is not above 0", id="step-0"),
    pytest.param(taken("gone"), "counter set 'gone' is not one of the pool", id="dangling"),
    pytest.param(taken("card", counter="x"), "has no counter 'x'", id="no-counter"),
    pytest.param(taken("card", "card"), "'card' is there 2 times", id="set-twice"),
    pytest.param(taken("card", "b", "c"), "3 counter sets, at most 2", id="three-sets"),
    pytest.param(
        Device("a", taints=tuple(Taint(f"k{n}", Effect.NONE) for n in range(17))),
        "17 taints, at most 16",
        id="taints",
    ),
    pytest.param(Device("a", taints=(Taint("", Effect.NONE),)), "no label name", id="taint-key"),
    pytest.param(
        Device("a", taints=(Taint("k", Effect.NONE, "a b"),)), "no label value", id="taint-value"
    ),
    pytest.param(
        Device("a", taints=(Taint("k", Effect.NONE, time_added="now"),)),
        "taint 'k': time_added 'now' is no time of RFC 3339",
        id="taint-time",
    ),
    pytest.param(Device("a", binding_conditions=("x",)), "need each other", id="one-condition"),
    pytest.param(
        Device("a", binding_conditions=("x",), binding_failure_conditions=("x",)),
        "is a binding condition and a binding failure condition",
        id="same-condition",
    ),
]


@pytest.mark.parametrize(("device", "text"), WRONG)
def test_a_device_beyond_a_limit_is_refused(device: Device, text: str) -> None:
    found = problems(Inventory.of(device, counters=(UNITS,)))
    assert any(text in each and each.startswith("pool node-1, device") for each in found) or any(
        text in each and "is there" in each for each in found
    ), found


DEVICE = "inventory.pools[0].devices[0]"
UNTYPED = [
    pytest.param(
        {"taints": (Taint("k", "NoSchedule"),)},  # type: ignore[arg-type]
        f"{DEVICE}.taints[0].effect is str, it must be Effect",
        id="effect",
    ),
    pytest.param({"shared": "yes"}, f"{DEVICE}.shared is str, it must be bool", id="shared"),
    pytest.param(
        {"node_selector": "zone=a"},
        f"{DEVICE}.node_selector is str, it must be dict or None",
        id="selector",
    ),
    pytest.param(
        {"capacity": {"m": Capacity(5)}},  # type: ignore[arg-type]
        f"{DEVICE}.capacity['m'].value is int, it must be str",
        id="quantity",
    ),
]


@pytest.mark.parametrize(("fields", "text"), UNTYPED)
def test_a_field_of_another_type_is_refused(fields: JSON, text: str) -> None:
    assert problems(Inventory.of(Device("a", **fields))) == (text,)


POOLS = [
    pytest.param(Pool("a", (Device("x"), Device("x"))), "device 'x' is there 2 times", id="twice"),
    pytest.param(Pool("A"), "the name is no DNS subdomains", id="pool-name"),
    pytest.param(Pool("a", counters=(UNITS, UNITS)), "'card' is there 2 times", id="set-twice"),
    pytest.param(Pool("a", counters=(CounterSet("c", {}),)), "0 counters, 1 to 32", id="empty"),
    pytest.param(
        Pool("a", counters=(CounterSet("c", {f"u{n}": "1" for n in range(33)}),)),
        "33 counters, 1 to 32",
        id="counters",
    ),
    pytest.param(
        Pool("a", counters=(CounterSet("c", {"a_b": "1"}),)),
        "counter 'a_b' is no DNS label",
        id="counter-name",
    ),
]


@pytest.mark.parametrize(("pool", "text"), POOLS)
def test_a_pool_beyond_a_limit_is_refused(pool: Pool, text: str) -> None:
    assert any(text in each for each in problems(Inventory((pool,))))


def test_the_name_of_the_driver_is_checked() -> None:
    assert "driver name" in problems(Inventory(), driver="gpu_x")[0]


def test_all_problems_are_named_at_once() -> None:
    assert len(problems(Inventory.of(Device("A"), Device("B")))) == 2


@given(st.integers(0, 32))
def test_what_is_within_the_limits_passes(attributes: int) -> None:
    device = Device(
        "a" * 63,
        {f"{'d' * 63}/{'x' * 30}{number:02}": "é" * 32 for number in range(attributes)},
        {f"y{number}": "1.5Gi" for number in range(32 - attributes)},
        taints=tuple(Taint(f"example.com/k{n}", Effect.NO_EXECUTE, "") for n in range(16)),
        consumes=(Consumption("card", {"units": "16"}),),
        shared=True,
    )
    assert problems(Inventory.of(device, counters=(UNITS,))) == ()


@pytest.mark.parametrize("text", ["1.2.3", "1.2.3-rc.1+build.5", "0.0.0", "1.0.0--x"])
def test_semantic_versions_pass(text: str) -> None:
    assert problems(Inventory.of(attribute(Version(text)))) == ()


def test_request_policies_within_the_limits_pass() -> None:
    for device in (
        policy(default="1", minimum="1", step="1"),
        policy(default="16", minimum="1", maximum="16", step="5"),
        policy(default="2", valid_values=("1", "2", "16")),
        policy(default="16"),
    ):
        assert problems(Inventory.of(device)) == ()
