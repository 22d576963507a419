"""Taints of slices and of rules, and who tolerates them."""

import pytest

from allocation.taints import prevents, with_rules
from api.objects import JSON
from tests.support.allocationworld import DRIVER, device, pool

TAINT: JSON = {"key": "sick", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "sick", "operator": "Exists"}, True),
        ({"key": "sick", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "sick", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "sick", "value": "yes"}, True),
        ({"key": "sick", "operator": "Equal", "value": "no"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "Equal", "value": "yes"}, True),
        ({"key": "sick", "operator": "Unknown"}, False),
    ],
    ids=[
        "key",
        "key-and-effect",
        "other-effect",
        "value",
        "other-value",
        "other-key",
        "everything",
        "value-without-key",
        "unknown-operator",
    ],
)
def test_toleration(toleration: JSON, *, tolerated: bool) -> None:
    assert (prevents([TAINT], [toleration]) is None) == tolerated


@pytest.mark.parametrize(
    ("effect", "kept_away"),
    [("NoSchedule", True), ("NoExecute", True), ("None", False), ("Other", False)],
)
def test_effects_that_keep_away(effect: str, *, kept_away: bool) -> None:
    assert (prevents([{**TAINT, "effect": effect}], []) is not None) == kept_away


@pytest.mark.parametrize(
    ("selector", "tainted"),
    [
        ({}, ["a", "b"]),
        ({"driver": DRIVER}, ["a", "b"]),
        ({"driver": "other.example.com"}, []),
        ({"pool": "here", "device": "b"}, ["b"]),
        (None, []),
    ],
    ids=["all", "driver", "other-driver", "device", "nothing"],
)
def test_rules_taint_what_they_select(selector: JSON | None, tainted: list[str]) -> None:
    own: JSON = {"key": "own", "effect": "NoExecute"}
    given = pool(device("a"), device("b", taints=[own]))
    rule: JSON = {"spec": {"taint": TAINT, "deviceSelector": selector}}
    [found] = with_rules([given], [rule])
    taints = {each["name"]: each.get("taints", []) for each in found["spec"]["devices"]}
    assert [name for name, each in taints.items() if TAINT in each] == tainted
    assert own in taints["b"]
    assert given["spec"]["devices"][0] == {"name": "a"}
