"""Changes that come while one is being written share the next write."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from dra.devicestate.groupcommit import GroupCommit
from dra.errors import DeviceInUse
from testing.waiting import until
from tests.support.staterig import StateRig, begun


class Log:
    """Transactions, one of which can be made to fail."""

    def __init__(self) -> None:
        self.count = 0
        self.failing = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.count += 1
        yield
        if self.count == self.failing:
            raise OSError("disk full")


@pytest.fixture
def log() -> Log:
    return Log()


def at_once(group: GroupCommit, actions: list[Callable[[], int]]) -> list[Future[int]]:
    """Have actions come while another one is carried out."""
    started, go = threading.Event(), threading.Event()

    def hold() -> bool:
        started.set()
        return go.wait(10)

    with ThreadPoolExecutor(len(actions) + 1) as pool:
        first = pool.submit(group.run, hold)
        assert started.wait(10)
        made = [pool.submit(group.run, action) for action in actions]
        until("changes to wait", lambda: len(group) == len(actions))
        go.set()
        assert first.result()
    return made


def test_changes_that_wait_are_written_together(log: Log) -> None:
    found = at_once(GroupCommit(log.transaction), [lambda: 1, lambda: 2, lambda: 3])
    assert [each.result() for each in found] == [1, 2, 3]
    assert log.count == 2


def test_a_change_that_is_refused_costs_the_others_nothing(log: Log) -> None:
    found = at_once(GroupCommit(log.transaction), [lambda: 1, lambda: 1 // 0, lambda: 3])
    assert (found[0].result(), found[2].result()) == (1, 3)
    assert isinstance(found[1].exception(), ZeroDivisionError)


def test_a_write_that_fails_is_told_to_all_it_was_for(log: Log) -> None:
    log.failing = 2
    group = GroupCommit(log.transaction)
    found = at_once(group, [lambda: 1, lambda: 2])
    assert [str(each.exception()) for each in found] == ["disk full", "disk full"]
    assert group.run(lambda: 4) == 4


def test_claims_at_the_same_time_see_each_other(tmp_path: Path) -> None:
    rig = StateRig(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(rig.state.begin, begun(n, device="one")) for n in range(1, 9)]
    refused = [each.exception() for each in made if each.exception() is not None]
    assert len(refused) == 7
    assert all(isinstance(each, DeviceInUse) for each in refused)
    rig.start()
    assert len(rig.state.entries()) == 1


def test_a_checkpoint_that_cannot_be_written_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = StateRig(tmp_path)
    rig.state.begin(begun(1))
    before = rig.state.entries()

    def fail(_descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(Exception, match="disk full"):
        rig.state.begin(begun(2))
    with pytest.raises(Exception, match="disk full"):
        rig.state.unprepare(begun(1).uid)
    assert rig.state.entries() == before
