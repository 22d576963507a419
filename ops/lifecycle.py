"""Ordered start and stop of a program: threads, signals, and what to undo at the end.

`main` makes one Lifecycle, spawns the threads, registers for each thing that was started how it is
stopped, and then waits. SIGTERM, SIGINT, a crashed thread or `stop.set()` end the wait; actions run
in reverse order of registration, within one budget that has to stay below the pod's
terminationGracePeriodSeconds.

    with Lifecycle() as life:          # an error in here stops what was started, and goes on
        life.install_signals()
        server.start()
        life.on_stop("HTTP server", server.stop)
        life.spawn("worker", work)
        return life.wait()
"""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from types import FrameType
from typing import Final, Self

from ops.logs import get_logger

STOP_BUDGET: Final = 20.0
"""Seconds for the whole stop: the default of terminationGracePeriodSeconds, 30, less a reserve."""

_RESERVE: Final = 0.5
"""Seconds that an action leaves to each action that is still to run, while there is room."""

_log = get_logger("lifecycle")


@dataclass(frozen=True, slots=True)
class _Action:
    name: str
    run: Callable[[], None]


class Lifecycle:
    """One program's threads and stop actions.

    Attributes:
        stop: set when the program has to end; threads leave their loops on it.
    """

    def __init__(
        self, *, budget: float = STOP_BUDGET, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make a lifecycle.

        Args:
            budget: seconds that all stop actions and threads have together.
            clock: monotonic seconds.
        """
        self.stop = threading.Event()
        self._budget = budget
        self._clock = clock
        self._threads: list[threading.Thread] = []
        self._actions: list[_Action] = []
        self._exit_code = 0
        self._signals: SimpleQueue[int | None] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self._exit_code = 1
            self.stop.set()
            self.wait()

    def install_signals(self) -> None:
        """Make SIGTERM and SIGINT stop the program; call it from the main thread.

        The handler only queues the signal: `SimpleQueue.put` is reentrant, while setting an Event
        takes a lock that the interrupted main thread may hold.
        """
        threading.Thread(target=self._watch_signals, name="signals", daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def spawn(self, name: str, target: Callable[[], None]) -> threading.Thread:
        """Run `target` on a thread; an exception in it stops the program with exit code 1."""
        thread = threading.Thread(target=self._guard, args=(name, target), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def on_stop(self, name: str, action: Callable[[], None]) -> None:
        """Register what undoes something that was started; the last one registered runs first."""
        self._actions.append(_Action(name, action))

    def fail(self, name: str, error: BaseException) -> None:
        """Stop the program with exit code 1 because `name` cannot go on.

        While the program stops anyway this changes nothing: a thread may find its tools gone.
        """
        if self.stop.is_set():
            _log.error("Failed while stopping", exc=error, thread=name)
            return
        _log.error("Crashed, stopping", exc=error, thread=name)
        self._exit_code = 1
        self.stop.set()

    def wait(self) -> int:
        """Wait for the stop, run the actions, join the threads.

        Returns:
            The exit code: 0, or 1 after a crash.
        """
        self.stop.wait()
        started = self._clock()
        _log.info("Stopping", actions=len(self._actions))
        self._run_actions(deadline=started + self._budget)
        self._join_threads(deadline=started + self._budget)
        self._signals.put(None)
        _log.info("Stopped", exit_code=self._exit_code, seconds=self._since(started))
        return self._exit_code

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.put(number)

    def _watch_signals(self) -> None:
        while (number := self._signals.get()) is not None:
            name = signal.Signals(number).name
            if self.stop.is_set():
                _log.info("Already stopping, signal ignored", signal=name)
            else:
                _log.info("Signal received", signal=name)
                self.stop.set()

    def _guard(self, name: str, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - a thread that dies unseen is a hung program
            self.fail(name, error)
        else:
            _log.debug("Thread ended", thread=name)

    def _run_actions(self, deadline: float) -> None:
        """Run every action, each on a thread that is left behind when its time is over."""
        while self._actions:
            action = self._actions.pop()
            left = max(deadline - self._clock(), 0.0)
            self._run_action(action, _share(left, following=len(self._actions)))

    def _run_action(self, action: _Action, limit: float) -> None:
        started = self._clock()
        failed: list[BaseException] = []
        thread = threading.Thread(
            target=_collect, args=(action.run, failed), name=f"stop-{action.name}", daemon=True
        )
        thread.start()
        thread.join(limit)
        log = _log.with_(action=action.name, seconds=self._since(started))
        if thread.is_alive():
            log.error("Stop action overran its time, left behind")
        elif failed:
            log.error("Stop action failed", exc=failed[0])
        else:
            log.debug("Stop action done")

    def _join_threads(self, deadline: float) -> None:
        for thread in self._threads:
            thread.join(max(deadline - self._clock(), 0.0))
            if thread.is_alive():
                _log.warning("Thread did not end in time, left behind", thread=thread.name)

    def _since(self, started: float) -> float:
        return round(self._clock() - started, 3)


def _share(left: float, following: int) -> float:
    """Return the seconds of the next action: all that the others can spare, at least its part."""
    return max(left - _RESERVE * following, left / (following + 1))


def _collect(action: Callable[[], None], failed: list[BaseException]) -> None:
    try:
        action()
    except BaseException as error:  # noqa: BLE001 - the other actions have to run all the same
        failed.append(error)
