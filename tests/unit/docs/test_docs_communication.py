"""The comparison of docs/communication.md is what the programs do."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from api.objects import JSON
from api.resources import DRA_V1ALPHA2
from ops.communication import Communication
from tests.reliability import BEGIN, END
from tests.support.anycluster import ROOT
from tests.support.worldrig import World

NAMES: Final = {
    ("patch", "resourceclaims"): "finalizer",
    ("patch", "nodeallocationstates"): "NAS",
    ("update", "resourceclaims/status"): "claim status",
    ("update", "podschedulingcontexts/status"): "answer to the scheduler",
}


def size(obj: JSON) -> str:
    return str(len(json.dumps(obj, separators=(",", ":"))))


def life(world: World) -> Iterator[tuple[str, str]]:
    """Yield what is written in each step of a claim on a node that has another one."""
    made: list[str] = []

    def during(work: Callable[[], object]) -> str:
        before = len(world.api.writes())
        work()
        done = [NAMES[write] for write in world.api.writes()[before:]]
        made.extend(done)
        return ", ".join(done) or "none"

    world.submit("z", "one")
    _up(world, "z")
    world.submit("a", "split")
    world.select("a", "node-1")
    world.see()
    yield "allocate", during(world.reconcile)
    world.bind()
    yield "prepare", during(world.prepare)
    world.see()
    yield "after 5 s", during(world.reconcile)
    held = world.nas("node-1")
    status = (world.find(DRA_V1ALPHA2.claims, "a") or {})["status"]
    yield "unprepare", during(lambda: world.end_pod("a"))
    world.delete_claim("a")
    world.see()
    yield "free", during(world.reconcile)
    yield "writes in all", str(len(made))
    yield "bytes of the NAS, two claims", size(held)
    yield "bytes of the allocation in the claim", size(status["allocation"])


def _up(world: World, name: str) -> None:
    world.select(name, "node-1")
    for work in (world.see, world.reconcile, world.bind, world.prepare, world.see, world.reconcile):
        work()


def table(*worlds: World) -> Iterator[str]:
    """Yield the lines of the table, a column for each world."""
    yield "| step | `nas` | `handle` |"
    yield "|---|---|---|"
    for cells in zip(*map(life, worlds), strict=True):
        yield f"| {cells[0][0]} | {' | '.join(said for _, said in cells)} |"


def test_table_is_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)
    worlds = [
        World(tmp_path / how, monkeypatch, nodes=1, communication=how) for how in Communication
    ]
    text = (ROOT / "docs" / "communication.md").read_text(encoding="utf-8")
    written = text.split(BEGIN)[1].split(END)[0].strip().splitlines()
    assert written == list(table(*worlds))
