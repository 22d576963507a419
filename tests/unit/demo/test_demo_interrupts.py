"""The first signal interrupts what may be interrupted, and nothing else."""

import signal
from collections.abc import Iterator

import pytest

from demo.interrupts import SIGNALS, Interrupted, Interrupts


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def interrupts(_handlers: None) -> Interrupts:
    found = Interrupts()
    found.install()
    return found


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_first_signal_interrupts_and_further_ones_do_not(
    interrupts: Interrupts, number: signal.Signals
) -> None:
    with pytest.raises(Interrupted) as interrupt, interrupts.heard():
        signal.raise_signal(number)
    assert interrupt.value.exit_code == 128 + number
    for again in SIGNALS:
        signal.raise_signal(again)


def test_a_signal_before_interrupts_as_soon_as_it_may(interrupts: Interrupts) -> None:
    done = []
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="interrupted by SIGTERM"), interrupts.heard():
        done.append("work")
    assert done == []


def test_a_signal_that_was_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Interrupts().install()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
