from threading import Event, Thread
from unittest.mock import create_autospec

import pytest

from dra.publish.nodestate import NodeState
from kube.errors import ConnectFailed
from plugin.classic.readiness import Readiness


class Registered:
    refused = False


@pytest.mark.parametrize(
    ("serving", "refused", "status"),
    [
        (False, False, "NotReady"),
        (False, True, "NotReady"),
        (True, False, "Ready"),
        (True, True, "NotReady"),
    ],
)
def test_status(serving: bool, refused: bool, status: str) -> None:
    registered = Registered()
    node_state = create_autospec(NodeState, instance=True, spec_set=True)
    readiness = Readiness(node_state, registered)
    readiness.serving(serving)
    registered.refused = refused
    readiness.write()
    node_state.set_status.assert_called_once_with(status)


def test_error_is_left_to_the_caller() -> None:
    node_state = create_autospec(NodeState, instance=True, spec_set=True)
    node_state.set_status.side_effect = ConnectFailed("away")
    with pytest.raises(ConnectFailed):
        Readiness(node_state, Registered()).write()


def test_not_ready_of_the_end_is_written_last() -> None:
    """Also when another thread is just writing Ready."""
    writing, go_on = Event(), Event()
    written: list[str] = []

    class SlowState:
        def set_status(self, status: str) -> None:
            if status == "Ready":
                writing.set()
                assert go_on.wait(10)
            written.append(status)

    readiness = Readiness(SlowState(), Registered())
    readiness.serving(True)
    threads = [Thread(target=readiness.write), Thread(target=readiness.end)]
    threads[0].start()
    assert writing.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    readiness.write()
    assert written == ["Ready", "NotReady", "NotReady"]
