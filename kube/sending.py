"""Sends a call in its turn, and again if that failed in a way that passes by itself.

Called by client.py; what passes and how long to pause is decided in retries.py.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying

from kube import deadlines
from kube.calls import Call
from kube.errors import KubeError
from kube.ratelimit import TokenBucket
from kube.retries import passes_by_itself, pause

RETRY_SECONDS: Final = 10.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends calls; thread-safe.

    Attributes:
        limiter: one token per request.
        stop: once it is set requests go out without a wait and without retries, so that a program
            that ends can still write its last words.
        sleep: waits some seconds.
        retry_seconds: longest time that retries of one call may take; less in work that has a
            deadline, see kube.deadlines.
        clock: seconds, monotonic.
        rand: uniform in [0, 1), for the jitter of pauses.
    """

    limiter: TokenBucket
    stop: threading.Event
    sleep: Callable[[float], object]
    retry_seconds: float = RETRY_SECONDS
    clock: Callable[[], float] = time.monotonic
    rand: Callable[[], float] = random.random

    def send(self, exchange: Callable[[Call], _T], call: Call) -> _T:
        """Carry out a call by `exchange`; raises the last KubeError of it."""
        now = self.clock()
        deadline = now + min(self.retry_seconds, deadlines.seconds_left(now))
        try:
            return self.once(exchange, call)
        except KubeError as error:
            # most calls succeed, and the machinery of retries costs as much as the call itself
            return self._again(exchange, call, error, deadline)

    def take_turn(self) -> None:
        """Wait until the rate limit allows one request more."""
        seconds = self.limiter.reserve()
        if seconds > 0:
            self.sleep(seconds)

    def once(self, exchange: Callable[[Call], _T], call: Call) -> _T:
        """Carry out a call in its turn, without retries."""
        self.take_turn()
        return exchange(call)

    def _wait(self, seconds: float) -> None:
        self.sleep(seconds)

    def _again(
        self, exchange: Callable[[Call], _T], call: Call, error: KubeError, deadline: float
    ) -> _T:
        """Repeat a call as its first failure, `error`, allows; raise the last failure."""
        failed = [error]

        def attempt() -> _T:
            if failed:
                raise failed.pop()
            return self.once(exchange, call)

        retrying = Retrying(
            retry=lambda state: passes_by_itself(call, _error_of(state)),
            wait=lambda state: pause(_error_of(state), state.attempt_number, self.rand()),
            stop=lambda state: self.stop.is_set() or self.clock() + state.upcoming_sleep > deadline,
            sleep=self._wait,
            reraise=True,
        )
        answer: _T = retrying(attempt)
        return answer


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
