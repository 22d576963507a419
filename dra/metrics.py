"""What the kubelet plugin measures about itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dra.repairs import Repair

PREPARE: Final = "prepare"
UNPREPARE: Final = "unprepare"

_PREFIX: Final = "fake_dra_plugin"
_RESULTS: Final = ("success", "error")
_GAUGES: Final = (
    ("registered", "1 while the kubelet has confirmed the registration of the plugin."),
    ("prepared_claims", "Claims that are prepared now."),
    (
        "last_heartbeat_timestamp_seconds",
        "When the last heartbeat was given that the API server has stored, 0 for never.",
    ),
)
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 45)
"""Seconds; the kubelet gives up after 10 in 1.27 and after 45 later."""


class PluginMetrics:
    """Counters and durations by result; every label value exists from the start."""

    def __init__(
        self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Register the families in `registry`; `clock` gives monotonic seconds."""
        self._clock = clock
        self._totals = {
            verb: Counter(
                f"{_PREFIX}_{verb}_claims",
                f"Calls of the kubelet to {verb} a claim, by result.",
                ["result"],
                registry=registry,
            )
            for verb in (PREPARE, UNPREPARE)
        }
        self._durations = {
            verb: Histogram(
                f"{_PREFIX}_{verb}_claim_duration_seconds",
                f"Time to {verb} a claim, by result.",
                ["result"],
                buckets=_BUCKETS,
                registry=registry,
            )
            for verb in (PREPARE, UNPREPARE)
        }
        for verb in (PREPARE, UNPREPARE):
            for result in _RESULTS:
                self._totals[verb].labels(result)
                self._durations[verb].labels(result)
        self._collected = Counter(
            f"{_PREFIX}_collected_claims",
            "Prepared claims that were unprepared because they are not for this node any more.",
            registry=registry,
        )
        self._repairs = _repairs(registry)
        self._registered, self._prepared, self._heartbeat = (
            Gauge(f"{_PREFIX}_{name}", text, registry=registry) for name, text in _GAUGES
        )

    @contextmanager
    def timed(self, verb: str) -> Iterator[None]:
        """Count and time one PREPARE or UNPREPARE; an exception makes it an error."""
        started = self._clock()
        result = "error"
        try:
            yield
            result = "success"
        finally:
            self._totals[verb].labels(result).inc()
            self._durations[verb].labels(result).observe(self._clock() - started)

    def collected(self) -> None:
        """Count a claim that the garbage collection unprepared."""
        self._collected.inc()

    def repaired(self, kind: str) -> None:
        """Count a repair."""
        self._repairs.labels(kind).inc()

    def registered(self, yes: bool) -> None:
        """Say whether the kubelet has registered the plugin."""
        self._registered.set(int(yes))

    def beat(self, seconds: float) -> None:
        """Take in when the last heartbeat was given that was stored, in seconds since 1970."""
        self._heartbeat.set(seconds)

    def count_prepared(self, count: Callable[[], int]) -> None:
        """Take the number of prepared claims from `count` whenever metrics are read."""
        self._prepared.set_function(count)


def _repairs(registry: CollectorRegistry) -> Counter:
    counter = Counter(
        f"{_PREFIX}_repairs",
        "Repairs that nobody asked for, by what was wrong.",
        ["kind"],
        registry=registry,
    )
    for repair in Repair:
        counter.labels(repair.value)
    return counter
