"""What the controller measures about itself and the nodes."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.claims.repair import REPAIRED
from controller.decide.allocator import Refusal
from controller.decide.negotiation import SILENT
from controller.decide.nodeview import NO_SHARING
from controller.nodes.infos import NodeInfos
from controller.queue.reconcile import CLAIM, SCHEDULING, STATE

_PREFIX: Final = "fake_dra_controller"
_RESULTS: Final = ("done", "waiting", "blocked", "again", "error")
_REASONS: Final = (
    "NotPublished",
    "NotReady",
    "Malformed",
    "TooFewDevices",
    "TooFewFree",
    "NoMatchingModel",
    NO_SHARING.reason,
    SILENT.reason,
)
_STATES: Final = ("allocatable", "allocated", "prepared")


class ControllerMetrics:
    """Counters of reconciles and refusals; every label value exists from the start.

    Attributes:
        reconciles: takes the seconds of one reconcile, by prefix of the key and result.
    """

    def __init__(self, registry: CollectorRegistry, infos: NodeInfos) -> None:
        """Register the families in `registry`, and gauges of the nodes in `infos`."""
        registry.register(DeviceCollector(infos))
        durations = Histogram(
            f"{_PREFIX}_reconcile_duration_seconds",
            "Duration of reconciles by kind of key and result.",
            ["kind", "result"],
            registry=registry,
        )
        self._refusals = Counter(
            f"{_PREFIX}_unsuitable_nodes",
            "Nodes reported unsuitable to the scheduler, by reason.",
            ["reason"],
            registry=registry,
        )
        self._repairs = Counter(
            f"{_PREFIX}_repairs",
            "Repairs of NodeAllocationStates and claims, by what was wrong.",
            ["kind"],
            registry=registry,
        )
        for fault in REPAIRED:
            self._repairs.labels(fault.value)
        self.reconciles = {
            (prefix, result): durations.labels(prefix, result).observe
            for prefix in (CLAIM, SCHEDULING, STATE)
            for result in _RESULTS
        }
        for reason in _REASONS:
            self._refusals.labels(reason)

    def unsuitable(self, reason: str, nodes: int) -> None:
        """Count nodes that were refused for a reason."""
        self._refusals.labels(reason).inc(nodes)

    def repaired(self, kind: str) -> None:
        """Count one repair."""
        self._repairs.labels(kind).inc()


class DeviceCollector(Collector):
    """Devices of the whole cluster by state, counted when they are asked for."""

    def __init__(self, infos: NodeInfos) -> None:
        """Count the devices of the nodes in `infos`."""
        self._infos = infos

    def collect(self) -> Iterable[Metric]:
        """Return the gauges of devices and nodes."""
        devices = dict.fromkeys(_STATES, 0)
        nodes = {"ready": 0, "silent": 0, "unavailable": 0}
        for name in self._infos.nodes():
            view = self._infos.view(name)
            if isinstance(view, Refusal):
                nodes["unavailable"] += 1
                continue
            nodes["silent" if self._infos.heartbeats.is_silent(name) else "ready"] += 1
            devices["allocatable"] += len(view.state.allocatable)
            devices["allocated"] += len(view.state.used())
            devices["prepared"] += sum(len(given) for given in view.state.prepared.values())
        yield _gauge(
            "fake_dra_devices", "Devices of nodes that are Ready, by state.", "state", devices
        )
        yield _gauge("fake_dra_nodes", "Nodes with a NodeAllocationState.", "status", nodes)


def _gauge(name: str, text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
