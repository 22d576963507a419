"""Does many things at a given concurrency, and takes the time."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def concurrently(action: Callable[[_T], _R], items: Iterable[_T], concurrency: int) -> list[_R]:
    """Return the results in order; the first error ends everything."""
    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(action, items))


def timed(action: Callable[[], _R]) -> tuple[float, _R]:
    """Return how long an action took, in seconds, and its result."""
    began = time.monotonic()
    result = action()
    return time.monotonic() - began, result
