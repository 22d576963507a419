from collections.abc import Callable
from unittest.mock import Mock, create_autospec

import pytest

from api.errors import MalformedState
from api.nas import NodeAllocationState
from dra.devicestate.state import State
from dra.errors import CdiWriteFailed, NodeUnknown
from dra.garbage import Collector
from dra.publish.nas import NasPublisher
from dra.publish.nodestate import NodeState
from kube.errors import ConnectFailed
from kube.workqueue import WorkQueue
from plugin.heartbeat import Heartbeats
from plugin.sync import (
    COLLECT,
    FILES,
    HEARTBEAT,
    PERIOD_SECONDS,
    REPAIR,
    RETRY_SECONDS,
    STATUS,
    NodeSync,
)
from tests.support.build import SYSTEM
from tests.support.pluginrig import NODE


class SyncRig:
    def __init__(self) -> None:
        self.node_state = create_autospec(NodeState, instance=True, spec_set=True)
        self.node_state.current.return_value = NodeAllocationState(NODE, SYSTEM, "7")
        self.node_state.intact.return_value = True
        self.publisher = create_autospec(NasPublisher, instance=True, spec_set=True)
        self.state = create_autospec(State, instance=True, spec_set=True)
        self.collector = create_autospec(Collector, instance=True, spec_set=True)
        self.collector.collect.return_value = None
        self.write_status = Mock()
        self.heartbeats = create_autospec(Heartbeats, instance=True, spec_set=True)
        self.report = Mock()
        self.queue = create_autospec(WorkQueue, instance=True, spec_set=True)
        self.sync = NodeSync(
            self.node_state,
            self.publisher,
            self.state,
            self.collector,
            self.write_status,
            self.heartbeats,
            self.queue,
            report=self.report,
        )


@pytest.fixture
def made() -> SyncRig:
    return SyncRig()


def test_intact_nas_is_only_compared_with_the_prepared_claims(made: SyncRig) -> None:
    made.sync.handle(REPAIR)
    made.node_state.ensure.assert_not_called()
    made.publisher.reconcile.assert_called_once_with()
    made.queue.add.assert_not_called()
    made.queue.add_after.assert_called_once_with(REPAIR, PERIOD_SECONDS)


def test_damaged_nas_is_repaired_and_keeps_its_status(made: SyncRig) -> None:
    made.node_state.intact.return_value = False
    made.sync.handle(REPAIR)
    made.node_state.ensure.assert_called_once_with()
    made.publisher.reconcile.assert_called_once_with()
    made.queue.add.assert_not_called()


def test_missing_nas_is_made_and_gets_its_status(made: SyncRig) -> None:
    made.node_state.intact.return_value = False
    made.node_state.current.return_value = NodeAllocationState(NODE, SYSTEM)
    made.node_state.ensure.side_effect = ConnectFailed("away")
    made.sync.handle(REPAIR)
    made.queue.add.assert_called_once_with(STATUS)
    made.queue.add_after.assert_called_once_with(REPAIR, RETRY_SECONDS)


@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(lambda rig, e: setattr(rig.node_state.intact, "side_effect", e), id="read"),
        pytest.param(
            lambda rig, e: setattr(rig.publisher.reconcile, "side_effect", e), id="publish"
        ),
    ],
)
@pytest.mark.parametrize("error", [ConnectFailed("x"), MalformedState("x"), NodeUnknown("x")])
def test_repair_that_fails_is_tried_again(
    made: SyncRig, fail: Callable[[SyncRig, Exception], None], error: Exception
) -> None:
    fail(made, error)
    made.sync.handle(REPAIR)
    made.queue.add_after.assert_called_once_with(REPAIR, RETRY_SECONDS)


def test_collection_comes_again(made: SyncRig) -> None:
    made.sync.handle(COLLECT)
    made.collector.collect.assert_called_once_with()
    made.queue.add_after.assert_called_once_with(COLLECT, PERIOD_SECONDS)


def test_collection_that_fails_comes_again_sooner(made: SyncRig) -> None:
    made.collector.collect.side_effect = CdiWriteFailed("full")
    made.sync.handle(COLLECT)
    made.queue.add_after.assert_called_once_with(COLLECT, RETRY_SECONDS)


def test_status_is_written_once(made: SyncRig) -> None:
    made.sync.handle(STATUS)
    made.write_status.assert_called_once_with()
    made.queue.add_after.assert_not_called()


def test_status_that_cannot_be_written_is_tried_again(made: SyncRig) -> None:
    made.write_status.side_effect = ConnectFailed("away")
    made.sync.handle(STATUS)
    made.queue.add_after.assert_called_once_with(STATUS, RETRY_SECONDS)


def test_a_heartbeat_follows_when_it_is_due(made: SyncRig) -> None:
    made.heartbeats.beat.return_value = 57.5
    made.sync.handle(HEARTBEAT)
    made.queue.add_after.assert_called_once_with(HEARTBEAT, 57.5)


def test_a_heartbeat_that_fails_is_tried_again(made: SyncRig) -> None:
    made.heartbeats.beat.side_effect = ConnectFailed("away")
    made.sync.handle(HEARTBEAT)
    made.queue.add_after.assert_called_once_with(HEARTBEAT, RETRY_SECONDS)


def test_changes_wake(made: SyncRig) -> None:
    made.sync.on_change(None, {})
    made.sync.status_changed()
    assert [call.args[0] for call in made.queue.add.call_args_list] == [REPAIR, STATUS]


def test_run_begins_with_everything_and_gives_keys_back(made: SyncRig) -> None:
    made.queue.get.side_effect = [REPAIR, STATUS, None]
    made.sync.run()
    begun = [call.args[0] for call in made.queue.add.call_args_list]
    assert begun == [REPAIR, COLLECT, FILES, HEARTBEAT]
    assert [call.args[0] for call in made.queue.done.call_args_list] == [REPAIR, STATUS]


def test_defect_ends_the_thread(made: SyncRig) -> None:
    made.publisher.reconcile.side_effect = KeyError("x")
    with pytest.raises(KeyError):
        made.sync.handle(REPAIR)
