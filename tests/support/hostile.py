"""Gives a program many hostile inputs and tells what it did wrong.

The n-th input is made from the seed and n alone, so that one that failed can be given again alone.
An input is survived if nothing is raised or logged as a defect, the answer comes in time, and the
program still works afterwards and has written nothing outside of its directories.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Protocol

from api.errors import DriverError

SECONDS = 20.0
"""That the answer to one input may take, on a busy machine."""

_BATCH = 50


class Wrong(Exception):
    """What a program did that it must not do."""


class Target(Protocol):
    """A program with one kind of input."""

    what: str
    how: str

    def feed(self, chance: Random) -> None:
        """Give it one input.

        Raises:
            Exception: it did not survive that.
        """

    def check(self) -> None:
        """Look whether it works as before.

        Raises:
            Exception: it does not.
        """


def attack(target: Target, inputs: int, seed: int, *, first: int = 0) -> Iterator[str]:
    """Give a target that many inputs; yield what went wrong, with the number of the input."""
    with defects() as logged:
        for number in range(first, first + inputs):
            last = (number + 1) % _BATCH == 0 or number + 1 == first + inputs
            chance = Random(f"{seed}/{number}")
            for act in (lambda c=chance: target.feed(c), *([target.check] if last else [])):
                wrong = [*_told(act), *logged]
                logged.clear()
                yield from (f"seed {seed}, input {number}: {each}" for each in wrong)


def survives(act: Callable[[], object]) -> bool:
    """Do what may be refused, as an error of the driver; tell whether it was not."""
    try:
        act()
    except DriverError:
        return False
    return True


@contextmanager
def defects() -> Iterator[list[str]]:
    """Collect what is logged with a stack meanwhile."""
    handler = _Stacks()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.found
    finally:
        root.removeHandler(handler)


class Canaries:
    """Files around the directories of a program, which nobody may touch."""

    def __init__(self, root: Path, *own: Path) -> None:
        """Put files into `root`, and beside those of the program into its directories `own`."""
        self._root = root
        self._own = own
        self.file = root / "canary" / "file"
        for path in (self.file, *(directory / "foreign.json" for directory in own)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"foreign": true}')
        self._before = self._seen()

    def check(self) -> None:
        """Look at all of them.

        Raises:
            Wrong: one was changed, or there is more than before.
        """
        seen = self._seen()
        changed = {str(p) for p in self._before.keys() ^ seen.keys()}
        changed |= {str(p) for p in self._before if self._before[p] != seen.get(p)}
        if changed:
            self._before = seen
            raise Wrong(f"wrote outside of its directories: {sorted(changed)}")

    def _seen(self) -> dict[Path, bytes]:
        foreign = [directory / "foreign.json" for directory in self._own]
        outside = [p for p in self._root.rglob("*") if not self._is_own(p)]
        return {
            path: path.read_bytes() if path.is_file() else b""
            for path in (*outside, *foreign)
            if path.exists()
        }

    def _is_own(self, path: Path) -> bool:
        return any(path.is_relative_to(directory) for directory in self._own)


class _Stacks(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, DriverError):
            self.found.append(f"logged {_shown(error)}")


def _told(act: Callable[[], None]) -> list[str]:
    """Do it on a thread, which is left behind if it hangs."""
    raised: list[str] = []

    def guarded() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what went wrong
            raised.append(_shown(error))

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [f"no answer in {SECONDS:.0f} s"] if thread.is_alive() else raised


def _shown(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_code.co_qualname}" if trace is not None else ""
    return f"{type(error).__name__}{place}: {error}"[:300]
