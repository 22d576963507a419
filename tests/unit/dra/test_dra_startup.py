"""What a program does while code of the driver has it wait at the start."""

import threading

import pytest

from dra.errors import StoppedEarly
from dra.startup import answer_of
from ops.lifecycle import Lifecycle
from testing.waiting import until


def fails() -> None:
    raise TimeoutError("no answer of the bus")


def test_what_the_driver_answers_or_raises_is_passed_on() -> None:
    life = Lifecycle()
    assert answer_of(life, "discover", lambda: 3) == 3
    with pytest.raises(TimeoutError, match="no answer of the bus"):
        answer_of(life, "discover", fails)


def test_a_driver_that_hangs_is_told_of_and_given_up_when_the_program_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    life, hangs = Lifecycle(), threading.Event()

    def end() -> None:
        until("the line of the log", lambda: caplog.messages)
        life.stop.set()

    threading.Thread(target=end, daemon=True).start()
    with pytest.raises(StoppedEarly, match="the driver was in discover"):
        answer_of(life, "discover", hangs.wait, told_each=1)
    hangs.set()
    assert caplog.messages[0] == "Driver has not returned yet"
