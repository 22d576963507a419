"""What the leader does now and then goes on, whatever fails."""

import pytest

from controller.upkeep import Upkeep
from kube.errors import ServerError
from ops.lifecycle import Lifecycle


class Task:
    """Fails as it is told to."""

    def __init__(self, *failures: str) -> None:
        self.failures = list(failures)
        self.versions: list[str] = []

    def __call__(self, version: str) -> None:
        self.versions.append(version)
        what = self.failures.pop(0) if self.failures else ""
        if what:
            raise ServerError(500, "InternalError", what, {})


def test_what_fails_is_told_once_and_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Task("down", "down", "broken", "", "down"), Task()
    upkeep = Upkeep(Lifecycle(), lambda: "v1", {"a": failing, "b": other})
    caplog.set_level("WARNING", logger="upkeep")
    for _ in range(5):
        upkeep.round()
    assert caplog.messages == ["Failed, trying again"] * 3
    assert (failing.versions, other.versions) == (["v1"] * 5, ["v1"] * 5)


def test_no_round_begins_while_the_program_stops() -> None:
    life, task = Lifecycle(), Task()
    life.stop.set()
    upkeep = Upkeep(life, lambda: "v1", {"a": task})
    upkeep.start()
    upkeep.stop()
    assert (task.versions, life.wait()) == ([], 0)


def test_the_first_round_is_at_once_and_the_version_is_asked_for_each_time() -> None:
    life, task = Lifecycle(), Task()
    served = iter(["v1beta1", "v1"])
    upkeep = Upkeep(life, lambda: next(served), {"a": task})
    upkeep.start()
    upkeep.round()
    life.stop.set()
    upkeep.stop()
    assert sorted(task.versions) == ["v1", "v1beta1"]
    assert life.wait() == 0
