import threading
from collections import deque
from unittest.mock import create_autospec

import pytest
import urllib3

from api.resources import PODS
from kube import calls, errors
from kube.access import Access
from kube.connections import Connections
from kube.transport import Transport
from kube.waiting import Waiting

HOST = "https://api.example:6443"
GET = calls.get_object(PODS, "b", "a")
SECONDS = 20.0


class Rig:
    """A wait whose seconds pass when the script says so."""

    def __init__(self, *steps: object) -> None:
        self.said: list[str] = []
        self.slept: list[float] = []
        self.ended = threading.Event()
        self._steps = deque(steps)
        self.waiting = Waiting(HOST, self.said.append, wait=self._wait)

    def _wait(self, over: threading.Event, seconds: float) -> bool:
        self.slept.append(seconds)
        step = self._steps.popleft() if self._steps else None
        if isinstance(step, Exception):
            self.waiting.failed(step)
        if step is None:
            self.waiting.end()
            self.ended.set()
        return over.is_set()


def test_says_after_a_second_and_then_every_five_why_there_is_no_answer() -> None:
    rig = Rig("silence", errors.ConnectFailed("refused"), "silence")
    rig.waiting.begin()
    assert rig.ended.wait(SECONDS)
    assert rig.said == [f"no answer of {HOST} so far", "refused", "refused"]
    assert rig.slept == [1.0, 5.0, 5.0, 5.0]


def test_many_requests_are_one_wait() -> None:
    rig = Rig("silence")
    for _ in range(3):
        rig.waiting.begin()
    assert rig.ended.wait(SECONDS)
    assert len(rig.said) == 1


@pytest.mark.parametrize("status", [200, 403], ids=["answer", "refusal"])
def test_answer_ends_the_wait(status: int) -> None:
    said: list[str] = []
    held, ended = threading.Event(), threading.Event()

    def wait(over: threading.Event, seconds: float) -> bool:
        held.wait(SECONDS)
        ended.set()
        return over.is_set()

    api = create_autospec(Connections, instance=True, spec_set=True)
    answer = urllib3.HTTPResponse(b"{}", {}, status)
    api.request.side_effect = [urllib3.exceptions.ProtocolError("reset"), answer]
    waiting = Waiting(HOST, said.append, wait=wait)
    transport = Transport(Access(HOST), api, user_agent="test", waiting=waiting)
    with pytest.raises(errors.BrokenAnswer):
        transport.send(GET)
    assert not waiting._over.is_set()
    try:
        transport.send(GET)
    except errors.Forbidden:
        assert status == 403
    held.set()
    assert ended.wait(SECONDS)
    assert said == []


def test_transport_that_is_closed_waits_no_longer() -> None:
    waiting = create_autospec(Waiting, instance=True, spec_set=True)
    api = create_autospec(Connections, instance=True, spec_set=True)
    Transport(Access(HOST), api, user_agent="test", waiting=waiting).close()
    waiting.end.assert_called_once_with()


def test_failure_is_the_reason() -> None:
    waiting = create_autospec(Waiting, instance=True, spec_set=True)
    api = create_autospec(Connections, instance=True, spec_set=True)
    api.request.side_effect = urllib3.exceptions.ConnectTimeoutError(None, "x", "timed out")
    transport = Transport(Access(HOST), api, user_agent="test", waiting=waiting)
    with pytest.raises(errors.ConnectFailed):
        transport.send(GET)
    ((reason,), _) = waiting.failed.call_args
    assert "is it up, and does KUBECONFIG point at it?" in str(reason)
    waiting.end.assert_not_called()
