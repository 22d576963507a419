"""What requests take of shared devices."""

from fractions import Fraction

import pytest

from allocation.allocator import allocate
from allocation.capacity import consumed, need, texts
from allocation.gates import Gates
from allocation.verdicts import Allocation, Outcome, Rule
from api.objects import JSON
from api.quantities import canonical, quantity
from tests.support.allocationworld import (
    HERE,
    Cluster,
    ask,
    claim,
    counters,
    device,
    devices,
    drawing,
    holding,
    pool,
    refused,
)

STEPS: JSON = {"default": "1Gi", "validRange": {"min": "1Gi", "step": "2Gi", "max": "6Gi"}}
VALUES: JSON = {"default": "2Gi", "validValues": ["2Gi", "4Gi"]}


def memory(policy: JSON | None, value: str = "8Gi") -> JSON:
    return device("d", capacity={"memory": {"value": value, "requestPolicy": policy}})


@pytest.mark.parametrize(
    ("policy", "asked", "taken"),
    [
        (None, None, "8Gi"),
        (None, "3Gi", "3Gi"),
        (STEPS, None, "1Gi"),
        (STEPS, "1Mi", "1Gi"),
        (STEPS, "3Gi", "3Gi"),
        (STEPS, "3500Mi", "5Gi"),
        (VALUES, None, "2Gi"),
        (VALUES, "1", "2Gi"),
        (VALUES, "3Gi", "4Gi"),
        ({"default": "1Gi", "validRange": {"min": "1Gi"}}, "1500M", "1500M"),
    ],
    ids=[
        "whole",
        "as-asked",
        "default",
        "minimum",
        "on-a-step",
        "next-step",
        "default-value",
        "least-value",
        "next-value",
        "no-step",
    ],
)
def test_amount_that_is_taken(policy: JSON | None, asked: str | None, taken: str) -> None:
    given = {} if asked is None else {"memory": asked}
    amounts = {name: quantity(text) for name, text in given.items()}
    assert texts(memory(policy), amounts, given, fractional=False) == {"memory": taken}


@pytest.mark.parametrize(
    ("policy", "asked", "problem"),
    [
        (None, "9Gi", "capacity memory: 9Gi wanted, 8Gi of 8Gi left"),
        (STEPS, "7Gi", "capacity memory: 7Gi is more than 6Gi, the maximum"),
        (VALUES, "5Gi", "capacity memory: 5Gi is none of the valid values"),
    ],
    ids=["whole", "maximum", "values"],
)
def test_amount_that_a_device_cannot_give(policy: JSON | None, asked: str, problem: str) -> None:
    found = need(memory(policy), {"memory": quantity(asked)}, fractional=False)
    assert found.lacks([]) == problem


def test_key_is_compared_as_published() -> None:
    found = need(memory(None), {"d.example.com/memory": Fraction(1)}, fractional=False)
    assert found.problem == "it has no capacity d.example.com/memory"


def test_amount_that_whole_numbers_cannot_express_ends_the_attempt() -> None:
    shared = {**memory(STEPS, "100Ei"), "allowMultipleAllocations": True}
    found = refused(
        Cluster([pool(shared)]).allocate(claim(ask(capacity={"requests": {"memory": "10E"}})))
    )
    assert (found.outcome, found.reasons[0].rule) == (Outcome.INVALID, Rule.CAPACITY_ERROR)
    assert "it exceeds MaxInt64" in found.message


def test_fractions_of_a_range_need_their_gate() -> None:
    halves = memory({"default": "500m", "validRange": {"min": "500m", "step": "500m"}}, "8")
    amounts = {"memory": quantity("1200m")}
    assert consumed(halves, amounts, fractional=True) == {"memory": Fraction(3, 2)}
    assert consumed(halves, amounts, fractional=False) == {"memory": 2}


def test_share_that_others_leave() -> None:
    shared = device("d", allowMultipleAllocations=True, capacity={"memory": "8Gi"})
    held = holding("d", shareID="1", consumedCapacity={"memory": "6Gi"})
    cluster = Cluster([pool(shared)], allocated=[held])
    found = cluster.allocate(claim(ask(capacity={"requests": {"memory": "2Gi"}})))
    assert devices(found) == [["d"]]
    told = refused(cluster.allocate(claim(ask(capacity={"requests": {"memory": "3Gi"}}))))
    assert "capacity memory: 3Gi wanted, 2Gi of 8Gi left" in [each.text for each in told.reasons]


def test_identity_of_a_share_is_given() -> None:
    shared = device("d", allowMultipleAllocations=True, capacity={"memory": "8Gi"})
    given = iter(["one", "two"])
    requests = (ask(name, capacity={"requests": {"memory": "2Gi"}}) for name in "ab")
    world = Cluster([pool(shared)]).world()
    found = allocate([claim(*requests)], HERE, world, share_id=given.__next__)
    assert isinstance(found, Allocation)
    results = found.claims[0]["devices"]["results"]
    assert [each["shareID"] for each in results] == ["one", "two"]
    assert [each["consumedCapacity"] for each in results] == [{"memory": "2Gi"}] * 2


def test_counters_of_a_shared_device_are_taken_once() -> None:
    shared = drawing("d", 16, allowMultipleAllocations=True)
    cluster = Cluster([pool(shared, count=2), counters("card")])
    assert devices(cluster.allocate(claim(ask("a"), ask("b")))) == [["d", "d"]]


def test_shares_are_devices_without_the_gate() -> None:
    shared = device("d", allowMultipleAllocations=True)
    cluster = Cluster([pool(shared)], gates=Gates(consumable_capacity=False))
    assert refused(cluster.allocate(claim(ask("a"), ask("b")))).outcome is Outcome.REFUSED


def test_one_overbooked_counter_blocks_its_pool() -> None:
    parts = [drawing("a", 8), drawing("b", 8), drawing("c", 1, of="other")]
    cluster = Cluster(
        [pool(*parts, count=2), counters("card", "other", units=15)], allocated=[holding("a", "b")]
    )
    found = refused(cluster.allocate(claim(ask())))
    [reason] = [each for each in found.reasons if each.device.endswith("/c")]
    assert reason.text == "counter units of card is overbooked: -1 left"
    assert reason.oddity == (
        "one counter of which too much is allocated blocks all devices of its pool"
    )


def test_admin_access_needs_free_counters() -> None:
    cluster = Cluster([pool(drawing("a", 16), count=2), counters("card")], allocated=[holding("a")])
    found = refused(cluster.allocate(claim(ask(adminAccess=True))))
    [reason] = [each for each in found.reasons if each.device]
    assert (reason.rule, reason.text) == (
        Rule.COUNTERS,
        "counter units of card: 16 wanted, 0 left",
    )
    assert reason.oddity == "admin access needs free counters and free capacity, too"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("1024Mi", "1Gi"),
        ("1000", "1k"),
        ("1500m", "1500m"),
        ("1023Ki", "1023Ki"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1e3", "1e3"),
        ("0", "0"),
        ("1000001n", "1000001n"),
        ("2048Ki", "2Mi"),
    ],
)
def test_quantity_as_kubernetes_writes_it(given: str, written: str) -> None:
    assert canonical(quantity(given), like=given) == written
