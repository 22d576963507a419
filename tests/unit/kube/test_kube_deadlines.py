import math
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from kube.deadlines import Deadline, current, limited, seconds_left


def until(at: float) -> Deadline:
    return Deadline(at, lambda: True)


def test_work_without_a_deadline_has_all_the_time() -> None:
    assert current() is None
    assert seconds_left(5.0) == math.inf


def test_deadline_lasts_as_long_as_its_context() -> None:
    with limited(until(10.0)):
        assert seconds_left(4.0) == 6.0
        with limited(until(5.0)):
            assert seconds_left(4.0) == 1.0
        assert seconds_left(4.0) == 6.0
    assert current() is None


def test_deadline_is_that_of_one_thread_and_of_those_that_are_given_its_context() -> None:
    with limited(until(10.0)), ThreadPoolExecutor(1) as pool:
        assert pool.submit(seconds_left, 4.0).result() == math.inf
        assert pool.submit(copy_context().run, seconds_left, 4.0).result() == 6.0
