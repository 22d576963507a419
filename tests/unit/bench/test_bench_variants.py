"""Variants of a driver: their settings, and the floor that each is compared with."""

import dataclasses
from pathlib import Path

import pytest

from api.contract import FAKE
from api.resources import DRA_V1ALPHA2, NAMESPACES, PODS
from bench import objects
from bench.comparing import compared_variants
from bench.figures import Classic
from bench.floor import Task, Writer
from bench.objects import Consumer, Driver
from bench.settings import Subject
from bench.variants import Variant
from testing.apiserver import MemoryApi
from tests.support.tables import cases
from tests.unit.bench.test_bench_goals import CLASSIC, FORMER, NEGOTIATION

DRIVER = Driver(FAKE)
NODE = objects.node_name(0)
OURS = Subject(("controller",), ("plugin",), DRIVER, Path("logs"))


@cases(
    ("subject", "name", "settings"),
    {
        "nas": (OURS, "ours-nas", {"COMMUNICATION": "nas"}),
        "handle": (
            dataclasses.replace(OURS, handle=True),
            "ours-handle",
            {"COMMUNICATION": "handle"},
        ),
        "former": (
            dataclasses.replace(OURS, former=Path("/former")),
            "former-nas",
            {"COMMUNICATION": "nas", "PYTHONPATH": "/former"},
        ),
    },
)
def test_programs_are_told_which_variant_they_are(
    subject: Subject, name: str, settings: dict[str, str]
) -> None:
    made = subject.environment()
    assert subject.variant.name == name
    assert {key: made[key] for key in ("COMMUNICATION", "PYTHONPATH") if key in made} == settings


@pytest.fixture
def task(memory: MemoryApi) -> Task:
    memory.put(NAMESPACES, {"metadata": {"name": objects.NAMESPACE}})
    memory.put(DRIVER.states, objects.node_state(DRIVER, NODE, 1))
    stored = [
        memory.put(resource, {**obj, "metadata": {**obj["metadata"], "uid": "uid-a"}})
        for resource, obj in (
            (PODS, objects.pod("a")),
            (DRA_V1ALPHA2.claims, objects.claim("a", objects.FLOOR)),
        )
    ]
    return Task(Consumer(*stored), (NODE,), NODE)


@pytest.fixture
def memory() -> MemoryApi:
    return MemoryApi("v1alpha2")


@cases("variant", {"nas": Variant(), "handle": Variant(communication="handle")})
def test_the_floor_makes_as_many_writes_as_it_is_said_to_and_leaves_nothing(
    memory: MemoryApi, task: Task, variant: Variant
) -> None:
    writer = Writer(memory, DRIVER, [task], variant)
    writer.up(task)
    writer.down(task)
    assert len(memory.writes()) == variant.of_floor
    writer.tidy(task)
    (state,) = memory.all(DRIVER.states)
    assert not objects.holds(state, task.consumer.claim)
    assert memory.all(DRA_V1ALPHA2.claims) == []


def test_a_former_version_is_compared_at_the_same_number_of_nodes() -> None:
    found = {(each.name, each.to): each.ratio for each in compared_variants([CLASSIC])}
    assert found["CPU per claim, 128 potential nodes, ms", "the former version"] == 0.6
    assert ("CPU per claim, 16 potential nodes, ms", "the former version") not in found
    assert found["CPU per claim, 16 potential nodes, ms", "the NAS mode"] == 1.0
    assert found["plugin's CPU per call, ms", "the former version"] == 1.0


def test_with_few_potential_nodes_a_former_version_is_compared_without_a_goal() -> None:
    former = dataclasses.replace(NEGOTIATION, variant=FORMER)
    (found,) = compared_variants([Classic([NEGOTIATION, former])])
    assert (found.ratio, found.bound) == (1.0, None)
