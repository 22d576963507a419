"""Puts the controller together: caches, dialect, syncs, queue."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from api.contract import Contract
from api.names import CLASS_PARAMETERS_KIND
from api.resources import DRA_VERSIONS, STATES
from controller.caches import Caches
from controller.claims.repair import StateRepair
from controller.claims.scheduling import PendingClaims, PodSource, SchedulingSync
from controller.claims.sync import ClaimSync
from controller.claims.writer import ClaimWriter
from controller.metrics import ControllerMetrics
from controller.nodes.commits import NodeCommits
from controller.nodes.fence import Fence
from controller.nodes.infos import NodeInfos
from controller.nodes.records import InClaims, InNodeStates, Records
from controller.queue.reconcile import CLAIM, SCHEDULING, STATE, KeyHandler, Reconciler, Waiters
from controller.queue.silences import SilenceLog
from controller.queue.wakeups import Wakeups
from controller.versions.dialect import Dialect, Sources
from controller.versions.v1alpha2 import V1Alpha2
from controller.versions.v1alpha3 import V1Alpha3
from kube.client import Client
from kube.events import EventRecorder
from kube.store import Handler, Store
from kube.workqueue import WorkQueue
from ops.communication import Communication
from ops.metrics import Metrics
from ops.pruning import AppliedClassParameters, ComparedWrites

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
    applied: AppliedClassParameters

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
        if CLASS_PARAMETERS_KIND in caches.parameters:
            _follow(caches.parameters[CLASS_PARAMETERS_KIND], self.applied.saw)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a controller works, and how it allocates.

    Attributes:
        version: of resource.k8s.io; one of DIALECTS.
        namespace: of the NodeAllocationStates.
        unprepare_timeout: seconds that a deallocation waits for a node to unprepare.
        communication: where allocations are written down.
        identity: of this process, never used before.
    """

    version: str
    namespace: str
    unprepare_timeout: float
    communication: Communication
    identity: str


def build(
    client: Client,
    contract: Contract,
    events: EventRecorder,
    metrics: Metrics,
    site: Site,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Controller:
    """Return a controller for a version of resource.k8s.io, not yet running.

    Args:
        client: the API server.
        contract: of the driver.
        events: where events go.
        metrics: registry for what the controller measures.
        site: of this controller.
        clock: monotonic seconds.
    """
    resources = DRA_VERSIONS[site.version]
    caches = Caches(client, contract, resources, site.namespace, metrics)
    dialect = DIALECTS[site.version](contract.driver_name, caches.sources(client, resources))
    infos = NodeInfos(caches.states, caches.claims, site.namespace, contract, clock=clock)
    observer = ControllerMetrics(metrics.registry, infos)
    records = _records(site.communication, contract, dialect)
    fence = Fence(site.identity, caches.read_claims)
    compared = ComparedWrites(client, events)
    commits = NodeCommits(compared, STATES, contract.device_key, infos, records, fence)
    parts = (client, contract, dialect, resources.claims, commits, caches.claims, infos)
    writer = ClaimWriter(*parts, events, unprepare_timeout=site.unprepare_timeout, clock=clock)
    repair = StateRepair(
        *(client, contract, resources.claims, caches, infos, dialect, writer, events, observer),
        clock=clock,
    )
    sync = ClaimSync(contract, caches.claims, dialect, caches.nodes, infos, writer)
    scheduling = SchedulingSync(
        *(client, resources.contexts, caches.contexts, PodSource(client, caches.pods)),
        *(PendingClaims(caches.claims, dialect), infos, writer, observer),
    )
    handlers = _handlers(caches, sync, scheduling, SilenceLog(repair.sync, infos.heartbeats))
    queue, waiters = WorkQueue(observer=metrics.queue("controller")), Waiters()
    reconciler = Reconciler(queue, handlers, waiters, events, observer.reconciles)
    wakeups = Wakeups(contract, queue, waiters, infos, caches.contexts)
    return Controller(caches, queue, reconciler, wakeups, AppliedClassParameters(events))


def _records(communication: Communication, contract: Contract, dialect: Dialect) -> Records:
    if communication is Communication.HANDLE:
        return InClaims(contract, dialect)
    return InNodeStates()


def _handlers(
    caches: Caches, claims: ClaimSync, contexts: SchedulingSync, states: SilenceLog
) -> Mapping[str, KeyHandler]:
    return {
        CLAIM: KeyHandler(claims.sync, caches.claims.get),
        SCHEDULING: KeyHandler(contexts.sync, caches.contexts.get),
        STATE: KeyHandler(states.sync, caches.states.get),
    }


def _follow(store: Store, handler: Handler) -> None:
    """Call a handler for everything in a store, and for every later change."""
    store.subscribe(handler)
    for obj in store.list():
        handler(None, obj)
