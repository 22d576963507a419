"""The program of a driver, in a thread of this process or in a process of its own."""

import gc
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol, Self

from dra.driver import Driver
from dra.run import serve
from dra.settings import NodeConfig
from ops.config import ServingConfig
from ops.lifecycle import Lifecycle

_STOP_SECONDS: Final = 30.0


class ProgramEnded(Exception):
    """A driver's program ended before it was told to, or with an error."""


class Program(Protocol):
    """A driver that runs."""

    def check(self) -> None:
        """Raise ProgramEnded, or what the program did, if it has ended."""


class ThreadProgram:
    """The program in a thread; leaving the context stops it as SIGTERM does."""

    def __init__(self, driver: Driver, config: NodeConfig, common: ServingConfig) -> None:
        """Make it of a driver and the settings that flags would give."""
        self._driver, self._config, self._common = driver, config, common
        self._life = Lifecycle()
        self._pool = ThreadPoolExecutor(1, "driver")

    def __enter__(self) -> Self:
        self._code: Future[int] = self._pool.submit(self._serve)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._life.stop.set()
        self._pool.shutdown()
        # the program tells the garbage collector to leave alone what is there once it has started
        gc.unfreeze()
        if kind is None and (code := self._code.result()):
            raise _ended(code)

    def check(self) -> None:
        """Raise what the program raised, or ProgramEnded, if it has ended."""
        if self._code.done():
            raise _ended(self._code.result())

    def _serve(self) -> int:
        with self._life:
            return serve(self._life, self._driver, self._config, self._common)


class ProcessProgram:
    """The program in a process, by `dra run`."""

    def __init__(self, target: str, settings: Sequence[str]) -> None:
        """Start it in the working directory.

        Args:
            target: the driver, `module:Class`.
            settings: all flags.
        """
        self._process = subprocess.Popen([sys.executable, "-m", "dra", "run", target, *settings])
        self._killed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._process.terminate()
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        if kind is None and code and not self._killed:
            raise _ended(code)

    def kill(self) -> None:
        """Kill it as when memory runs out: nothing of its own is done any more."""
        self._killed = True
        self._process.kill()
        self._process.wait()

    def check(self) -> None:
        """Raise ProgramEnded if the process has ended."""
        if (code := self._process.poll()) is not None:
            raise _ended(code)


def _ended(code: int) -> ProgramEnded:
    return ProgramEnded(f"the driver ended with exit code {code}; see its log")
