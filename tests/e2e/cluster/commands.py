"""Running programs to their end, and telling the user how long each step took."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tests.e2e.cluster.errors import CommandFailed

_SHOWN_LINES = 20


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program and return what it wrote to standard output.

    Args:
        argv: the program and its arguments.
        cwd: directory to run it in.
        environment: the whole one, instead of this process's.
        timeout: seconds after which it is killed.

    Raises:
        CommandFailed: with the end of what it wrote.
    """
    words = [str(word) for word in argv]
    try:
        ended = subprocess.run(
            words,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{_shown(words)}: {error}") from error
    if ended.returncode:
        told = "\n".join(f"{ended.stdout}{ended.stderr}".strip().splitlines()[-_SHOWN_LINES:])
        raise CommandFailed(f"{_shown(words)} ended with {ended.returncode}:\n{told}")
    return ended.stdout


def succeeds(*argv: str | Path, timeout: float | None = None) -> bool:
    """Run a program and return whether it ended well."""
    try:
        run(*argv, timeout=timeout)
    except CommandFailed:
        return False
    return True


class Progress:
    """Tells one line for each step: what it is and how many seconds it took."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Tell a stream, which is standard error by default."""
        self._stream = stream or sys.stderr
        self._clock = clock

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Tell about what is done inside; steps do not nest."""
        began = self._clock()
        self._write(f"{what} ... ")
        try:
            yield
        except BaseException:
            self._write(f"failed after {self._clock() - began:.1f} s\n")
            raise
        self._write(f"{self._clock() - began:.1f} s\n")

    def _write(self, text: str) -> None:
        if self._stream.closed:
            # an interrupted pytest has closed what it captured, and the cluster still goes down
            return
        self._stream.write(text)
        self._stream.flush()


def _shown(words: Sequence[str]) -> str:
    """Return a command short enough for a message."""
    text = " ".join(words)
    return text if len(text) <= 200 else text[:200] + "…"
