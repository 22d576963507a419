"""Puts the plugin together: node state, files, services, and the sync; nothing runs yet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.claims.versions import CLASSIC
from api.contract import Contract
from api.objects import JSON, NodeName
from api.resources import STATES
from dra.claims import ClaimReader
from dra.devicestate.state import State
from dra.garbage import Collector
from dra.kubelet.claimcalls import ClaimCalls
from dra.kubelet.registration import Registration
from dra.kubelet.server import UnixServer
from dra.kubelet.service import NodeService
from dra.kubelet.services import CLASSIC_SERVICES
from dra.kubelet.sockets import Sockets
from dra.kubelet.version import Kubelet
from dra.metrics import PluginMetrics
from dra.patience import Patience
from dra.places import Places
from dra.publish.nas import NasPublisher
from dra.publish.nodestate import NodeState
from dra.repairs import Repair, Report, reporter
from kube.client import Client
from kube.events import EventRecorder
from kube.reflector import Reflector
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.apiserver import watch_failures
from ops.logs import get_logger
from ops.metrics import Metrics
from ops.pruning import ComparedWrites
from plugin.devices import DeviceSource
from plugin.driver import NodeDriver
from plugin.fakes import Fakes
from plugin.heartbeat import PERIOD_SECONDS, Heartbeats
from plugin.readiness import Readiness
from plugin.sync import NodeSync

CALLS: Final = 32
"""How many calls of the kubelet are served at the same time; it has one per pod under way.

More than a node is busy with, since those that wait must not keep others from being served.
"""

REGISTRATION_CALLS: Final = 2

GRACE_SECONDS: Final = 8.0
"""For calls under way when a server ends; they end by themselves, or the kubelet retries."""

_LOG = get_logger("plugin")


@dataclass(frozen=True, slots=True)
class Site:
    """The node that a plugin is for.

    Attributes:
        contract: of the driver.
        node: name of the Node.
        namespace: of its NAS.
        source: of its devices.
        places: of files and sockets.
        heartbeat_period: seconds.
    """

    contract: Contract
    node: NodeName
    namespace: str
    source: DeviceSource
    places: Places
    heartbeat_period: float = PERIOD_SECONDS


@dataclass(frozen=True, slots=True)
class Plugin:
    """The parts that the program starts and stops.

    Attributes:
        cache: of the node's NAS.
        reflector: fills it.
        node_state: the node's NAS.
        state: the prepared claims.
        readiness: the status of the NAS.
        heartbeats: in the NAS.
        queue: of the sync.
        sync: keeps the NAS.
        registration: what the kubelet made of us.
        plugin_server: serves calls for claims.
        registration_server: serves the registration.
        sockets: keeps the sockets of both.
    """

    cache: Store
    reflector: Reflector
    node_state: NodeState
    state: State
    readiness: Readiness
    heartbeats: Heartbeats
    queue: WorkQueue
    sync: NodeSync
    registration: Registration
    plugin_server: UnixServer
    registration_server: UnixServer
    sockets: Sockets


def build(
    client: Client, events: EventRecorder, metrics: Metrics, site: Site, patience: Patience
) -> Plugin:
    """Return the plugin of a node, not yet running.

    Args:
        client: the API server.
        events: where events go.
        metrics: for what the plugin measures.
        site: the node.
        patience: waits inside calls of the kubelet.
    """
    node, places, name = site.node, site.places, site.contract.driver_name
    cache, queue = Store(), WorkQueue(observer=metrics.queue("node"))
    node_state = _node_state(ComparedWrites(client, events), cache, site)
    measured = PluginMetrics(metrics.registry)
    report = reporter(events, measured.repaired, node_object(node))
    publisher = NasPublisher(node_state, report=report)
    state = _state(site, publisher, report, measured)
    claims, kubelet = ClaimReader(client, CLASSIC), Kubelet(client, node)
    socket = places.plugin_socket.path
    registration = Registration(
        *(name, socket, kubelet, measured),
        services=CLASSIC_SERVICES,
        on_change=lambda: sync.status_changed(),
    )
    readiness = Readiness(node_state, registration)
    heartbeats = Heartbeats(node_state, site.heartbeat_period, measured.beat)
    collector = Collector(state, state.discard, claims, node, name, measured, report)
    parts = (node_state, publisher, state, collector, readiness.write, heartbeats, queue)
    sync = NodeSync(*parts, report=report)
    cache.subscribe(sync.on_change)
    asked = (node, site.contract, claims, node_state, site.source, state)
    driver = NodeDriver(*asked, patience=patience, metrics=measured, events=events)
    service = NodeService(driver, kubelet, patience, CLASSIC_SERVICES, ClaimCalls())
    servers = _servers(places, service, registration, report)
    reflector = _reflector(client, cache, site, metrics)
    return Plugin(
        *(cache, reflector, node_state, state, readiness, heartbeats, queue, sync, registration),
        plugin_server=servers[socket],
        registration_server=servers[places.registration_socket.path],
        sockets=Sockets(servers, grace=GRACE_SECONDS, report=report),
    )


def _reflector(client: Client, cache: Store, site: Site, metrics: Metrics) -> Reflector:
    return Reflector(
        client,
        STATES,
        cache,
        namespace=site.namespace,
        field_selector=f"metadata.name={site.node}",
        on_error=watch_failures(_LOG, STATES, metrics),
    )


def _node_state(writes: ComparedWrites, cache: Store, site: Site) -> NodeState:
    return NodeState(
        writes, cache, site.node, site.namespace, site.source.devices(), site.contract.device_key
    )


def _state(site: Site, publisher: NasPublisher, report: Report, metrics: PluginMetrics) -> State:
    fakes = Fakes(site.contract, site.node)
    state = State(
        fakes.directory(site.places.cdi_root.path),
        fakes.checkpoint(site.places.directory.path),
        publisher,
        report=report,
        write_ahead=False,
        remake=fakes.remake,
    )
    metrics.count_prepared(lambda: len(state.entries()))
    return state


def _servers(
    places: Places, service: NodeService, registration: Registration, report: Report
) -> dict[Path, UnixServer]:
    def stale(path: Path) -> None:
        report(Repair.STALE_SOCKET, f"socket {path} of a process that was killed, replaced")

    served = (
        (places.plugin_socket, service.handlers(), CALLS),
        (places.registration_socket, registration.handlers(), REGISTRATION_CALLS),
    )
    return {
        place.path: UnixServer(place, handlers, workers=workers, on_stale=stale)
        for place, handlers, workers in served
    }


def node_object(node: NodeName) -> JSON:
    """Return a Node as the object of an event; kubelets give its name as the uid there.

    Source: kubernetes pkg/kubelet/kubelet.go, nodeRef.
    """
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "uid": node}}
