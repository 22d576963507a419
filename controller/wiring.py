"""Puts the controller together: caches, dialect, syncs, queue."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from api.contract import Contract
from api.resources import DRA_VERSIONS, STATES, DraResources
from controller.caches import Caches
from controller.claims.allocations import teller
from controller.claims.pending import PendingClaims
from controller.claims.pods import PodSource
from controller.claims.repair import StateRepair
from controller.claims.scheduling import SchedulingSync
from controller.claims.sync import ClaimSync
from controller.claims.writer import ClaimWriter
from controller.metrics import ControllerMetrics, DeviceCollector
from controller.nodes.commits import NodeCommits
from controller.nodes.ledger import Ledger
from controller.queue.reconcile import CLAIM, SCHEDULING, STATE, Kind, Reconciler
from controller.queue.silences import SilenceLog
from controller.queue.waiting import Waiters
from controller.queue.wakeups import Wakeups
from controller.versions.dialect import Dialect, Sources
from controller.versions.v1alpha2 import V1Alpha2
from controller.versions.v1alpha3 import V1Alpha3
from kube.client import Client
from kube.events import EventRecorder
from kube.store import Handler, Store
from kube.workqueue import WorkQueue
from ops.metrics import Metrics
from ops.pruning import ComparedWrites

DIALECTS: Final[Mapping[str, Callable[[str, Sources], Dialect]]] = {
    "v1alpha2": V1Alpha2,
    "v1alpha3": V1Alpha3,
}
"""By version of resource.k8s.io: makes what reads and writes the claims of a driver."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The parts that the program starts and stops."""

    caches: Caches
    queue: WorkQueue
    reconciler: Reconciler
    wakeups: Wakeups

    def begin(self) -> None:
        """Queue every cached object, and from now on what changes; call it once.

        Not done before somebody works on the queue: in a controller that stands by for weeks the
        keys of all claims there ever were would pile up.
        """
        caches, wakeups = self.caches, self.wakeups
        _follow(caches.claims, wakeups.on_claim)
        _follow(caches.contexts, wakeups.on_context)
        _follow(caches.states, wakeups.on_state)
        _follow(caches.classes, wakeups.on_class)
        _follow(caches.pods, wakeups.on_pod)
        _follow(caches.nodes, wakeups.on_node)
        for kind, store in caches.parameters.items():
            _follow(store, wakeups.on_parameters(kind))


def build(
    client: Client,
    contract: Contract,
    events: EventRecorder,
    metrics: Metrics,
    *,
    version: str,
    namespace: str,
    unprepare_timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> Controller:
    """Return a controller for a version of resource.k8s.io, not yet running.

    Args:
        client: the API server.
        contract: of the driver.
        events: where events go.
        metrics: registry for what the controller measures.
        version: one of DIALECTS.
        namespace: of the NodeAllocationStates.
        unprepare_timeout: seconds that a deallocation waits for a node to unprepare.
        clock: monotonic seconds.
    """
    resources = DRA_VERSIONS[version]
    caches = Caches(client, contract, resources, namespace, metrics)
    sources = caches.sources(client, resources)
    dialect = DIALECTS[version](contract.driver_name, sources)
    ledger = Ledger(caches.states, namespace, contract.device_key, clock=clock)
    observer = ControllerMetrics(metrics.registry)
    metrics.registry.register(DeviceCollector(ledger))
    commits = NodeCommits(ComparedWrites(client, events), STATES, contract.device_key, ledger)
    parts = (client, contract, dialect, resources.claims, commits, caches.claims, ledger)
    writer = ClaimWriter(*parts, teller(events), unprepare_timeout=unprepare_timeout, clock=clock)
    repair = StateRepair(
        *(client, contract, resources.claims, caches, ledger, dialect, writer, events, observer),
        clock=clock,
    )
    sync = ClaimSync(contract, caches.claims, dialect, caches.nodes, ledger, writer)
    kinds = {
        CLAIM: Kind(sync, caches.claims.get),
        SCHEDULING: _scheduling_kind(client, resources, caches, dialect, ledger, writer, observer),
        STATE: Kind(SilenceLog(repair, ledger.heartbeats), caches.states.get),
    }
    queue = WorkQueue(observer=metrics.queue("controller"))
    return _controller(contract, caches, queue, ledger, kinds, events, observer)


def _controller(
    contract: Contract,
    caches: Caches,
    queue: WorkQueue,
    ledger: Ledger,
    kinds: Mapping[str, Kind],
    events: EventRecorder,
    observer: ControllerMetrics,
) -> Controller:
    waiters = Waiters()
    reconciler = Reconciler(queue, kinds, waiters, events, observer)
    return Controller(
        caches, queue, reconciler, Wakeups(contract, queue, waiters, ledger, caches.contexts)
    )


def _scheduling_kind(
    client: Client,
    resources: DraResources,
    caches: Caches,
    dialect: Dialect,
    ledger: Ledger,
    writer: ClaimWriter,
    observer: ControllerMetrics,
) -> Kind:
    sync = SchedulingSync(
        client,
        resources.contexts,
        caches.contexts,
        PodSource(client, caches.pods),
        PendingClaims(caches.claims, dialect),
        ledger,
        writer,
        observer,
    )
    return Kind(sync, caches.contexts.get)


def _follow(store: Store, handler: Handler) -> None:
    """Call a handler for everything in a store, and for every later change."""
    store.subscribe(handler)
    for obj in store.list():
        handler(None, obj)
