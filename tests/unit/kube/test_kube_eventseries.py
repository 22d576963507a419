import pytest

from kube.eventseries import Correlator, ObjectRef, Occurrence
from tests.support.tables import cases

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"namespace": "ns", "name": "a", "uid": "u1", "resourceVersion": "5"},
}


def happened(
    message: str = "no device", *, name: str = "a", nanoseconds: int = 100, version: str = "5"
) -> Occurrence:
    ref = ObjectRef("v1", "Pod", "ns", name, f"u-{name}", version)
    return Occurrence(ref, "Warning", "Failed", message, nanoseconds)


@cases(
    ("obj", "ref"),
    {
        "stored": (POD, ObjectRef("v1", "Pod", "ns", "a", "u1", "5")),
        "empty": ({}, ObjectRef("", "", "", "", "")),
        "cluster-scoped": (
            {"kind": "Node", "metadata": {"name": "n"}},
            ObjectRef("", "Node", "", "n", ""),
        ),
    },
)
def test_reference(obj: dict, ref: ObjectRef) -> None:
    found = ObjectRef.of(obj)
    assert found == ref
    assert found.resource_version == ref.resource_version


def test_same_thing_again_is_counted(clock) -> None:
    correlator = Correlator(clock=clock)
    first = correlator.observe(happened(nanoseconds=100))
    again = correlator.observe(happened(nanoseconds=160, version="6"))
    assert again is first
    assert (again.count, again.first, again.name) == (2, 100, "")


@pytest.mark.parametrize("other", [happened("another"), happened(name="b")])
def test_different_things_are_not(clock, other: Occurrence) -> None:
    correlator = Correlator(clock=clock)
    first = correlator.observe(happened())
    assert correlator.observe(other) is not first
    assert first.count == 1


def test_object_has_a_budget_of_25_and_one_in_5_minutes(clock) -> None:
    correlator = Correlator(clock=clock)
    found = [correlator.observe(happened(str(number))) for number in range(26)]
    assert [each is None for each in found] == [False] * 25 + [True]
    assert correlator.observe(happened(name="b")) is not None
    clock.advance(299.0)
    assert correlator.observe(happened()) is None
    clock.advance(2.0)
    assert correlator.observe(happened()) is not None


def test_what_was_not_heard_is_part_of_the_next_count(clock) -> None:
    correlator = Correlator(clock=clock)
    for _ in range(40):
        correlator.observe(happened())
    clock.advance(301.0)
    series = correlator.observe(happened())
    assert series is not None
    assert series.count == 41


def test_remembers_a_bounded_number_of_things(clock) -> None:
    correlator = Correlator(clock=clock)
    first, second = happened(name="first"), happened(name="second")
    correlator.observe(first)
    correlator.observe(second)
    for number in range(4094):
        correlator.observe(happened(name=str(number)))
    assert correlator.observe(first).count == 2
    correlator.observe(happened(name="one more"))
    assert correlator.observe(first).count == 3
    assert correlator.observe(second).count == 1
