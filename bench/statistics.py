"""Latencies as the few numbers that are reported of them; pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """A sample of durations.

    Attributes:
        count: size of the sample.
        p50: median, in seconds.
        p99: 99th percentile, in seconds; of less than 100 durations the longest.
    """

    count: int
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Latency":
        """Return the summary of at least one duration."""
        ordered = sorted(seconds)
        return cls(len(ordered), percentile(ordered, 50), percentile(ordered, 99))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile by the nearest-rank method, so that it is one of the values.

    Args:
        ordered: ascending, not empty.
        percent: above 0, up to 100.
    """
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(rank, 1) - 1]


def ratio(value: float, reference: float) -> float:
    """Return value / reference; infinite for a reference of 0."""
    return value / reference if reference else math.inf
