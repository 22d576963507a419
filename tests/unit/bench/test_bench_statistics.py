import math

from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import Latency, percentile, ratio
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
