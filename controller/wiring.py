"""Puts the controller together: caches, syncs, queue, and the threads that run them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from api.names import (
    CLAIM_PARAMETERS_KIND,
    CLAIM_PARAMETERS_PLURAL,
    CLASS_PARAMETERS_KIND,
    CLASS_PARAMETERS_PLURAL,
    CRD_VERSION,
    DRIVER_NAME,
    NAS_GROUP,
    NAS_KIND,
    NAS_PLURAL,
    RESOURCE_GROUP,
)
from controller.claims import ClaimWriter
from controller.claimsync import ClaimSync
from controller.metrics import ControllerMetrics, DeviceCollector
from controller.nodes import HOLDERS_INDEX, Ledger, holders_index
from controller.parameters import CachedSource, ParametersLookup
from controller.pending import PendingClaims
from controller.pods import UNSCHEDULED, PodSource
from controller.reconcile import CLAIM, SCHEDULING, Kind, Reconciler
from controller.scheduling import SchedulingSync
from controller.waiting import Waiters
from controller.wakeups import Wakeups
from kube.client import Client
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.reflector import Reflector
from kube.resources import NODES, PODS, Resource
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.logs import get_logger
from ops.metrics import Metrics

_LOG = get_logger("controller")


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that the controller reads and writes."""

    claims: Resource
    contexts: Resource
    classes: Resource
    states: Resource
    claim_parameters: Resource
    class_parameters: Resource

    @classmethod
    def of(cls, version: str) -> "Resources":
        """Return the resources for a version of resource.k8s.io."""
        return cls(
            claims=Resource(RESOURCE_GROUP, version, "resourceclaims", "ResourceClaim"),
            contexts=Resource(
                RESOURCE_GROUP, version, "podschedulingcontexts", "PodSchedulingContext"
            ),
            classes=Resource(
                RESOURCE_GROUP, version, "resourceclasses", "ResourceClass", namespaced=False
            ),
            states=Resource(NAS_GROUP, CRD_VERSION, NAS_PLURAL, NAS_KIND),
            claim_parameters=Resource(
                DRIVER_NAME, CRD_VERSION, CLAIM_PARAMETERS_PLURAL, CLAIM_PARAMETERS_KIND
            ),
            class_parameters=Resource(
                DRIVER_NAME,
                CRD_VERSION,
                CLASS_PARAMETERS_PLURAL,
                CLASS_PARAMETERS_KIND,
                namespaced=False,
            ),
        )


class Caches:
    """One watch cache per resource, and the reflectors that fill them."""

    def __init__(self, client: Client, resources: Resources, namespace: str) -> None:
        """Cache claims and contexts of all namespaces, node states of `namespace`."""
        self.claims = Store()
        self.contexts = Store()
        self.classes = Store()
        self.states = Store({HOLDERS_INDEX: holders_index})
        self.claim_parameters = Store()
        self.class_parameters = Store()
        self.pods = Store()

        def reflect(
            resource: Resource,
            store: Store,
            *,
            namespace: str | None = None,
            field_selector: str | None = None,
        ) -> Reflector:
            return Reflector(
                client,
                resource,
                store,
                namespace=namespace,
                field_selector=field_selector,
                on_error=_report(resource),
            )

        self._reflectors = {
            "claims": reflect(resources.claims, self.claims),
            "contexts": reflect(resources.contexts, self.contexts),
            "classes": reflect(resources.classes, self.classes),
            "states": reflect(resources.states, self.states, namespace=namespace),
            "claim-parameters": reflect(resources.claim_parameters, self.claim_parameters),
            "class-parameters": reflect(resources.class_parameters, self.class_parameters),
            "pods": reflect(PODS, self.pods, field_selector=UNSCHEDULED),
        }

    def threads(self, stop: threading.Event) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield a name and a body for each thread that fills a cache."""
        for name, reflector in self._reflectors.items():
            yield f"reflector-{name}", _bind(reflector, stop)

    def unsynced(self) -> list[str]:
        """Return the names of the caches that have not seen a first list."""
        stores: Mapping[str, Store] = {
            "claims": self.claims,
            "contexts": self.contexts,
            "classes": self.classes,
            "states": self.states,
            "claim-parameters": self.claim_parameters,
            "class-parameters": self.class_parameters,
            "pods": self.pods,
        }
        return [name for name, store in stores.items() if not store.has_synced()]

    def stop(self) -> None:
        """Close the open watches."""
        for reflector in self._reflectors.values():
            reflector.stop()


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
        version: of resource.k8s.io, e.g. `v1alpha2`.
        namespace: of the NodeAllocationStates.
        unprepare_timeout: seconds that a deallocation waits for a node to unprepare.
    """
    resources = Resources.of(version)
    caches = Caches(client, resources, namespace)
    ledger = Ledger(caches.states, namespace)
    observer = ControllerMetrics(metrics.registry)
    metrics.registry.register(DeviceCollector(ledger))
    lookup = _lookup(client, resources, caches)
    pending = PendingClaims(caches.claims, lookup)
    writer = ClaimWriter(
        client,
        resources.claims,
        resources.states,
        caches.claims,
        ledger,
        unprepare_timeout=unprepare_timeout,
    )
    nodes = CachedSource(client, NODES, Store())
    claim_sync = ClaimSync(caches.claims, pending, lookup, nodes, ledger, writer)
    scheduling_sync = SchedulingSync(
        client,
        resources.contexts,
        caches.contexts,
        PodSource(client, caches.pods),
        pending,
        ledger,
        writer,
        observer,
    )
    kinds = {
        CLAIM: Kind(claim_sync, caches.claims.get),
        SCHEDULING: Kind(scheduling_sync, caches.contexts.get),
    }
    queue = WorkQueue(observer=metrics.queue("controller"))
    waiters = Waiters()
    _subscribe(caches, Wakeups(queue, waiters, ledger, caches.contexts))
    return Controller(caches, queue, Reconciler(queue, kinds, waiters, events, observer))


def _lookup(client: Client, resources: Resources, caches: Caches) -> ParametersLookup:
    return ParametersLookup(
        classes=CachedSource(client, resources.classes, caches.classes),
        claim_parameters=CachedSource(client, resources.claim_parameters, caches.claim_parameters),
        class_parameters=CachedSource(client, resources.class_parameters, caches.class_parameters),
    )


def _subscribe(caches: Caches, wakeups: Wakeups) -> None:
    caches.claims.subscribe(wakeups.on_claim)
    caches.contexts.subscribe(wakeups.on_context)
    caches.states.subscribe(wakeups.on_state)
    caches.classes.subscribe(wakeups.on_class)
    caches.pods.subscribe(wakeups.on_pod)
    caches.claim_parameters.subscribe(wakeups.on_parameters(CLAIM_PARAMETERS_KIND))
    caches.class_parameters.subscribe(wakeups.on_parameters(CLASS_PARAMETERS_KIND))


def _report(resource: Resource) -> Callable[[KubeError], None]:
    def report(error: KubeError) -> None:
        _LOG.warning("watch failed, trying again", resource=resource.plural, error=str(error))

    return report


def _bind(reflector: Reflector, stop: threading.Event) -> Callable[[], None]:
    return lambda: reflector.run(stop)
