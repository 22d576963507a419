"""Latencies as the few numbers that are reported of them, and several runs as one; pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from statistics import median
from typing import Any, TypeVar

_T = TypeVar("_T")


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


def medians(runs: Sequence[_T]) -> _T:
    """Return what all runs have in common, with the median of each number; of one run itself."""
    found: _T = _median(list(runs))
    return found


def _median(runs: list[Any]) -> Any:
    first = runs[0]
    if all(each == first for each in runs):
        return first
    if is_dataclass(first) and not isinstance(first, type):
        names = [each.name for each in fields(first)]
        return replace(
            first, **{name: _median([getattr(each, name) for each in runs]) for name in names}
        )
    if isinstance(first, Mapping):
        names = sorted({name for each in runs for name in each})
        return {name: _median([each.get(name, 0.0) for each in runs]) for name in names}
    if isinstance(first, Sequence):
        return [_median(list(each)) for each in zip(*runs, strict=True)]
    return median(runs)
