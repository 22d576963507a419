"""Controller and plugins while the API server is away or busy, with a clock that tests move."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.contract import FAKE
from api.objects import ClaimUID
from dra.devicestate.cdi import claim_file
from kube.errors import ConnectFailed, KubeError, TooManyRequests
from tests.support.worldrig import World

PERIOD = 10.0


def away() -> Iterator[KubeError | None]:
    return itertools.repeat(ConnectFailed("injected"))


def busy() -> Iterator[KubeError | None]:
    return itertools.cycle((None, None, TooManyRequests(429, "TooManyRequests", "injected", {})))


def a_minute(world: World, answers: Callable[[], Iterator[KubeError | None]]) -> None:
    """Let everybody do what they do in a minute in which requests fail."""
    found = answers()
    with world.failing(lambda: next(found)):
        for _ in range(6):
            world._round()
            world.clock.now += PERIOD


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("answers", [away, busy])
def test_minute_while_a_claim_is_allocated_and_prepared(
    world: World, answers: Callable[[], Iterator[KubeError | None]]
) -> None:
    world.submit("a", "split")
    world.select("a", "node-1")
    a_minute(world, answers)
    world.settle()
    node = world.nodes["node-1"]
    assert [h.claim.name for h in node.state.entries()] == ["a"]
    assert world.violations() == []


@pytest.mark.parametrize("answers", [away, busy])
def test_minute_while_a_claim_is_unprepared_and_freed(
    world: World, answers: Callable[[], Iterator[KubeError | None]]
) -> None:
    world.submit("a", "split")
    world.select("a", "node-1")
    world.settle()
    world.end_pod("a")
    world.delete_claim("a")
    a_minute(world, answers)
    world.settle()
    assert world.leaks() == []
    assert world.violations() == []


def test_minute_without_api_server_takes_nothing_from_running_pods(world: World) -> None:
    world.submit("a", "split")
    world.select("a", "node-1")
    world.settle()
    node = world.nodes["node-1"]
    before = node.state.entries()
    surplus = node.cdi_root / claim_file(FAKE, ClaimUID("nobody"))
    surplus.touch()
    a_minute(world, away)
    assert [h.claim for h in node.state.entries()] == [h.claim for h in before]
    assert not surplus.exists()
    assert world.violations() == []
