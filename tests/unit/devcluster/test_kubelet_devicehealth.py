"""How devices are, from what plugins tell to what containers show."""

import pytest

from api.objects import JSON
from devcluster.kubelet.checkpoint import ClaimInfo
from devcluster.kubelet.devicehealth import DeviceHealth, Health, Reports
from devcluster.kubelet.draclient import CdiDevice
from devcluster.kubelet.preparation import resources_of
from testing.clock import Clock
from tests.support.tables import cases

GOOD, BAD = Health("Healthy"), Health("Unhealthy", "too hot")
DEVICE, OTHER = ("p", "d"), ("p", "e")


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def test_a_change_is_told(clock: Clock) -> None:
    reports = Reports(clock)
    assert reports.tell({DEVICE: GOOD})
    assert not reports.tell({DEVICE: GOOD})
    assert reports.tell({DEVICE: BAD})
    assert reports.tell({DEVICE: BAD, OTHER: GOOD})
    assert (reports.of(DEVICE), reports.of(OTHER), reports.of(("p", "x"))) == (BAD, GOOD, Health())


@cases(
    ("health", "passed", "state"),
    {
        "in its lease": (GOOD, 30.0, "Healthy"),
        "after it": (GOOD, 30.1, "Unknown"),
        "in a lease of its own": (Health("Healthy", lease=60.0), 60.0, "Healthy"),
        "after a shorter one": (Health("Unhealthy", "m", lease=5.0), 6.0, "Unknown"),
    },
)
def test_what_was_told_is_believed_for_a_while(
    clock: Clock, health: Health, passed: float, state: str
) -> None:
    reports = Reports(clock)
    reports.tell({DEVICE: health})
    clock.advance(passed)
    assert reports.of(DEVICE).state == state


def test_a_device_that_is_left_out_goes_when_its_lease_is_over(clock: Clock) -> None:
    reports = Reports(clock)
    reports.tell({DEVICE: BAD, OTHER: GOOD})
    clock.advance(10.0)
    assert not reports.tell({OTHER: GOOD})
    assert reports.of(DEVICE) == BAD
    clock.advance(21.0)
    assert reports.tell({OTHER: GOOD})
    assert reports.of(DEVICE) == Health()


def test_a_connection_that_ends_takes_along_what_it_told(clock: Clock) -> None:
    health = DeviceHealth(clock)
    old = health.opened("d")
    old.tell({DEVICE: GOOD})
    assert health.of("d", *DEVICE) == GOOD
    new = health.opened("d")
    new.tell({DEVICE: BAD})
    health.closed("d", old)
    assert health.of("d", *DEVICE) == BAD
    health.closed("d", new)
    assert health.of("d", *DEVICE) == Health()
    assert health.of("other", *DEVICE) == Health()


def held(*devices: CdiDevice) -> ClaimInfo:
    return ClaimInfo("ns", "c", "uid-c", (), frozenset(), {"driver": devices})


def first(id_: str, device: str, *requests: str) -> CdiDevice:
    return CdiDevice(id_, frozenset(requests), "p", device)


@cases(
    ("uses", "devices", "expected"),
    {
        "healthy, unhealthy and untold": (
            [{"name": "it"}],
            [first("a", "d"), first("b", "e"), first("c", "f")],
            {
                "claim:it": [
                    {"resourceID": "a", "health": "Healthy"},
                    {"resourceID": "b", "health": "Unhealthy", "message": "too hot"},
                    {"resourceID": "c", "health": "Unknown"},
                ]
            },
        ),
        "of one request": (
            [{"name": "it", "request": "r1"}],
            [first("a", "d", "r0"), first("b", "e", "r1")],
            {"claim:it/r1": [{"resourceID": "b", "health": "Unhealthy", "message": "too hot"}]},
        ),
        "the first device of a common id": (
            [{"name": "it"}],
            [first("common", "d"), first("common", "e")],
            {"claim:it": [{"resourceID": "common", "health": "Healthy"}]},
        ),
        "further ids": (
            [{"name": "it"}],
            [first("a", "d"), CdiDevice("common")],
            {"claim:it": [{"resourceID": "a", "health": "Healthy"}]},
        ),
        "without ids": (
            [{"name": "it"}],
            [first("", "d")],
            {"claim:it": [{"resourceID": "driver/p/d", "health": "Healthy"}]},
        ),
        "no devices": ([{"name": "it"}], [], {}),
        "another claim": ([{"name": "unprepared"}], [first("a", "d")], {}),
        "no claims": ([], [first("a", "d")], {}),
    },
)
def test_what_a_container_shows(
    clock: Clock, uses: list[JSON], devices: list[CdiDevice], expected: dict[str, list[JSON]]
) -> None:
    health = DeviceHealth(clock)
    health.opened("driver").tell({("p", "d"): GOOD, ("p", "e"): BAD})
    shown = resources_of({"resources": {"claims": uses}}, {"it": held(*devices)}, health)
    assert {each["name"]: each["resources"] for each in shown} == expected
