"""Runs a program as a child process: servers that the benchmark needs, and what it measures."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from bench.errors import NotStarted
from bench.procfs import Usage, usage

_STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.005
_QUIET_LOOK: Final = 0.25
_QUIET_SHARE: Final = 0.08
_QUIET_SECONDS: Final = 20.0
_SHOWN_BYTES: Final = 2000


class Program:
    """One process, from entering the context to leaving it."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] = {}
    ) -> None:
        """Nothing runs yet.

        Args:
            name: for messages.
            command: program and arguments.
            log: file that gets what it writes.
            environment: added to that of this process.
        """
        self.name = name
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.started = 0.0

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self.started = time.monotonic()
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None:
            raise NotStarted(f"{self.name} has not been started")
        return self._process.pid

    def usage(self) -> Usage:
        """Return what it has used.

        Raises:
            NotStarted: it has ended.
        """
        self.check()
        return usage(self.pid)

    def check(self) -> None:
        """Check that it still runs.

        Raises:
            NotStarted: it has ended; the message has the end of its log.
        """
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            tail = self._log.read_bytes()[-_SHOWN_BYTES:].decode(errors="replace")
            raise NotStarted(f"{self.name} has ended with {code}; its log {self._log} ends\n{tail}")

    def until(self, what: str, look: Callable[[], bool], seconds: float) -> float:
        """Wait for something that this program is to bring about.

        Returns:
            Seconds since the program was started.

        Raises:
            NotStarted: it ended instead, or did not get there in time.
        """
        end = time.monotonic() + seconds
        while not look():
            self.check()
            if time.monotonic() > end:
                raise NotStarted(f"waited {seconds:g} s for {self.name}: {what}; see {self._log}")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - self.started

    def settle(self) -> None:
        """Wait until it has caught up: until it uses hardly any CPU; 20 s at most."""
        settle(lambda: self.usage().cpu_seconds)


def settle(used: Callable[[], float]) -> None:
    """Wait until `used` CPU seconds hardly grow any more; 20 s at most."""
    end = time.monotonic() + _QUIET_SECONDS
    before = used()
    while time.monotonic() < end:
        time.sleep(_QUIET_LOOK)
        now = used()
        if now - before <= _QUIET_SHARE * _QUIET_LOOK:
            return
        before = now
