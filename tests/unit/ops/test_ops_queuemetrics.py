import pytest
from prometheus_client import CollectorRegistry

from ops.queuemetrics import QueueFamilies, QueueLoad


class Rig:
    """One queue on a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 50.0
        self.registry = CollectorRegistry()
        self.families = QueueFamilies(self.registry, clock=lambda: self.now)
        self.queue = self.families.queue("claims")

    def value(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"workqueue_{name}", {"name": "claims"})


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_key_is_timed_from_added_to_finished(rig: Rig) -> None:
    rig.queue.added("a")
    rig.now += 2
    rig.queue.started("a")
    rig.now += 3
    rig.queue.finished("a")
    assert (rig.value("adds_total"), rig.value("retries_total")) == (1, 0)
    assert rig.value("queue_duration_seconds_sum") == 2
    assert rig.value("work_duration_seconds_sum") == 3
    assert rig.value("work_duration_seconds_count") == 1


def test_a_key_waits_from_the_first_time_it_was_added(rig: Rig) -> None:
    rig.queue.added("a")
    rig.now += 2
    rig.queue.added("a")
    rig.queue.started("a")
    assert rig.value("queue_duration_seconds_sum") == 2


def test_the_load_is_what_waits_and_what_is_in_work(rig: Rig) -> None:
    for key in "abc":
        rig.queue.added(key)
    rig.queue.started("a")
    rig.now += 4
    rig.queue.started("b")
    rig.now += 1
    assert rig.queue.load() == QueueLoad(1, 6.0, 5.0)
    assert rig.value("depth") == 1
    assert rig.value("unfinished_work_seconds") == 6
    assert rig.value("longest_running_processor_seconds") == 5


def test_an_idle_queue_has_no_load(rig: Rig) -> None:
    assert rig.queue.load() == QueueLoad(0, 0.0, 0.0)
    assert rig.value("depth") == 0


def test_a_key_added_while_in_work_waits_again(rig: Rig) -> None:
    rig.queue.added("a")
    rig.queue.started("a")
    rig.queue.added("a")
    rig.now += 1
    assert rig.queue.load() == QueueLoad(1, 1.0, 1.0)
    rig.queue.finished("a")
    rig.now += 1
    rig.queue.started("a")
    assert rig.value("queue_duration_seconds_sum") == 2
    assert rig.value("adds_total") == 2


def test_a_key_that_was_not_seen_before_took_no_time(rig: Rig) -> None:
    rig.queue.finished("unknown")
    rig.queue.started("other")
    assert rig.value("work_duration_seconds_sum") == 0
    assert rig.value("queue_duration_seconds_sum") == 0


def test_retries_are_counted(rig: Rig) -> None:
    rig.queue.retried()
    rig.queue.retried()
    assert rig.value("retries_total") == 2


def test_queues_are_told_apart_by_name(rig: Rig) -> None:
    rig.families.queue("pods").added("a")
    assert rig.value("depth") == 0
    assert rig.registry.get_sample_value("workqueue_depth", {"name": "pods"}) == 1
    assert rig.families.queue("claims") is rig.queue
