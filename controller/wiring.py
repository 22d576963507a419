"""Puts the controller together: caches, dialect, syncs, queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.caches import STATES, Caches
from controller.claims import ClaimWriter
from controller.claimsync import ClaimSync
from controller.dialect import Dialect, Resources, Version
from controller.metrics import ControllerMetrics, DeviceCollector
from controller.nodes import Ledger
from controller.pending import PendingClaims
from controller.pods import PodSource
from controller.reconcile import CLAIM, SCHEDULING, Kind, Reconciler
from controller.scheduling import SchedulingSync
from controller.sources import CachedSource, Sources
from controller.v1alpha2 import V1ALPHA2
from controller.v1alpha3 import V1ALPHA3
from controller.waiting import Waiters
from controller.wakeups import Wakeups
from kube.client import Client
from kube.events import EventRecorder
from kube.resources import NODES
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.metrics import Metrics

VERSIONS: Final[Mapping[str, Version]] = {"v1alpha2": V1ALPHA2, "v1alpha3": V1ALPHA3}
"""Versions of resource.k8s.io with classic claims, the preferred one first."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The parts that the program starts and stops."""

    caches: Caches
    queue: WorkQueue
    reconciler: Reconciler


def build(
    client: Client,
    events: EventRecorder,
    metrics: Metrics,
    *,
    version: str,
    namespace: str,
    unprepare_timeout: float,
) -> Controller:
    """Return a controller for a version of resource.k8s.io, not yet running.

    Args:
        client: the API server.
        events: where Warning events go.
        metrics: registry for what the controller measures.
        version: one of VERSIONS.
        namespace: of the NodeAllocationStates.
        unprepare_timeout: seconds that a deallocation waits for a node to unprepare.
    """
    resources = VERSIONS[version].resources
    caches = Caches(client, resources, namespace)
    dialect = VERSIONS[version].dialect(_sources(client, resources, caches))
    ledger = Ledger(caches.states, namespace)
    observer = ControllerMetrics(metrics.registry)
    metrics.registry.register(DeviceCollector(ledger))
    writer = ClaimWriter(
        client,
        dialect,
        resources.claims,
        STATES,
        caches.claims,
        ledger,
        unprepare_timeout=unprepare_timeout,
    )
    kinds = {
        CLAIM: _claim_kind(client, caches, dialect, ledger, writer),
        SCHEDULING: _scheduling_kind(client, resources, caches, dialect, ledger, writer, observer),
    }
    queue = WorkQueue(observer=metrics.queue("controller"))
    waiters = Waiters()
    _subscribe(caches, Wakeups(queue, waiters, ledger, caches.contexts))
    return Controller(caches, queue, Reconciler(queue, kinds, waiters, events, observer))


def _claim_kind(
    client: Client, caches: Caches, dialect: Dialect, ledger: Ledger, writer: ClaimWriter
) -> Kind:
    nodes = CachedSource(client, NODES, Store())
    sync = ClaimSync(caches.claims, dialect, nodes, ledger, writer)
    return Kind(sync, caches.claims.get)


def _scheduling_kind(
    client: Client,
    resources: Resources,
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


def _sources(client: Client, resources: Resources, caches: Caches) -> Sources:
    classes = CachedSource(client, resources.classes, caches.classes)
    parameters = {
        resource.kind: CachedSource(client, resource, caches.parameters[resource.kind])
        for resource in resources.parameters
    }
    return {resources.classes.kind: classes, **parameters}


def _subscribe(caches: Caches, wakeups: Wakeups) -> None:
    caches.claims.subscribe(wakeups.on_claim)
    caches.contexts.subscribe(wakeups.on_context)
    caches.states.subscribe(wakeups.on_state)
    caches.classes.subscribe(wakeups.on_class)
    caches.pods.subscribe(wakeups.on_pod)
    for kind, store in caches.parameters.items():
        store.subscribe(wakeups.on_parameters(kind))
