"""What the leader does now and then, whatever kind of claims there is; a thread of its own."""

import threading
from collections.abc import Callable, Mapping
from typing import Final

from api.errors import DriverError
from ops.lifecycle import Lifecycle
from ops.logs import get_logger

PERIOD_SECONDS: Final = 30.0

_LOG = get_logger("upkeep")


class Upkeep:
    """Tasks by name, done one after the other in each round, and never at the same time."""

    def __init__(
        self,
        life: Lifecycle,
        version: Callable[[], str],
        tasks: Mapping[str, Callable[[str], None]],
    ) -> None:
        """Prepare.

        Args:
            life: of the program.
            version: returns that of resource.k8s.io to use in a round.
            tasks: get it.
        """
        self._life = life
        self._version = version
        self._tasks = tasks
        self._failures: dict[str, str] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; of no effect while stopping."""
        with self._lock:
            if not self._life.stop.is_set():
                self._threads.append(self._life.spawn("upkeep", self._run))

    def stop(self) -> None:
        """Wait for the end of the round that is under way."""
        with self._lock:
            for thread in self._threads:
                thread.join()

    def round(self) -> None:
        """Do every task once; what fails is logged, and tried again in the next round."""
        for name, task in self._tasks.items():
            try:
                task(self._version())
            except DriverError as error:
                if self._failures.get(name) != str(error):
                    _LOG.warning("Failed, trying again", task=name, err=str(error))
                self._failures[name] = str(error)
            else:
                self._failures.pop(name, None)

    def _run(self) -> None:
        self.round()
        while not self._life.stop.wait(PERIOD_SECONDS):
            self.round()
