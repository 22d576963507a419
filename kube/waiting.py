"""Says that an API server lets us wait, until it has answered for the first time.

Otherwise a program that cannot reach it would be silent until the first request is given up, which
takes more than ten seconds with its retries. Fed by transport.py. Later on it is for the callers to
say what they cannot do.
"""

import threading
from collections.abc import Callable
from typing import Final

FIRST_SECONDS: Final = 1.0
NEXT_SECONDS: Final = 5.0


class Waiting:
    """One wait for the first answer; thread-safe."""

    def __init__(
        self,
        host: str,
        say: Callable[[str], None],
        *,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """Be silent until `begin`.

        Args:
            host: URL of the API server.
            say: hears why there is no answer: after a second, then every five; from any thread.
            wait: waits for an event for some seconds, and tells whether it is set.
        """
        self._reason = f"no answer of {host} so far"
        self._say = say
        self._wait = wait
        self._lock = threading.Lock()
        self._begun = False
        self._over = threading.Event()

    def begin(self) -> None:
        """Take in that a request goes out; only the first one begins the wait."""
        if self._begun:
            return
        with self._lock:
            if not self._begun:
                self._begun = True
                threading.Thread(target=self._run, name="waiting", daemon=True).start()

    def failed(self, error: Exception) -> None:
        """Take in why a request has got no answer."""
        self._reason = str(error)

    def end(self) -> None:
        """Be silent from now on: there is an answer, or nobody waits for one any more."""
        self._over.set()

    def _run(self) -> None:
        seconds = FIRST_SECONDS
        while not self._wait(self._over, seconds):
            self._say(self._reason)
            seconds = NEXT_SECONDS
