from unittest.mock import Mock, create_autospec

import pytest

from api.nas import NodeAllocationState
from dra.publish.nas import NasPublisher
from dra.publish.nodestate import NodeState
from dra.repairs import Repair
from kube.errors import ConnectFailed
from plugin.classic.repairs import Repairs
from tests.support.build import SYSTEM
from tests.support.pluginrig import NODE


class RepairRig:
    """Repairs of a NAS that exists, damaged or not."""

    def __init__(self) -> None:
        self.node_state = create_autospec(NodeState, instance=True, spec_set=True)
        self.node_state.current.return_value = NodeAllocationState(NODE, SYSTEM, "7")
        self.node_state.intact.return_value = False
        self.publisher = create_autospec(NasPublisher, instance=True, spec_set=True)
        self.status_changed, self.report = Mock(), Mock()
        self.repairs = Repairs(self.node_state, self.publisher, self.status_changed, self.report)

    def reported(self) -> list[Repair]:
        return [call.args[0] for call in self.report.call_args_list]


@pytest.fixture
def made() -> RepairRig:
    return RepairRig()


def test_intact_nas_is_only_compared_with_the_prepared_claims(made: RepairRig) -> None:
    made.node_state.intact.return_value = True
    made.repairs.run()
    made.node_state.ensure.assert_not_called()
    made.publisher.reconcile.assert_called_once_with()
    assert made.reported() == []


def test_damaged_nas_is_repaired_and_keeps_its_status(made: RepairRig) -> None:
    made.repairs.run()
    made.node_state.ensure.assert_called_once_with()
    made.publisher.reconcile.assert_called_once_with()
    made.status_changed.assert_not_called()
    assert made.reported() == [Repair.STATE_CHANGED]


def test_missing_nas_is_made_and_gets_its_status(made: RepairRig) -> None:
    made.node_state.current.return_value = NodeAllocationState(NODE, SYSTEM)
    made.node_state.ensure.side_effect = ConnectFailed("away")
    with pytest.raises(ConnectFailed):
        made.repairs.run()
    made.status_changed.assert_called_once_with()
    assert made.reported() == []
    made.node_state.ensure.side_effect = None
    made.repairs.run()
    assert made.reported() == [Repair.STATE_MISSING]
