"""What a program counts and measures, in a Prometheus registry of its own.

Names are those of client-go, so that dashboards made for Kubernetes components fit. Labels have
few, fixed values, never the name or uid of an object; every series exists from the start, at 0, so
that the first error is an increase and not a new series.

Source: k8s.io/component-base/metrics/prometheus/{restclient,workqueue}.
"""

import itertools
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import Metric

from api import __version__
from kube.errors import KubeError
from ops.queuemetrics import QueueFamilies, QueueMetrics

REQUEST_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
NO_ANSWER: Final = "<error>"
"""Label `code` of a request without an answer, as client-go has it."""

_METHODS: Final[Mapping[str, str]] = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}
_USUAL_CODES: Final[Mapping[str, Sequence[str]]] = {
    "GET": ("200", "404", "410"),
    "POST": ("201", "409"),
    "PUT": ("200", "404", "409"),
    "PATCH": ("200", "404", "409"),
    "DELETE": ("200", "404"),
}
_COMMON_CODES: Final = ("401", "403", "429", "500", NO_ANSWER)

LabelValues = Mapping[str, Sequence[str]]
"""Every value that each label can have."""


class Metrics:
    """The families of one program.

    Attributes:
        registry: holds them all; not the global one of prometheus_client.
    """

    def __init__(self) -> None:
        """Register what every program has: process, Python, build, and requests."""
        self.registry: CollectorRegistry = _Registry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Gauge(
            "fake_dra_build_info",
            "Constant 1, with the version as label.",
            ["version", "python"],
            registry=self.registry,
        )
        build.labels(__version__, platform.python_version()).set(1)
        # no label host: a driver has one API server, and says in its log which
        self._requests = Counter(
            "rest_client_requests",
            "Requests to the API server by HTTP method and status code.",
            ["code", "method"],
            registry=self.registry,
        )
        self._durations = self.histogram(
            "rest_client_request_duration_seconds",
            "Seconds until the API server answered, by verb; of a watch, until it began.",
            {"verb": tuple(_METHODS)},
            buckets=REQUEST_BUCKETS,
        )
        self._watch_failures = self.counter(
            "fake_dra_watch_failures",
            "Watches that failed and were begun anew, by error: WentBack is an API server whose "
            "etcd was restored, WatchSilent one that is not heard of though its connection lives.",
            {"error": tuple(_names(KubeError))},
        )
        self._queues = QueueFamilies(self.registry)
        for method, codes in _USUAL_CODES.items():
            for code in (*codes, *_COMMON_CODES):
                self._requests.labels(code, method)

    def observe_request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """Count one request; a `kube.client.RequestObserver`.

        Args:
            verb: of the Kubernetes API, such as `list`.
            resource: plural; not a label, the API server's own metrics tell by resource.
            code: HTTP status, 0 without an answer.
            seconds: how long it took.
        """
        del resource
        method = _METHODS.get(verb, verb.upper())
        self._requests.labels(str(code) if code else NO_ANSWER, method).inc()
        self._durations.labels(verb).observe(seconds)

    def watch_failed(self, error: KubeError) -> None:
        """Count what a reflector reports."""
        self._watch_failures.labels(type(error).__name__).inc()

    def queue(self, name: str) -> QueueMetrics:
        """Return what the work queue `name` reports to."""
        return self._queues.queue(name)

    def counter(self, name: str, text: str, labels: LabelValues | None = None) -> Counter:
        """Register a counter, shown as `<name>_total`, with a series for all label values."""
        made = Counter(name, text, tuple(labels or ()), registry=self.registry)
        for values in _combinations(labels):
            made.labels(*values)
        return made

    def gauge(self, name: str, text: str, labels: LabelValues | None = None) -> Gauge:
        """Register a gauge with a series for all label values."""
        made = Gauge(name, text, tuple(labels or ()), registry=self.registry)
        for values in _combinations(labels):
            made.labels(*values)
        return made

    def histogram(
        self,
        name: str,
        text: str,
        labels: LabelValues | None = None,
        *,
        buckets: Sequence[float] = REQUEST_BUCKETS,
    ) -> Histogram:
        """Register a histogram with a series for all label values.

        Args:
            name: with its unit, such as `_seconds`.
            text: help of the family.
            labels: every value that each label can have.
            buckets: upper bounds, in the unit of the name.
        """
        names = tuple(labels or ())
        made = Histogram(name, text, names, registry=self.registry, buckets=buckets)
        for values in _combinations(labels):
            made.labels(*values)
        return made


def _names(error: type[KubeError]) -> Iterator[str]:
    yield error.__name__
    for kind in error.__subclasses__():
        yield from _names(kind)


def _combinations(labels: LabelValues | None) -> Iterator[tuple[str, ...]]:
    return itertools.product(*labels.values()) if labels else iter(())


class _Registry(CollectorRegistry):
    """Shows no `_created` series, which double the number of series and which nobody reads."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
