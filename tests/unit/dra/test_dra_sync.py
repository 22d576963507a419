from unittest.mock import Mock, create_autospec

import pytest

from dra.errors import CdiWriteFailed
from dra.sync import PERIOD_SECONDS, RETRY_SECONDS, NodeSync, Task
from kube.errors import ConnectFailed
from kube.workqueue import WorkQueue


class SyncRig:
    """A sync of three tasks: one every minute, one on request, one that says when."""

    def __init__(self) -> None:
        self.minutely, self.requested = Mock(return_value=None), Mock(return_value=None)
        self.own = Mock(return_value=57.5)
        self.queue = create_autospec(WorkQueue, instance=True, spec_set=True)
        tasks = {
            "minutely": Task(self.minutely),
            "requested": Task(self.requested, periodic=False),
            "own": Task(self.own),
        }
        self.sync = NodeSync(tasks, self.queue)


@pytest.fixture
def made() -> SyncRig:
    return SyncRig()


@pytest.mark.parametrize(("task", "seconds"), [("minutely", PERIOD_SECONDS), ("own", 57.5)])
def test_a_task_comes_again(made: SyncRig, task: str, seconds: float) -> None:
    made.sync.handle(task)
    getattr(made, task).assert_called_once_with()
    made.queue.add_after.assert_called_once_with(task, seconds)


def test_a_task_that_is_asked_for_is_done_once(made: SyncRig) -> None:
    made.sync.handle("requested")
    made.requested.assert_called_once_with()
    made.queue.add_after.assert_not_called()


@pytest.mark.parametrize("task", ["minutely", "requested", "own"])
@pytest.mark.parametrize("error", [ConnectFailed("away"), CdiWriteFailed("full")])
def test_a_task_that_fails_is_tried_again(made: SyncRig, task: str, error: Exception) -> None:
    getattr(made, task).side_effect = error
    made.sync.handle(task)
    made.queue.add_after.assert_called_once_with(task, RETRY_SECONDS)


def test_requests_wake(made: SyncRig) -> None:
    made.sync.request("requested")
    made.queue.add.assert_called_once_with("requested")


def test_run_begins_with_what_is_periodic_and_gives_keys_back(made: SyncRig) -> None:
    made.queue.get.side_effect = ["minutely", "requested", None]
    made.sync.run()
    assert [call.args[0] for call in made.queue.add.call_args_list] == ["minutely", "own"]
    assert [call.args[0] for call in made.queue.done.call_args_list] == ["minutely", "requested"]


def test_defect_ends_the_thread(made: SyncRig) -> None:
    made.minutely.side_effect = KeyError("x")
    with pytest.raises(KeyError):
        made.sync.handle("minutely")
