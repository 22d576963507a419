"""Actions that run at the same time."""

import threading

from devcluster.together import together


def test_all_run_at_the_same_time_and_are_over_at_the_end() -> None:
    barrier, done = threading.Barrier(3, timeout=10), list[int]()

    def act() -> None:
        done.append(barrier.wait())

    together([act] * 3)
    assert sorted(done) == [0, 1, 2]
