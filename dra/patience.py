"""Waits inside a call of the kubelet for what passes by itself, as long as the call allows.

After a call that failed a kubelet comes back in 60 to 90 seconds only, while it gives 45 to each
call (10 in 1.27). So an API server that is away for a second, or a conflict, costs the call that
second; what does not pass fails at once. Called by `dra.kubelet.service` and `dra.node`.
Source: kubernetes pkg/kubelet/pod_workers.go; pkg/kubelet/cm/dra/plugin, timeouts of its clients.
"""

import itertools
import math
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from api.errors import DriverError
from dra.errors import ClaimNotFound, DeviceInUse, NotAllocated, Passing
from kube import deadlines
from kube.errors import (
    Conflict,
    Forbidden,
    NotFound,
    ServerError,
    TooManyRequests,
    TransportError,
    Unauthorized,
)
from kube.retries import pause
from ops.logs import get_logger

T = TypeVar("T")

BRIEF_SECONDS: Final = 5.0

_PASSING: Final = (
    TransportError,
    TooManyRequests,
    ServerError,
    Conflict,
    # of the node's NAS, which the plugin makes anew; other objects have errors of their own
    NotFound,
    Passing,
)

_DOUBTFUL: Final = (
    # an API server that has just started does not know all roles yet
    Unauthorized,
    Forbidden,
    # one of several API servers may be behind what the kubelet has seen
    ClaimNotFound,
    NotAllocated,
    # by a claim that is being unprepared, or whose former allocation is being tested
    DeviceInUse,
)

_LOG = get_logger("patience")


def longest_wait(error: DriverError) -> float:
    """Return for how many seconds a failure may pass by itself; 0 if it does not."""
    if isinstance(error, _PASSING):
        return math.inf
    return BRIEF_SECONDS if isinstance(error, _DOUBTFUL) else 0.0


class Patience:
    """Repeats what failed, with the pauses of the API client; thread-safe."""

    def __init__(
        self,
        sleep: Callable[[float], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Wait with these.

        Args:
            sleep: waits so many seconds; returns True, and early, if the program ends.
            clock: monotonic seconds.
            rand: uniform in [0, 1), for the jitter of pauses.
        """
        self._sleep = sleep
        self._clock = clock
        self._rand = rand

    def persist(self, what: object, attempt: Callable[[], T]) -> T:
        """Attempt something until it succeeds; just once outside of a call.

        Args:
            what: for the log.
            attempt: may be repeated.

        Raises:
            DriverError: the last failure; it does not pass, or not in time, or nobody waits.
        """
        kind, since, failures = DriverError, 0.0, itertools.count(1)
        while True:
            try:
                return attempt()
            except DriverError as error:
                if type(error) is not kind:
                    kind, since = type(error), self._clock()
                seconds = pause(error, next(failures), self._rand())
                if not self._in_time(seconds, since + longest_wait(error)):
                    raise
                _LOG.info("Waiting for what passes by itself", of=what, err=str(error))
                if self._sleep(seconds):
                    raise

    def _in_time(self, seconds: float, latest: float) -> bool:
        deadline = deadlines.current()
        if deadline is None or not deadline.active():
            return False
        return self._clock() + seconds < min(latest, deadline.at)
