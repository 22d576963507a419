"""Kills a program just before or just after one of its writes, to a file or to the API server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import dra.devicestate.checkpoint
import dra.devicestate.directory
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from kube.calls import Call
from kube.errors import KubeError
from testing.apiserver import READS, MemoryApi


class Killed(BaseException):
    """The process died; not an Exception, so that nothing catches it."""


class Tripwire:
    """Raises at the n-th moment before or after a write; disarmed at first."""

    def __init__(self) -> None:
        self.left: int | None = None

    def arm(self, moment: int) -> None:
        self.left = moment

    def disarm(self) -> bool:
        """Let all writes pass again; tell whether it was still waiting for its moment."""
        waiting, self.left = self.left is not None, None
        return waiting

    def moment(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left == 0:
            self.left = None
            raise Killed

    @contextmanager
    def around(self) -> Iterator[None]:
        self.moment()
        yield
        self.moment()

    def wrap(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.around():
                return write(*args, **kwargs)

        return wrapped

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Count the writes of files."""
        for module in (dra.devicestate.directory, dra.devicestate.checkpoint):
            patch.setattr(module, "write_atomically", self.wrap(module.write_atomically))
        patch.setattr(Path, "unlink", self.wrap(Path.unlink))


class TripwireApi(MemoryApi):
    """An API server whose writes pass a tripwire, and whose answers to them may get lost."""

    def __init__(self, tripwire: Tripwire, *served: str, api: ResourceApi = CLASSIC) -> None:
        super().__init__(*served, api=api)
        self._tripwire = tripwire
        self._answers_left: int | None = None
        self._lost: KubeError | None = None

    def losing(self, after: int | None, error: KubeError | None = None) -> None:
        """Lose the answer to the write after that many writes; None loses no more."""
        self._lost, self._answers_left = error, after

    def _before(self, call: Call) -> None:
        super()._before(call)
        if call.verb not in READS:
            self._tripwire.moment()

    def _after(self, call: Call) -> None:
        super()._after(call)
        if call.verb in READS:
            return
        self._tripwire.moment()
        if self._answers_left is None:
            return
        self._answers_left -= 1
        if self._answers_left < 0 and self._lost is not None:
            error, self._answers_left = self._lost, None
            raise error
