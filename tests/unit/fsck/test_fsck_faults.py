"""Every fault of the table is survived: nothing wrong afterwards, nothing lost, nothing left."""

from pathlib import Path

import pytest

from tests.support.faultcase import Case
from tests.support.faults import WALKS, Walk, cases, survived
from tests.support.worldrig import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_fault_is_survived(world: World, case: Case) -> None:
    assert survived(case, world) == []


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.name)
def test_walk_has_as_many_writes_as_are_interrupted(world: World, walk: Walk) -> None:
    world.submit("a", "split")
    world.select("a", "node-1")
    world.see()
    walk.before(world)
    world.tripwire.arm(2 * len(walk.writes) + 1)
    assert not world.killed(lambda: walk.work(world), lambda: None)
    assert world.tripwire.left is None
