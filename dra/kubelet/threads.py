"""Threads that are used again, and that a program does not wait for at its end.

Whoever makes a thread waits until it has begun, and each call would. The threads of
concurrent.futures are joined when the interpreter ends, however long a driver hangs in them. Called
by `dra.kubelet.claimcalls`.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeAlias

Job: TypeAlias = Callable[[], object]

IDLE: Final = 16
"""How many threads wait for something to do, at most."""


class Threads:
    """As many threads as there are jobs; thread-safe."""

    def __init__(self) -> None:
        """Have none."""
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def run(self, job: Job) -> None:
        """Have a job done at once by a thread of its own; `job` raises nothing."""
        with self._lock:
            idle = self._idle > 0
            self._idle -= idle
        if idle:
            self._jobs.put(job)
        else:
            threading.Thread(target=self._work, args=(job,), daemon=True).start()

    def _work(self, job: Job) -> None:
        thread = threading.current_thread()
        while True:
            # for who looks at the threads
            thread.name = "claim"
            job()
            thread.name = "idle"
            with self._lock:
                if self._idle >= IDLE:
                    return
                self._idle += 1
            job = self._jobs.get()
