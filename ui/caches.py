"""What is watched of a cluster, as far as the caller may, and `explain`'s way to read it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from api.claims.versions import CLASSIC, read_claim
from api.claims.view import results_of
from api.conversion import converted
from api.names import RESOURCE_GROUP
from api.objects import JSON, key_of, object_key, uid_of
from api.pods import Pod
from api.resources import (
    DRA_VERSIONS,
    NODES,
    PODS,
    STATES,
    STRUCTURED_VERSIONS,
    TAINT_RULES,
    Resource,
)
from api.selectors import named_nodes
from controller.nodes.infos import holders_index
from explain.reading import room, slim
from explain.seen import Unread
from kube.cache import Indexer
from kube.client import Client
from kube.errors import Forbidden, KubeError, NotFound, Unauthorized
from kube.pages import ListPage, Transform, whole
from kube.reflector import Reflector
from kube.store import Store
from ops.apiserver import watch_failures
from ops.logs import get_logger

POOL: Final = "pool"
CLAIM: Final = "claim"
UID: Final = "uid"
NODE: Final = "node"
"""Indexes: claims and slices by `driver/pool`; pods by claims; node states by uids of claims, as
claims themselves, and by node, as classic claims.
"""

_V1: Final = STRUCTURED_VERSIONS["v1"]
_LOG = get_logger("ui")


class _Listed(Store):
    """A store that tells when all objects of its resource were read."""

    def __init__(self, indexers: Mapping[str, Indexer], listed: Callable[[], None]) -> None:
        super().__init__(indexers)
        self._listed = listed

    def replace(self, *items: object, **options: object) -> None:
        """Take in a list of all objects."""
        super().replace(*items, **options)  # type: ignore[arg-type]
        self._listed()


class Caches:
    """One cache for each resource; structured objects have the form of v1.

    Attributes:
        version: of resource.k8s.io.
        listed: called when a resource has been read, or may not be.
    """

    def __init__(
        self, client: Client, version: str, namespace: str = "", rules: Resource | None = None
    ) -> None:
        """Cache what there is.

        Args:
            client: the API server.
            version: of resource.k8s.io.
            namespace: of claims and pods; empty is all.
            rules: DeviceTaintRules as they are served, None if they are not.
        """
        self.version = version
        self.listed: Callable[[], None] = lambda: None
        self._client = client
        self._namespace = namespace or None
        self._stores: dict[Resource, Store] = {}
        self._reflectors: dict[str, Reflector] = {}
        self._denied: dict[Resource, Unread] = {}
        if version in CLASSIC:
            self._classic()
        else:
            self._structured(rules)
        self.pods = self._watch(PODS, {CLAIM: claims_named}, kept, local=True)
        self.nodes = self._watch(NODES, {}, _node)

    def _classic(self) -> None:
        known = DRA_VERSIONS[self.version]
        self.claims = self._watch(known.claims, {UID: _uid, NODE: nodes_of}, slim, local=True)
        self.classes = self._watch(known.classes, {}, slim)
        self.states = self._watch(STATES, _STATES, slim)
        self.slices, self.rules = Store({POOL: _pool}), Store()

    def _structured(self, rules: Resource | None) -> None:
        known = STRUCTURED_VERSIONS[self.version]
        self.claims = self._watch(
            known.claims, {POOL: pools_of, UID: _uid}, partial(_as, _V1.claims), local=True
        )
        self.classes = self._watch(known.classes, {}, partial(_as, _V1.classes))
        self.slices = self._watch(known.slices, {POOL: _pool}, partial(_as, _V1.slices))
        self.rules = self._watch(rules, {}, slim) if rules else Store()
        self.states = Store(_STATES)

    @property
    def local(self) -> bool:
        """Whether claims and pods are those of one namespace only."""
        return self._namespace is not None

    def states_of(self, claim: JSON) -> Sequence[JSON]:
        """Return the node states with devices of a claim, as they or the claim itself say."""
        held = self.states.by_index(UID, uid_of(claim))
        there = [each for node in nodes_of(claim) for each in self.states.by_index(NODE, node)]
        return list({key_of(each): each for each in (*held, *there)}.values())

    @property
    def resources(self) -> list[Resource]:
        """What is watched."""
        return list(self._stores)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What may not be read."""
        return tuple(self._denied.values())

    def waiting(self) -> list[str]:
        """Return the resources that are not read yet, and of which it is not known why."""
        known = {*self._denied}
        unsynced = (each for each, store in self._stores.items() if not store.has_synced())
        return [each.plural for each in unsynced if each not in known]

    def ready(self) -> str | None:
        """Say why nothing can be shown yet; a check of ops.checks."""
        found = self.waiting()
        return f"not read yet: {', '.join(found)}" if found else None

    def threads(self, stop: threading.Event) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield a name and a body for each thread that fills a cache."""
        for name, reflector in self._reflectors.items():
            yield f"reflector-{name}", partial(reflector.run, stop)

    def stop(self) -> None:
        """Close the open watches."""
        for reflector in self._reflectors.values():
            reflector.stop()

    def store_of(self, resource: Resource) -> Store | None:
        """Return the cache of a resource.

        Raises:
            Forbidden: it may not be read.
        """
        if resource in self._denied:
            raise Forbidden(403, "Forbidden", self._denied[resource].why)
        return self._stores.get(resource)

    def _watch(
        self,
        resource: Resource,
        indexers: Mapping[str, Indexer],
        transform: Transform,
        *,
        local: bool = False,
    ) -> Store:
        store = _Listed(indexers, partial(self._read, resource))
        self._stores[resource] = store
        self._reflectors[resource.plural] = Reflector(
            self._client,
            resource,
            store,
            namespace=self._namespace if local else None,
            transform=transform,
            on_error=partial(self._failed, resource, watch_failures(_LOG, resource)),
        )
        return store

    def _read(self, resource: Resource) -> None:
        self._denied.pop(resource, None)
        self.listed()

    def _failed(
        self, resource: Resource, report: Callable[[KubeError], None], error: KubeError
    ) -> None:
        if not isinstance(error, Forbidden | Unauthorized):
            report(error)
            return
        name = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        where = (self._namespace or "") if resource.namespaced else ""
        self._denied[resource] = Unread("list", name, where, error.message or error.reason)
        self.listed()


class CachedApi:
    """Implements explain.reading.Api: out of the caches, and for the rest by requests."""

    def __init__(self, client: Client, caches: Caches) -> None:
        """Read caches and ask a client; see `metrics`."""
        self._client = client
        self._caches = caches
        self._known: dict[str, object] = {}

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""
        return self._client.versions(group)

    def server_version(self) -> JSON:
        """Return `GET /version`."""
        return self._client.server_version()

    def metrics(self) -> str:
        """Return `GET /metrics`, which is large and asked for once: of the first that worked."""
        if "metrics" not in self._known:
            self._known["metrics"] = self._client.metrics()
        return str(self._known["metrics"])

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return one object; NotFound if there is none."""
        store = self._caches.store_of(resource)
        found = store.get(object_key(namespace, name)) if store else None
        return found if found is not None else self._client.get(resource, name, namespace)

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str | None = None,
        transform: Transform = whole,
    ) -> ListPage:
        """Return all objects of a collection, of what is watched those in the cache."""
        store = self._caches.store_of(resource)
        if store is None or field_selector is not None:
            return self._client.list(
                resource, namespace=namespace, field_selector=field_selector, transform=transform
            )
        found = (e for e in store.list() if namespace in (None, e["metadata"].get("namespace")))
        return ListPage([transform(each) for each in found], str(store.newest()))


def taint_rules(client: Client) -> Resource | None:
    """Return DeviceTaintRules in the version that is served, None if in none."""
    served = client.versions(RESOURCE_GROUP)
    for each in TAINT_RULES:
        if each.version in served:
            try:
                client.current_version(each)
            except NotFound:
                continue
            except Forbidden:
                pass
            return each
    return None


def pools_of(claim: JSON) -> list[str]:
    """Return the pools that a claim has devices of, as `driver/pool`."""
    return list(dict.fromkeys(f"{each['driver']}/{each['pool']}" for each in results_of(claim)))


def nodes_of(claim: JSON) -> Sequence[str]:
    """Return the nodes that a claim is allocated on, if it names them."""
    allocation = read_claim(claim).allocation
    return tuple(named_nodes(allocation.nodes)) if allocation else ()


def kept(pod: JSON) -> JSON:
    """Return what is needed of a pod: all of those with claims and those that wait for a node."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    about = spec.get("resourceClaims") or status.get("extendedResourceClaimStatus")
    return slim(pod) if about or not spec.get("nodeName") else room(pod)


def claims_named(pod: JSON) -> list[str]:
    """Return the claims that a pod uses, as `namespace/name`."""
    made = (pod.get("status") or {}).get("extendedResourceClaimStatus") or {}
    names = [each.claim_name for each in Pod(pod).claims]
    namespace = pod["metadata"].get("namespace", "")
    return [f"{namespace}/{each}" for each in (*names, made.get("resourceClaimName")) if each]


def _pool(resource_slice: JSON) -> list[str]:
    spec = resource_slice["spec"]
    return [f"{spec['driver']}/{spec['pool']['name']}"]


def _uid(claim: JSON) -> list[str]:
    return [uid_of(claim)]


def _node_name(state: JSON) -> list[str]:
    return [str(state["metadata"]["name"])]


_STATES: Final[Mapping[str, Indexer]] = {UID: holders_index, NODE: _node_name}


def _as(resource: Resource, obj: JSON) -> JSON:
    return converted(slim(obj), resource)


def _node(node: JSON) -> JSON:
    """Return a node without the images that it has, and without heartbeats of its conditions."""
    status = {name: value for name, value in (node.get("status") or {}).items() if name != "images"}
    return {**slim(node), "status": status}
