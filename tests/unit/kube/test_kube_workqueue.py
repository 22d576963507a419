import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event
from unittest.mock import call, create_autospec

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kube.ratelimit import TokenBucket
from kube.workqueue import QueueObserver, QueueState, WorkQueue
from ops.metrics import Metrics


@pytest.fixture
def queue(clock) -> WorkQueue:
    return WorkQueue(clock=clock, limiter=TokenBucket(0, 0))


def drain(queue: WorkQueue) -> list[str]:
    """Take what is ready now; a key that is due later stays."""
    found = []
    while len(queue):
        found.append(queue.get())
        queue.done(found[-1])
    return found


class TestAdd:
    def test_keys_come_in_order(self, queue: WorkQueue) -> None:
        for key in "abc":
            queue.add(key)
        assert [queue.get() for _ in range(3)] == ["a", "b", "c"]


class TestAddAfter:
    def test_comes_when_it_is_due(self, queue: WorkQueue, clock) -> None:
        queue.add_after("a", 5.0)
        queue.add("now")
        clock.advance(4.9)
        assert queue.get() == "now"
        assert len(queue) == 0
        clock.advance(0.2)
        assert queue.get() == "a"

    @pytest.mark.parametrize("seconds", [0.0, -1.0])
    def test_no_delay_is_at_once(self, queue: WorkQueue, seconds: float) -> None:
        queue.add_after("a", seconds)
        assert drain(queue) == ["a"]

    def test_get_sleeps_until_the_key_is_due(
        self, queue: WorkQueue, clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept = []

        def wait(timeout: float | None) -> None:
            slept.append(timeout)
            clock.advance(timeout)

        monkeypatch.setattr(queue._due, "wait", wait)
        queue.add_after("b", 7.0)
        queue.add_after("a", 5.0)
        assert [queue.get(), queue.get()] == ["a", "b"]
        assert slept == [5.0, 2.0]


class TestBlockedWorker:
    """A worker waits, without a time limit, before the test goes on."""

    @pytest.fixture
    def blocked(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkQueue]:
        # Each look at this clock is 10 s later than the one before.
        queue, waiting, found = WorkQueue(clock=itertools.count(0, 10).__next__), Event(), []
        wait = queue._due.wait

        def wait_seen(timeout: float | None) -> None:
            waiting.set()
            wait(timeout)

        monkeypatch.setattr(queue._due, "wait", wait_seen)
        worker = threading.Thread(target=lambda: found.append(queue.get()))
        worker.start()
        waiting.wait()
        yield queue
        worker.join()
        assert found == ["a"]

    def test_gets_a_new_key(self, blocked) -> None:
        blocked.add("a")

    def test_gets_a_delayed_key(self, blocked) -> None:
        blocked.add_after("a", 5.0)

    def test_gets_a_key_that_is_done_by_another(self, blocked) -> None:
        with blocked._lock:
            blocked._state.add("a")
            blocked._state.take()
        blocked.add("a")
        blocked.done("a")


class WaitsSeen(WorkQueue):
    """Tells each time that a worker begins to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = SimpleQueue[None]()

    def _wait(self) -> None:
        self.waits.put(None)
        super()._wait()


class TestManyWorkers:
    """Some wait for keys, one of them watches the clock for all."""

    WORKERS = 5

    @pytest.fixture
    def crew(self) -> Iterator[tuple[WaitsSeen, SimpleQueue[str]]]:
        queue, found = WaitsSeen(), SimpleQueue[str]()

        def work() -> None:
            while (key := queue.get()) is not None:
                found.put(key)
                queue.done(key)

        workers = [threading.Thread(target=work) for _ in range(self.WORKERS)]
        for worker in workers:
            worker.start()
            queue.waits.get()
        yield queue, found
        queue.shutdown()
        for worker in workers:
            worker.join()

    def test_all_keys_are_found_however_they_come(self, crew) -> None:
        queue, found = crew
        for turn in range(300):
            keys = [f"{turn}-{number}" for number in range(turn % (2 * self.WORKERS))]
            for key in keys:
                queue.add_after(key, 0.001 * (turn % 3))
            assert sorted(found.get() for _ in keys) == sorted(keys)

    def test_a_delayed_key_wakes_only_who_watches_and_the_successor(self, crew) -> None:
        queue, found = crew
        queue.add_after("late", 1000.0)
        queue.waits.get()
        queue.add_after("soon", 0.05)
        assert found.get() == "soon"
        for _watched_again_then_successor_then_done in range(3):
            queue.waits.get()
        assert queue.waits.empty()


class TestBackOff:
    def delays(self, queue: WorkQueue, clock, tries: int) -> list[float]:
        found = []
        for _ in range(tries):
            before = clock()
            queue.add_rate_limited("a")
            clock.now = queue._state.next_due()
            found.append(clock() - before)
            assert queue.get() == "a"
            queue.done("a")
        return found

    def test_doubles_from_5_ms(self, queue: WorkQueue, clock) -> None:
        assert self.delays(queue, clock, 4) == pytest.approx([0.005, 0.01, 0.02, 0.04])

    def test_ends_at_1000_s(self, queue: WorkQueue, clock) -> None:
        assert self.delays(queue, clock, 19)[-2:] == pytest.approx([655.36, 1000.0])

    def test_does_not_overflow(self, queue: WorkQueue) -> None:
        queue._failures["a"] = 100_000
        queue.add_rate_limited("a")
        assert queue.retries("a") == 100_001

    def test_is_counted_and_forgotten_per_key(self, queue: WorkQueue, clock) -> None:
        self.delays(queue, clock, 3)
        assert (queue.retries("a"), queue.retries("b")) == (3, 0)
        queue.forget("a")
        queue.forget("b")
        assert queue.retries("a") == 0
        assert self.delays(queue, clock, 1) == pytest.approx([0.005])

    def test_all_keys_together_are_slowed_down(self, clock) -> None:
        queue = WorkQueue(clock=clock, limiter=TokenBucket(1.0, 2, clock=clock))
        for key in "abcd":
            queue.add_rate_limited(key)
        clock.advance(0.005)
        assert [queue.get(), queue.get()] == ["a", "b"]
        assert queue._state.next_due() == pytest.approx(1001.0)


class TestShutdown:
    def test_get_drains_and_then_ends(self, queue: WorkQueue) -> None:
        queue.add("a")
        queue.add("b")
        queue.shutdown()
        assert [queue.get(), queue.get(), queue.get()] == ["a", "b", None]

    def test_key_that_was_added_in_work_is_drained(self, queue: WorkQueue) -> None:
        queue.add("a")
        queue.get()
        queue.add("a")
        queue.shutdown()
        queue.done("a")
        assert [queue.get(), queue.get()] == ["a", None]

    def test_nothing_more_is_taken_in(self, queue: WorkQueue, clock) -> None:
        queue.add_after("early", 1.0)
        queue.shutdown()
        queue.add("a")
        queue.add_after("b", 1.0)
        queue.add_rate_limited("c")
        clock.advance(10.0)
        assert queue.get() is None

    def test_wakes_every_waiting_worker(self, queue: WorkQueue) -> None:
        found: list[str | None] = []
        workers = [threading.Thread(target=lambda: found.append(queue.get())) for _ in range(3)]
        for worker in workers:
            worker.start()
        queue.shutdown()
        for worker in workers:
            worker.join()
        assert found == [None] * 3


def test_workers_share_the_keys_and_no_key_has_two() -> None:
    queue, lock, busy, handled = WorkQueue(), threading.Lock(), set(), Counter()

    def work() -> None:
        while (key := queue.get()) is not None:
            with lock:
                assert key not in busy
                busy.add(key)
            handled[key] += 1
            with lock:
                busy.discard(key)
            queue.done(key)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    keys = [str(number) for number in range(20)]
    for _ in range(20):
        for key in keys:
            queue.add(key)
    queue.shutdown()
    for worker in workers:
        worker.join()
    assert sorted(handled) == sorted(keys)
    assert len(queue) == 0


class TestObserver:
    def test_hears_the_life_of_a_key(self, clock) -> None:
        observer = create_autospec(QueueObserver, instance=True, spec_set=True)
        queue = WorkQueue(clock=clock, observer=observer, limiter=TokenBucket(0, 0))
        queue.add("a")
        queue.add("a")
        queue.get()
        queue.add("a")
        queue.done("a")
        queue.get()
        queue.add_rate_limited("a")
        queue.done("a")
        clock.advance(1.0)
        queue.get()
        assert observer.mock_calls == [
            call.added("a"),
            call.started("a"),
            call.finished("a"),
            call.added("a"),
            call.started("a"),
            call.retried(),
            call.finished("a"),
            call.added("a"),
            call.started("a"),
        ]

    def test_is_what_the_metrics_offer(self) -> None:
        metrics = Metrics()
        queue = WorkQueue(observer=metrics.queue("claims"))
        queue.add("a")
        queue.add("b")
        queue.get()
        value = metrics.registry.get_sample_value
        assert value("workqueue_adds_total", {"name": "claims"}) == 2
        assert value("workqueue_depth", {"name": "claims"}) == 1


keys = st.sampled_from("abc")


class QueueModel(RuleBasedStateMachine):
    """Never two workers with one key, and nothing that was added is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.state = QueueState()
        self.now = 0.0
        self.working: set[str] = set()
        self.owed: set[str] = set()
        self.due: dict[str, float] = {}

    @rule(key=keys)
    def add(self, key: str) -> None:
        ready = self.state.add(key)
        assert ready == (key not in self.owed and key not in self.working)
        self.owed.add(key)

    @rule(key=keys, seconds=st.sampled_from([1.0, 2.0, 5.0]))
    def add_later(self, key: str, seconds: float) -> None:
        self.state.add_at(key, self.now + seconds)
        self.due[key] = min(self.due.get(key, self.now + seconds), self.now + seconds)

    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        came = {key for key, due in self.due.items() if due <= self.now}
        ready = self.state.take_due(self.now)
        assert sorted(ready) == sorted(came - self.owed - self.working)
        self.owed |= came
        self.due = {key: due for key, due in self.due.items() if key not in came}

    @rule()
    def take(self) -> None:
        key = self.state.take()
        assert (key is None) == (not self.owed - self.working)
        if key is not None:
            assert key not in self.working
            assert key in self.owed
            self.owed.remove(key)
            self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.working.remove(key)
        assert self.state.done(key) == (key in self.owed)

    @invariant()
    def ready_is_what_nobody_works_on(self) -> None:
        assert len(self.state) == len(self.owed - self.working)

    @invariant()
    def wakes_up_in_time(self) -> None:
        if self.due:
            assert self.state.next_due() <= min(self.due.values())


TestQueueModel = QueueModel.TestCase
