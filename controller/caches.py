"""The watch caches of the controller, and the reflectors that fill them.

One Store per resource of the version that the API server has. Called by the composition root.
"""

import math
import threading
from collections.abc import Callable, Iterator
from functools import partial

from api.contract import Contract
from api.resources import NODES, PODS, STATES, DraResources, Resource
from controller.claims.repair import NODE_INDEX, UID_INDEX, node_index, uid_index
from controller.claims.scheduling import UNSCHEDULED
from controller.decide.nodehealth import trimmed
from controller.nodes.infos import HANDLES_INDEX, HOLDERS_INDEX, handles_index, holders_index
from controller.versions.dialect import Sources
from kube.client import Client
from kube.pages import Transform, whole
from kube.reflector import Reflector
from kube.store import ReadThrough, Store
from ops.apiserver import watch_failures
from ops.logs import get_logger
from ops.metrics import Metrics

_LOG = get_logger("controller")


class Caches:
    """One cache per resource.

    Attributes:
        claims: of all namespaces, with the indexes of controller.claims.repair and handles_index.
        contexts: of all namespaces.
        classes: that claims name.
        parameters: by kind of the objects; empty where claims and classes carry them.
        states: of the driver's namespace, with holders_index.
        pods: those without a node.
        nodes: what controller.decide.nodehealth needs of them; empty where nobody asks.
        watched: all that are filled.
    """

    def __init__(
        self,
        client: Client,
        contract: Contract,
        resources: DraResources,
        namespace: str,
        metrics: Metrics,
    ) -> None:
        """Cache the resources of one version, and node states of `namespace`."""
        self._client = client
        self._resources = resources
        self._metrics = metrics
        self.claims = Store(
            {
                UID_INDEX: uid_index,
                NODE_INDEX: partial(node_index, contract),
                HANDLES_INDEX: partial(handles_index, contract),
            },
            # devices of a claim that we have allocated are never free again before a watch says so
            overlay_seconds=math.inf,
        )
        self.contexts = Store()
        self.classes = Store()
        self.parameters = {resource.kind: Store() for resource in resources.parameters}
        self.states = Store({HOLDERS_INDEX: holders_index})
        self.pods = Store()
        self.nodes = Store()
        self.watched: dict[Resource, Store] = {}
        self._reflectors: dict[str, Reflector] = {}
        watch = partial(self._watch, client)
        watch(resources.claims, self.claims)
        watch(resources.contexts, self.contexts)
        watch(resources.classes, self.classes)
        for resource in resources.parameters:
            watch(resource, self.parameters[resource.kind])
        watch(STATES, self.states, namespace=namespace)
        watch(PODS, self.pods, field_selector=UNSCHEDULED)
        if resources.immediate:
            watch(NODES, self.nodes, transform=trimmed)

    def sources(self, client: Client, resources: DraResources) -> Sources:
        """Return where objects come from that claims refer to."""
        parameters = {
            resource.kind: ReadThrough(client, resource, self.parameters[resource.kind])
            for resource in resources.parameters
        }
        classes = ReadThrough(client, resources.classes, self.classes)
        return {resources.classes.kind: classes, **parameters}

    def read_claims(self) -> None:
        """Learn of all claims as the API server has them now, however late the watch is.

        Raises:
            KubeError: they could not be listed.
        """
        for obj in self._client.list(self._resources.claims).items:
            self.claims.written(obj)

    def threads(self, stop: threading.Event) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield a name and a body for each thread that fills a cache."""
        for name, reflector in self._reflectors.items():
            yield f"reflector-{name}", partial(reflector.run, stop)

    def unsynced(self) -> list[str]:
        """Return the resources whose caches have not seen a first list, by plural."""
        return [each.plural for each, store in self.watched.items() if not store.has_synced()]

    def stop(self) -> None:
        """Close the open watches."""
        for reflector in self._reflectors.values():
            reflector.stop()

    def _watch(
        self,
        client: Client,
        resource: Resource,
        store: Store,
        *,
        namespace: str | None = None,
        field_selector: str | None = None,
        transform: Transform = whole,
    ) -> None:
        self.watched[resource] = store
        self._reflectors[resource.plural] = Reflector(
            client,
            resource,
            store,
            namespace=namespace,
            field_selector=field_selector,
            transform=transform,
            on_error=watch_failures(_LOG, resource, self._metrics),
        )
