"""Puts together what every plugin has, whichever kind its claims are of; nothing runs yet."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.claims.view import ClaimView
from api.objects import JSON, NodeName
from dra.claims import ClaimReader, ClaimRef
from dra.devicestate.prepared import CheckpointEntry
from dra.devicestate.state import State
from dra.driver import Driver, PreparedClaim, ReportsHealth
from dra.garbage import Collector
from dra.kubelet.answers import Answer
from dra.kubelet.claimcalls import ClaimCalls
from dra.kubelet.health import Health
from dra.kubelet.registration import Registration
from dra.kubelet.server import UnixServer
from dra.kubelet.service import NodeService
from dra.kubelet.services import Service
from dra.kubelet.sockets import Sockets
from dra.kubelet.version import Kubelet
from dra.metrics import PluginMetrics
from dra.node import Allocations, NodeDriver, StatusPublisher
from dra.patience import Patience
from dra.places import Places
from dra.publish.metadatafiles import MetadataFiles
from dra.repairs import Repair, Report, reporter
from dra.sync import Task
from kube.client import Client
from kube.deadlines import Deadline, limited
from kube.events import EventRecorder
from ops.metrics import Metrics

CALLS: Final = 32
"""How many calls of the kubelet are served at the same time; it has one per pod under way.

More than a node is busy with, since those that wait must not keep others from being served.
"""

REGISTRATION_CALLS: Final = 2

GRACE_SECONDS: Final = 8.0
"""For calls under way when a server ends; they end by themselves, or the kubelet retries."""

DISCARD_SECONDS: Final = 5.0
"""For a driver to unprepare a claim that is gone; one that hangs keeps the others no longer."""

COLLECT: Final = "collect"
FILES: Final = "files"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plugin works with.

    Attributes:
        client: the API server.
        events: where events go.
        metrics: of the program.
        node: name of the Node.
        places: of files and sockets.
        patience: waits inside calls of the kubelet.
    """

    client: Client
    events: EventRecorder
    metrics: Metrics
    node: NodeName
    places: Places
    patience: Patience


@dataclass(frozen=True, slots=True)
class AllocationModel:
    """What the claims of a plugin are like.

    Attributes:
        services: of the kubelet, for claims and for health.
        claims: reads them.
        allocations: finds what they were given.
        status: shows the state of devices in them.
        answer: what the kubelet is told of one.
        metadata: what containers are told of their devices.
        registration_changed: called after the kubelet's refusal has come or gone.
        registered: called whenever a kubelet has registered the plugin.
    """

    services: tuple[Service[Any], ...]
    claims: ClaimReader
    allocations: Allocations
    status: StatusPublisher
    answer: Callable[[PreparedClaim, ClaimView], Answer]
    metadata: MetadataFiles | None = None
    registration_changed: Callable[[], None] = lambda: None
    registered: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Plugin:
    """The parts that a program starts and stops.

    Attributes:
        state: the prepared claims.
        node: prepares and unprepares.
        registration: what the kubelet made of us.
        plugin_server: serves calls for claims.
        registration_server: serves the registration.
        sockets: keeps the sockets of both.
        health: tells kubelets how devices are; None for a driver that does not know.
        tasks: what is to be done again and again.
    """

    state: State
    node: NodeDriver
    registration: Registration
    plugin_server: UnixServer
    registration_server: UnixServer
    sockets: Sockets
    health: Health | None
    tasks: Mapping[str, Task]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """How a plugin tells what it does.

    Attributes:
        measured: metrics of the plugin.
        report: tells people what had to be repaired.
    """

    measured: PluginMetrics
    report: Report

    @classmethod
    def over(cls, around: Surroundings) -> "Telemetry":
        """Return that of a plugin."""
        measured = PluginMetrics(around.metrics.registry)
        about = node_object(around.node)
        return cls(measured, reporter(around.events, measured.repaired, about))

    def stale_socket(self, path: Path) -> None:
        """Tell of a socket whose process was killed."""
        self.report(Repair.STALE_SOCKET, f"socket {path} of a process that was killed, removed")


def build(
    around: Surroundings, driver: Driver, model: AllocationModel, state: State, telemetry: Telemetry
) -> Plugin:
    """Return the plugin of a driver, not yet running."""
    name, node, measured = driver.contract.driver_name, around.node, telemetry.measured
    measured.count_prepared(lambda: len(state.entries()))
    kubelet = Kubelet(around.client, node)
    # a driver without side effects waits for nothing but the API server
    calls = ClaimCalls(prompt=not state.write_ahead)
    served = NodeDriver(
        *(node, driver, model.claims, model.allocations, state),
        status=model.status,
        answer=model.answer,
        metadata=model.metadata,
        patience=around.patience,
        metrics=measured,
        events=around.events,
    )
    registration = Registration(
        *(name, around.places.plugin_socket.path, kubelet, measured),
        services=model.services,
        on_change=model.registration_changed,
        on_registered=model.registered,
    )
    health = Health(driver, node) if isinstance(driver, ReportsHealth) else None
    claim_services = [each for each in model.services if each.for_claims]
    service = NodeService(served, kubelet, around.patience, claim_services, calls)
    handlers = [*service.handlers(), *(health.handlers() if health else ())]
    servers = _servers(around.places, handlers, registration, telemetry.stale_socket)
    discard = _discarder(served, calls)
    collector = Collector(state, discard, model.claims, node, name, measured, telemetry.report)
    return Plugin(
        state,
        served,
        registration,
        plugin_server=servers[around.places.plugin_socket.path],
        registration_server=servers[around.places.registration_socket.path],
        sockets=Sockets(servers, grace=GRACE_SECONDS, report=telemetry.report),
        health=health,
        tasks={COLLECT: Task(collector.collect), FILES: Task(state.mend_files)},
    )


def _discarder(served: NodeDriver, calls: ClaimCalls) -> Callable[[CheckpointEntry], bool]:
    """Return what unprepares a claim that nobody asks for, like a call that is soon over."""

    def discard(entry: CheckpointEntry) -> bool:
        claim = entry.claim
        ref = ClaimRef(claim.namespace, claim.name, claim.uid)
        with limited(Deadline(time.monotonic() + DISCARD_SECONDS, lambda: True)):
            (answered,) = calls.each((ref,), lambda _ref: served.discard(entry))
        return answered.result()

    return discard


def _servers(
    places: Places, handlers: list[Any], registration: Registration, stale: Callable[[Path], None]
) -> dict[Path, UnixServer]:
    served = (
        (places.plugin_socket, handlers, CALLS),
        (places.registration_socket, registration.handlers(), REGISTRATION_CALLS),
    )
    return {
        place.path: UnixServer(place, each, workers=workers, on_stale=stale)
        for place, each, workers in served
    }


def node_object(node: NodeName) -> JSON:
    """Return a Node as the object of an event; kubelets give its name as the uid there.

    Source: kubernetes pkg/kubelet/kubelet.go, nodeRef.
    """
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "uid": node}}
