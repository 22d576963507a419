"""Does what a call asks for each of its claims, and answers in time whatever the driver does.

Claims are served at the same time, each by a thread, one call at a time for a claim. A driver that
hangs costs that claim an error a moment before the call is over, keeps one thread, and neither the
other claims of the call waiting nor the program from ending. Called by `dra.kubelet.service`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

from api.objects import ClaimUID
from dra.claims import ClaimRef
from dra.errors import ClaimBusy
from dra.kubelet.threads import Threads
from dra.kubelet.wire import MARGIN_SECONDS
from kube import deadlines
from kube.keylocks import KeyBusy, KeyLocks

T = TypeVar("T")

CLAIMS: Final = 32
"""How many claims of a call are served at the same time."""

_LATE_SECONDS: Final = MARGIN_SECONDS / 2
"""After the deadline, for what keeps to it and fails with a reason of its own."""

_GLANCE_SECONDS: Final = 0.5
"""Between two looks whether the caller still waits."""


class ClaimCalls:
    """Serves the claims of all calls of a plugin; thread-safe."""

    def __init__(
        self, *, prompt: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep to deadlines.

        Args:
            prompt: whether what serves a claim keeps to them itself, so that a call for one claim
                needs no thread besides its own.
            clock: monotonic seconds.
        """
        self._prompt = prompt
        self._clock = clock
        self._locks = KeyLocks[ClaimUID]()
        self._threads = Threads()

    def each(self, refs: Sequence[ClaimRef], serve: Callable[[ClaimRef], T]) -> list["Served[T]"]:
        """Serve claims, and return what came of each until the deadline of the present call."""
        found: list[Served[T]] = [Served(ref) for ref in refs]
        if self._prompt and len(found) == 1:
            self._serve(found[0], serve)
            return found
        rest, lock = iter(found), threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    served = next(rest, None)
                if served is None:
                    return
                self._serve(served, serve)

        for _ in range(min(len(found), CLAIMS)):
            self._threads.run(partial(copy_context().run, work))
        late = self._clock() + min(max(self._left(), 0.0) + _LATE_SECONDS, threading.TIMEOUT_MAX)
        for served in found:
            self._wait(served, late)
        return found

    def _wait(self, served: "Served[T]", late: float) -> None:
        """Wait until a claim is served, and no longer than somebody waits for the call."""
        deadline = deadlines.current()
        while not served.future.done():
            left = late - self._clock()
            if left <= 0 or not (deadline is None or deadline.active()):
                return
            with suppress(TimeoutError):
                served.future.exception(min(left, _GLANCE_SECONDS))

    def _serve(self, served: "Served[T]", serve: Callable[[ClaimRef], T]) -> None:
        try:
            with self.turn(served.ref):
                result = serve(served.ref)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            served.future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - of a driver that ends its thread
            served.future.set_exception(RuntimeError(repr(error)))
        else:
            served.future.set_result(result)

    @contextmanager
    def turn(self, ref: ClaimRef) -> Iterator[None]:
        """Be the only one who works on a claim.

        Raises:
            ClaimBusy: another call does, for longer than the present one may take.
        """
        try:
            with self._locks.holding([ref.uid], max(self._left(), 0.0)):
                yield
        except KeyBusy:
            raise _busy(ref) from None

    def _left(self) -> float:
        return deadlines.seconds_left(self._clock())


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A claim, and what came of it."""

    ref: ClaimRef
    future: "Future[T]" = field(default_factory=Future)

    def result(self) -> T:
        """Return what was answered.

        Raises:
            ClaimBusy: nothing, while the call had time.
            Exception: that it failed by.
        """
        if not self.future.done():
            raise _busy(self.ref)
        return self.future.result()


def _busy(ref: ClaimRef) -> ClaimBusy:
    return ClaimBusy(
        f"{ref} (uid {ref.uid}) is still being served, and this call is over; the kubelet tries "
        "again, and if this lasts, see the plugin's log for what the driver waits for"
    )
