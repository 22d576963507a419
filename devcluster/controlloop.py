"""The frame that the scheduler and the claim controller share: caches, a queue and a worker.

What a key means is the business of the handler; here is what becomes of a key whose handler fails.
"""

import threading
from collections.abc import Callable

from api.errors import DriverError
from devcluster.caches import Caches
from kube.errors import Conflict
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle
from ops.logs import get_logger


class ControlLoop:
    """Works through the keys of a queue on one thread, once the caches are filled."""

    def __init__(
        self, name: str, caches: Caches, queue: WorkQueue, handle: Callable[[str], None]
    ) -> None:
        """Make a loop that is not running.

        Args:
            name: of the component, for threads and logs.
            caches: what the handler decides on.
            queue: where the handlers of the caches put keys.
            handle: brings the object of a key up to date; an error from it means try again.
        """
        self._name = name
        self._caches = caches
        self._queue = queue
        self._handle = handle
        self._log = get_logger(name)

    def start(self, life: Lifecycle) -> None:
        """Start the threads of the caches and of the worker; `life` stops them."""
        life.on_stop(self._name, self._shutdown)
        for name, body in self._caches.threads(life.stop):
            life.spawn(f"{self._name}-{name}", body)
        life.spawn(f"{self._name}-worker", lambda: self._work(life.stop))

    def _shutdown(self) -> None:
        self._caches.stop()
        self._queue.shutdown()

    def process(self, key: str) -> None:
        """Handle one key; a failed one comes again with back-off."""
        try:
            self._handle(key)
        except Conflict as error:
            self._log.debug("object has changed, trying again", key=key, reason=str(error))
            self._queue.add_rate_limited(key)
        except DriverError as error:
            self._log.warning("failed, trying again", key=key, error=str(error))
            self._queue.add_rate_limited(key)
        except Exception as error:  # noqa: BLE001 - one bad object must not stop the worker
            self._log.error("failed unexpectedly, trying again", key=key, exc=error)
            self._queue.add_rate_limited(key)
        else:
            self._queue.forget(key)

    def _work(self, stop: threading.Event) -> None:
        if not self._caches.wait_synced(stop):
            return
        while (key := self._queue.get()) is not None:
            try:
                self.process(key)
            finally:
                self._queue.done(key)
