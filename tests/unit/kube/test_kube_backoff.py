"""How long to wait after failures in a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.backoff import Backoff

SECONDS = st.floats(0.001, 1000.0)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (10**9, 3.0)]
)
def test_a_pause_is_doubled_up_to_the_longest(failures: int, seconds: float) -> None:
    assert Backoff(first=0.5, longest=3.0).pause(failures) == seconds


@given(first=SECONDS, longest=SECONDS, failures=st.integers(1, 5000), chance=st.floats(0.0, 0.999))
def test_jitter_takes_up_to_half(
    first: float, longest: float, failures: int, chance: float
) -> None:
    backoff = Backoff(first, longest)
    whole = backoff.pause(failures)
    assert whole / 2 <= backoff.jittered(failures, chance) <= whole <= longest
