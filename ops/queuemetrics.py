"""The workqueue_* metrics of client-go, fed by the four events in the life of a key in a queue.

A QueueMetrics keeps the times itself, so that its queue has only to say what happened; the calls
come from under the queue's lock and are cheap. Made by `ops.metrics.Metrics.queue`.

Source: k8s.io/client-go/util/workqueue/metrics.go.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

QUEUE_BUCKETS: Final = (0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
"""Seconds. client-go begins at 10 ns, where Python has nothing to tell apart."""

_GAUGES: Final = {
    "depth": "Keys that wait for a worker.",
    "unfinished_work_seconds": "Seconds that the keys in work have taken so far, together.",
    "longest_running_processor_seconds": "Seconds that the longest key in work has taken so far.",
}


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """A queue at one moment; seconds are of the keys in work, up to now."""

    depth: int
    unfinished_work_seconds: float
    longest_running_processor_seconds: float


class QueueMetrics:
    """Counts and times the keys of one queue; thread-safe."""

    def __init__(self, families: "QueueFamilies", name: str, clock: Callable[[], float]) -> None:
        """Make the series of the queue `name`; `QueueFamilies.queue` is the way to do it."""
        self._adds = families.adds.labels(name)
        self._retries = families.retries.labels(name)
        self._waited = families.waited.labels(name)
        self._worked = families.worked.labels(name)
        self._clock = clock
        self._lock = threading.Lock()
        self._added: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def added(self, key: str) -> None:
        """A key that did not wait yet waits for a worker from now on."""
        self._adds.inc()
        with self._lock:
            self._added.setdefault(key, self._clock())

    def started(self, key: str) -> None:
        """A worker took the key."""
        now = self._clock()
        with self._lock:
            added = self._added.pop(key, now)
            self._started[key] = now
        self._waited.observe(now - added)

    def finished(self, key: str) -> None:
        """The worker is done with the key, with whatever result."""
        now = self._clock()
        with self._lock:
            started = self._started.pop(key, now)
        self._worked.observe(now - started)

    def retried(self) -> None:
        """A key is to be added again, with back-off."""
        self._retries.inc()

    def load(self) -> QueueLoad:
        """Return how much waits and for how long workers have been busy."""
        now = self._clock()
        with self._lock:
            ages = [now - started for started in self._started.values()]
            depth = len(self._added)
        return QueueLoad(depth, sum(ages), max(ages, default=0.0))


class QueueFamilies(Collector):
    """The families that all queues of a program share, told apart by the label `name`."""

    def __init__(
        self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Register the families."""
        self.adds = Counter("workqueue_adds", "Keys added.", ["name"], registry=registry)
        self.retries = Counter(
            "workqueue_retries", "Keys added again with back-off.", ["name"], registry=registry
        )
        self.waited = _seconds(registry, "queue", "Seconds that keys waited for a worker.")
        self.worked = _seconds(registry, "work", "Seconds that workers took for a key.")
        self._clock = clock
        self._queues: dict[str, QueueMetrics] = {}
        registry.register(self)

    def queue(self, name: str) -> QueueMetrics:
        """Return the metrics of the queue `name`, made at the first call."""
        if name not in self._queues:
            self._queues[name] = QueueMetrics(self, name, self._clock)
        return self._queues[name]

    def collect(self) -> Iterable[Metric]:
        """Return the gauges, whose values are computed when they are asked for."""
        loads = {name: queue.load() for name, queue in self._queues.items()}
        for gauge, text in _GAUGES.items():
            family = GaugeMetricFamily(f"workqueue_{gauge}", text, labels=["name"])
            for name, load in loads.items():
                family.add_metric([name], getattr(load, gauge))
            yield family


def _seconds(registry: CollectorRegistry, what: str, text: str) -> Histogram:
    name = f"workqueue_{what}_duration_seconds"
    return Histogram(name, text, ["name"], registry=registry, buckets=QUEUE_BUCKETS)
