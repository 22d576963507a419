"""Token buckets, for the client's QPS, the work queue's retries and the spam filter of events."""

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Lets `burst` through at once and `qps` a second from then on; thread-safe.

    A reservation always succeeds and tells how long to wait for it, so waiters are served in the
    order in which they asked. Source: golang.org/x/time/rate, as client-go uses it.
    """

    def __init__(
        self, qps: float, burst: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with a full bucket.

        Args:
            qps: tokens per second; 0 or less means no limit.
            burst: size of the bucket.
            clock: seconds, monotonic.
        """
        self._qps = qps
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._filled = clock()

    def reserve(self) -> float:
        """Take a token, on credit if there is none; return the seconds to wait for it."""
        if self._qps <= 0:
            return 0.0
        with self._lock:
            self._fill()
            self._tokens -= 1
            return max(0.0, -self._tokens / self._qps)

    def try_take(self) -> bool:
        """Take a token if there is one; tell whether there was."""
        if self._qps <= 0:
            return True
        with self._lock:
            self._fill()
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._qps)
        self._filled = now
