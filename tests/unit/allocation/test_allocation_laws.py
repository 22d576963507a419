"""What holds for every allocation, whatever the cluster and the claims are."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from allocation.allocator import allocate
from allocation.gates import Gates
from allocation.inuse import InUse
from allocation.selectors import Selectors
from allocation.verdicts import Allocation
from api.objects import JSON
from api.quantities import quantity
from tests.allocatorparity.cases import NODE, world
from tests.allocatorparity.generator import Generator

SELECTORS = Selectors()
SEEDS = st.integers(0, 2**32)
DeviceID = tuple[str, str, str]


def case_of(seed: int) -> JSON:
    """Return a case with what is on by default."""
    return {**Generator(Random(seed)).case(), "gates": dict(Gates().named)}


def allocated(case: JSON) -> tuple[JSON, ...]:
    found = allocate(case["claims"], NODE, world(case, SELECTORS))
    return found.claims if isinstance(found, Allocation) else ()


def results(claims: tuple[JSON, ...]) -> Iterator[tuple[DeviceID, JSON]]:
    for claim in claims:
        for each in claim["devices"]["results"]:
            yield (each["driver"], each["pool"], each["device"]), each


def published(case: JSON) -> dict[DeviceID, JSON]:
    return {
        (each["spec"]["driver"], each["spec"]["pool"]["name"], device["name"]): device
        for each in case["slices"]
        for device in each["spec"].get("devices", ())
    }


def laws(test):  # type: ignore[no-untyped-def]
    return settings(max_examples=150, deadline=None)(given(SEEDS)(test))


@laws
def test_nobody_shares_a_device_that_is_no_ones_to_share(seed: int) -> None:
    case = case_of(seed)
    held = InUse.of(case["allocated"], Gates()).holders
    taken = [
        device
        for device, result in results(allocated(case))
        if not result.get("adminAccess") and "shareID" not in result
    ]
    assert len(set(taken)) == len(taken)
    assert not set(taken) & held.keys()


@laws
def test_shares_stay_within_the_capacity(seed: int) -> None:
    case = case_of(seed)
    devices, held = published(case), InUse.of(case["allocated"], Gates()).shared
    taken: dict[DeviceID, Counter[str]] = {}
    for device, result in results(allocated(case)):
        for name, amount in result.get("consumedCapacity", {}).items():
            taken.setdefault(device, Counter())[name] += quantity(amount)  # type: ignore[assignment]
    for device, amounts in taken.items():
        for name, amount in amounts.items():
            whole = quantity(devices[device]["capacity"][name]["value"])
            assert amount + held.get(device, {}).get(name, Fraction(0)) <= whole


@laws
def test_counters_are_never_overdrawn(seed: int) -> None:
    case = case_of(seed)
    devices, in_use = published(case), InUse.of(case["allocated"], Gates())
    held = {*in_use.holders, *in_use.shared}
    new = {device for device, _ in results(allocated(case))}
    drawing = {pool_of(d) for d in new if devices[d].get("consumesCounters")}
    for each in case["slices"]:
        pool = (each["spec"]["driver"], each["spec"]["pool"]["name"])
        if pool not in drawing:
            continue
        for counters in each["spec"].get("sharedCounters", ()):
            drawn = [
                quantity(amount["value"])
                for device, body in devices.items()
                if pool_of(device) == pool and (device in new or device in held)
                for consumed in body.get("consumesCounters", ())
                if consumed["counterSet"] == counters["name"]
                for name, amount in consumed["counters"].items()
                if name == "units"
            ]
            assert sum(drawn) <= quantity(counters["counters"]["units"]["value"])


def pool_of(device: DeviceID) -> tuple[str, str]:
    return device[:2]


@laws
def test_results_are_in_the_order_of_requests(seed: int) -> None:
    case = case_of(seed)
    for claim, allocation in zip(case["claims"], allocated(case), strict=False):
        names = [each["name"] for each in claim["spec"]["devices"]["requests"]]
        order = [
            names.index(each["request"].partition("/")[0])
            for each in allocation["devices"]["results"]
        ]
        assert order == sorted(order)
        assert set(order) == set(range(len(names)))


@laws
def test_what_is_known_changes_nothing(seed: int) -> None:
    case = case_of(seed)
    known = world(case, SELECTORS)
    first = allocate(case["claims"], NODE, known)
    assert allocate(case["claims"], NODE, known) == first
    assert allocate(case["claims"], NODE, world(case, SELECTORS)) == first
