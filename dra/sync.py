"""The work on a node that no kubelet asks for: tasks by name, each again and again.

One thread; what fails is logged and tried again, and never ends the program. Called by the
composition roots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from api.errors import DriverError
from kube.workqueue import WorkQueue
from ops.logs import get_logger

PERIOD_SECONDS: Final = 60.0
"""As often as kubelets look for claims to unprepare. Source: kubernetes cm/dra/manager.go."""

RETRY_SECONDS: Final = 10.0

_LOG = get_logger("sync")


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done again and again.

    Attributes:
        run: does it; may return the seconds until the next time.
        periodic: whether it is due by itself, and not only when somebody asks for it.
    """

    run: Callable[[], float | None]
    periodic: bool = True


class NodeSync:
    """The tasks of a plugin."""

    def __init__(self, tasks: Mapping[str, Task], queue: WorkQueue) -> None:
        """Do `tasks`; shutting `queue` down ends `run`."""
        self._tasks = dict(tasks)
        self._queue = queue

    def request(self, name: str) -> None:
        """Have a task done soon."""
        self._queue.add(name)

    def stop(self) -> None:
        """Let `run` end."""
        self._queue.shutdown()

    def run(self) -> None:
        """Work until the queue is shut down."""
        for name, task in self._tasks.items():
            if task.periodic:
                self._queue.add(name)
        while (key := self._queue.get()) is not None:
            self.handle(key)
            self._queue.done(key)

    def handle(self, name: str) -> None:
        """Do a task once, and see to it that it is done again in time."""
        task = self._tasks[name]
        try:
            pause = task.run()
        except DriverError as error:
            _LOG.warning("Failed, trying again", task=name, err=str(error))
            self._queue.add_after(name, RETRY_SECONDS)
        else:
            if task.periodic:
                self._queue.add_after(name, PERIOD_SECONDS if pause is None else pause)
