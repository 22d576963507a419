"""The threads that work through the queue, from the moment when this controller may work."""

import threading

from controller.wiring import Controller
from ops.lifecycle import Lifecycle

_POLL_SECONDS = 0.05


class Workers:
    """Starts the work, and ends it so that nothing is written any more."""

    def __init__(self, life: Lifecycle, controller: Controller, number: int) -> None:
        """Prepare `number` threads."""
        self._life = life
        self._controller = controller
        self._number = number
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to work on everything that the caches hold; of no effect while stopping."""
        with self._lock:
            if self._life.stop.is_set():
                return
            self._controller.begin()
            for number in range(self._number):
                self._threads.append(self._life.spawn(f"worker-{number}", self._work))

    def stop(self) -> None:
        """Let the threads drain the queue, and wait for their end."""
        with self._lock:
            self._controller.queue.shutdown()
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        """Work through the queue once every cache has seen a full list."""
        while self._controller.caches.unsynced():
            if self._life.stop.wait(_POLL_SECONDS):
                return
        self._controller.reconciler.run()
