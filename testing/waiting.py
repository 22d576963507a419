"""Waits for what other threads and processes do, which have no event to wait for."""

import time
from collections.abc import Callable
from typing import TypeVar

_POLL_SECONDS = 0.05
_T = TypeVar("_T")


class NotSeen(AssertionError):
    """Something did not come true in time."""


def until(what: str, look: Callable[[], _T | None], timeout: float = 30.0) -> _T:
    """Return the first truthy answer of `look`.

    Args:
        what: the thing waited for, as the end of the sentence "waited 30 s for …".
        look: returns something falsy while it is not there; an AssertionError or LookupError
            counts as not there yet.
        timeout: seconds.

    Raises:
        NotSeen: with the last answer or error.
    """
    end = time.monotonic() + timeout
    while True:
        seen: object
        try:
            found = look()
            if found:
                return found
            seen = found
        except (AssertionError, LookupError) as error:
            seen = error
        if time.monotonic() >= end:
            raise NotSeen(f"waited {timeout:g} s for {what}; last seen: {seen!r}")
        time.sleep(_POLL_SECONDS)
