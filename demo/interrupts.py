"""Ctrl-C, and the signals that mean the same: held back while something has to be done wholly."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants the program to end; no Exception, so that nothing on the way handles it."""

    def __init__(self, number: int) -> None:
        """Tell of the signal with a number."""
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Interrupts:
    """The first signal interrupts what is done in `heard`; nothing else is ever interrupted."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self._heard = False
        self._number: int | None = None

    def install(self) -> None:
        """Take the signals, except those that whoever started the program has it ignore."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Be interrupted in here.

        Raises:
            Interrupted: by a signal, which may have come before.
        """
        self._heard = True
        try:
            if self._number is not None:
                raise Interrupted(self._number)
            yield
        finally:
            self._heard = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._number is not None:
            return
        self._number = number
        if self._heard:
            raise Interrupted(number)
