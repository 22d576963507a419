"""Points in time as the API writes them, and where the API server gets them from."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from api import times

Clock: TypeAlias = Callable[[], datetime]
"""Returns the time of day, with UTC as its zone."""


def system_clock() -> datetime:
    """Return the time of day of this machine."""
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """Return a metav1.Time, in whole seconds."""
    return times.timestamp(at.timestamp())
