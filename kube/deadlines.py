"""Until when the work in hand is worth doing: what the context of a call is in client-go.

It is set once, where a call comes in, and kept to by whatever waits below, however deep: requests
and their retries end early enough. It is that of the thread; another one is given a copy of its
context. Called by dra.kubelet.wire, and by the client and the transport of this package.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deadline:
    """The limit of a call.

    Attributes:
        at: monotonic seconds.
        active: tells whether the caller still waits.
    """

    at: float
    active: Callable[[], bool]


_CURRENT: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)


@contextmanager
def limited(deadline: Deadline) -> Iterator[None]:
    """Have this deadline while the context lasts."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Deadline | None:
    """Return the present deadline, None if the work may take as long as it takes."""
    return _CURRENT.get()


def seconds_left(now: float) -> float:
    """Return the seconds until the present deadline, infinite if there is none."""
    deadline = current()
    return math.inf if deadline is None else deadline.at - now
