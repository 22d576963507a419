import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.ratelimit import TokenBucket


def test_burst_goes_through_at_once_and_the_rest_in_turn(clock) -> None:
    bucket = TokenBucket(2.0, 3, clock=clock)
    assert [bucket.reserve() for _ in range(5)] == pytest.approx([0, 0, 0, 0.5, 1.0])


def test_waiting_pays_off_the_credit(clock) -> None:
    bucket = TokenBucket(2.0, 1, clock=clock)
    waits = [bucket.reserve(), bucket.reserve()]
    clock.advance(1.0)
    assert [*waits, bucket.reserve()] == pytest.approx([0, 0.5, 0])


def test_bucket_never_holds_more_than_the_burst(clock) -> None:
    bucket = TokenBucket(1.0, 2, clock=clock)
    clock.advance(1000.0)
    assert [bucket.try_take() for _ in range(3)] == [True, True, False]


def test_refused_attempt_costs_nothing(clock) -> None:
    bucket = TokenBucket(1.0, 1, clock=clock)
    assert bucket.try_take()
    for _ in range(5):
        assert not bucket.try_take()
    clock.advance(1.0)
    assert bucket.try_take()


@pytest.mark.parametrize("qps", [0.0, -1.0])
def test_no_qps_is_no_limit(clock, qps: float) -> None:
    bucket = TokenBucket(qps, 0, clock=clock)
    assert [bucket.reserve() for _ in range(100)] == [0.0] * 100
    assert bucket.try_take()


@given(st.floats(0.1, 100), st.integers(1, 20), st.lists(st.floats(0, 5), min_size=1, max_size=40))
def test_reservations_keep_to_the_rate(qps: float, burst: int, gaps: list[float]) -> None:
    now = [0.0]
    bucket = TokenBucket(qps, burst, clock=lambda: now[0])
    served = []
    for gap in gaps:
        now[0] += gap
        served.append(now[0] + bucket.reserve())
    assert served == sorted(served)
    for first in range(len(served) - burst):
        assert served[first + burst] - served[first] >= 1 / qps - 1e-6
