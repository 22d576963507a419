import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import Latency, medians, percentile, ratio
from tests.support.tables import cases


@cases(
    ("values", "percent", "expected"),
    {
        "one": ([7.0], 50, 7.0),
        "lower-of-two": ([1.0, 2.0], 50, 1.0),
        "middle": ([1.0, 2.0, 3.0], 50, 2.0),
        "longest": ([1.0, 2.0, 3.0], 100, 3.0),
        "99-of-100": ([float(n) for n in range(1, 101)], 99, 99.0),
        "few-is-longest": ([float(n) for n in range(1, 51)], 99, 50.0),
    },
)
def test_percentile_is_the_nearest_rank(values, percent, expected):
    assert percentile(values, percent) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1).map(sorted), st.integers(1, 100))
def test_a_percentile_has_that_share_of_the_values_at_or_below_it(values, percent):
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100


def test_latency_sorts_what_it_is_given():
    assert Latency.of(iter([3.0, 1.0, 2.0])) == Latency(3, 2.0, 3.0)


@cases(
    ("value", "reference", "expected"),
    {"usual": (1.0, 2.0, 0.5), "nothing-to-compare-with": (1.0, 0.0, math.inf)},
)
def test_ratio(value, reference, expected):
    assert ratio(value, reference) == expected


@dataclass(frozen=True)
class Run:
    """What a run may have."""

    name: str = "a"
    missing: float | None = None
    of: int = 128
    latencies: tuple[Latency, ...] = ()
    requests: Mapping[str, float] = field(default_factory=dict)


@cases(
    ("field", "runs", "expected"),
    {
        "the-same": ("of", [128, 128], 128),
        "numbers": ("of", [3, 9, 4], 4),
        "missing": ("missing", [None, None, None], None),
        "within": (
            "latencies",
            [(Latency(9, 1.0, 9.0),), (Latency(9, 3.0, 7.0),), (Latency(9, 2.0, 8.0),)],
            [Latency(9, 2.0, 8.0)],
        ),
        "by-name": (
            "requests",
            [{"a": 1.0}, {"a": 2.0, "b": 5.0}, {"a": 3.0, "b": 7.0}],
            {"a": 2.0, "b": 5.0},
        ),
    },
)
def test_several_runs_become_one_by_the_median_of_each_number(
    field: str, runs: list[Any], expected: object
) -> None:
    made = medians([Run(**{field: value}) for value in runs])
    assert made == Run(**{field: expected})
