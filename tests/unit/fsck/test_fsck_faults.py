"""Every fault of the table is survived: nothing wrong afterwards, nothing lost, nothing left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ops.communication import Communication
from tests.support.faultcase import Case
from tests.support.faults import Walk, cases, survived, walks_of
from tests.support.worldrig import World

Worlds = Callable[[Communication], World]

WALKED = [
    pytest.param(communication, walk, id=f"{walk.name}, {communication}")
    for communication in Communication
    for walk in walks_of(communication)
]


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worlds:
    """Makes a world whose programs communicate in some way."""
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)
    return lambda communication: World(tmp_path, monkeypatch, communication=communication)


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_fault_is_survived(worlds: Worlds, case: Case) -> None:
    assert survived(case, worlds(case.communication)) == []


@pytest.mark.parametrize(("communication", "walk"), WALKED)
def test_walk_has_as_many_writes_as_are_interrupted(
    worlds: Worlds, communication: Communication, walk: Walk
) -> None:
    world = worlds(communication)
    world.submit("a", "split")
    world.select("a", "node-1")
    world.see()
    walk.before(world)
    world.tripwire.arm(2 * len(walk.writes) + 1)
    assert not world.killed(lambda: walk.work(world), lambda: None)
    assert world.tripwire.left is None
