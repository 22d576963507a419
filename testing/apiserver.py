"""An API server in the process: the embedded one's application, behind the real client.

What it keeps is real: resourceVersions, conflicts, subresources, patches, finalizers, selectors,
watches. The kinds have no schemas and rules, so that a test's given need not be whole, except those
with structured parameters; what rules are for is tested with the embedded cluster. Beside the
client a test may store and remove objects as others would, see every request, and refuse it.
"""

import copy
import itertools
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from api.names import RESOURCE_GROUP
from api.objects import JSON, Key, key_of, object_key
from api.resources import (
    DRA_V1ALPHA2,
    DRA_VERSIONS,
    NAMESPACES,
    STATES,
    VALIDATING_WEBHOOKS,
    Resource,
)
from devcluster.apiserver.app import create_app, routes
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.builtinkinds import builtin_kinds
from devcluster.apiserver.errors import NotFound
from devcluster.apiserver.kinds import STATUS, Kind, Subresource
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.remotecommand import Command, Execution
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from devcluster.apiserver.storage import Event, Listener, ResourceID, Storage, Stored
from devcluster.apiserver.store import Store
from devcluster.apiserver.strategy import Strategy
from devcluster.apiserver.structuredkinds import structured_kinds
from devcluster.apiserver.watch import Pace
from kube.calls import Call, Patch
from kube.client import Client
from kube.errors import KubeError
from kube.ratelimit import TokenBucket
from testing.appconnections import Observed

Fault = Callable[[str, str, Patch | None], KubeError | None]

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_CLASSIC: Final = (
    "resourceclaims",
    "resourceclaimtemplates",
    "podschedulingcontexts",
    "resourceclasses",
    "deviceclasses",
)
_NAMESPACES: Final = ("default", "fake-system", "kube-node-lease")
ROUTES: Final = routes()
WAIT_SECONDS: Final = 15.0
READS: Final = frozenset({"get", "list", "watch"})


class MemoryApi(Client):
    """A client of an API server of its own.

    Attributes:
        calls: verb, plural with the subresource, and key of each request for a resource.
        fault: may return what a request fails with instead of being carried out.
        answered: called after each request that succeeded.
        changed: notified of each change of an object.
        objects: what is stored, by plural and key, to be changed by others than the client.
        app: the application, for `testing.web` to serve it.
    """

    def __init__(
        self, *served: str, api: ResourceApi = CLASSIC, over: "MemoryApi | None" = None
    ) -> None:
        """Serve an empty cluster, or what another server has stored.

        Args:
            served: versions of resource.k8s.io, by default all that have classic claims.
            api: with structured parameters is served instead, by its rules.
            over: the other server.
        """
        # one lock, or who looks inside `changed` would wait for a writer that waits for `changed`
        lock = threading.RLock()
        self._storage: Storage = over._storage if over else Storage(lock=lock)  # noqa: SLF001 - our own class
        self._stopping = threading.Event()
        self._registry = Registry(_kinds())
        self._structured = list(structured_kinds(api, lambda: NOW))
        self.served = served or (api.versions if self._structured else tuple(DRA_VERSIONS))
        numbers = itertools.count(1)
        store = Store(
            self._storage,
            clock=lambda: NOW,
            new_uid=lambda: f"uid-new-{next(numbers)}",
            new_suffix=lambda: str(next(numbers)),
        )
        backend = Backend(
            store=store,
            registry=self._registry,
            logs=_NoKubelet(),
            commands=_NoKubelet(),
            version=f"v1.{api.minor}.14",
            stopping=self._stopping.is_set,
            clock=lambda: NOW,
            pace=Pace(poll=0.02),
        )
        self.calls: list[tuple[str, str, Key]] = []
        self.fault: Fault = lambda _verb, _plural, _body: None
        self.answered: Callable[[], None] = lambda: None
        self.objects = _Objects(self._storage, self._registry)
        self.changed: threading.Condition = over.changed if over else threading.Condition(lock)
        self.listen(self._notify)
        self.app = create_app(backend, ROUTES)
        transport = Observed(self.app, self._before, self._after)
        super().__init__(transport, limiter=TokenBucket(0, 0), retry_seconds=0)
        for name in _NAMESPACES:
            self.put(NAMESPACES, {"metadata": {"name": name}})

    @property
    def served(self) -> Sequence[str]:
        """The versions of resource.k8s.io, the preferred one first."""
        return self._served

    @served.setter
    def served(self, versions: Sequence[str]) -> None:
        self._served = versions
        kinds = [kind for kind in self._structured if kind.version in versions]
        if not self._structured:
            kinds = [kind for version in versions for kind in _classic_kinds(version)]
        for plural in (*_CLASSIC, "resourceslices", "devicetaintrules"):
            place = (RESOURCE_GROUP, plural)
            self._registry.replace(place, [k for k in kinds if k.resource_id == place])

    def unserve(self, resource: Resource) -> None:
        """Stop serving a resource in any version, as without its CustomResourceDefinition."""
        self._registry.remove((resource.group, resource.plural))

    def put(self, resource: Resource, obj: JSON) -> JSON:
        """Store an object as a test's given, as it is but for its resourceVersion."""
        key = key_of(obj)
        named = {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
        kind = self._kind_of(resource)
        self.objects[resource.plural, key] = kind.stored(named) if kind else named
        return self.find(resource, named["metadata"]["name"], named["metadata"].get("namespace"))

    def rewrite(self, obj: JSON) -> JSON:
        """Store what another writer has made of an object."""
        found = next(k for k in self._registry.resources() if k.kind == obj["kind"])
        self.objects[found.plural, key_of(obj)] = obj
        return self.objects[found.plural, key_of(obj)]

    def all(self, resource: Resource) -> list[JSON]:
        """Return everything that is stored of a resource."""
        return [self._shown(resource, stored.copy()) for stored in self._all(resource)]

    def peek(self, resource: Resource) -> list[JSON]:
        """Return the same, not copied, for who only looks at it."""
        return [stored.obj for stored in self._all(resource)]

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return what is stored, for a test's assertions."""
        return self._shown(resource, self._stored(resource, object_key(namespace, name)).copy())

    def wait_for(
        self, resource: Resource, key: str, test: Callable[[JSON | None], object]
    ) -> JSON | None:
        """Wait until an object, None if there is none, passes a test; return it."""
        place = resource.plural, Key(key)
        with self.changed:
            assert self.changed.wait_for(lambda: test(self.objects.get(place)), WAIT_SECONDS), (
                f"{key} is {self.objects.get(place)}"
            )
        return self.objects.get(place)

    def remove(self, resource: Resource, name: str, namespace: str | None = None) -> None:
        """Delete an object as nothing else would: at once, finalizers or not."""
        del self.objects[resource.plural, object_key(namespace, name)]

    def listen(self, listener: Listener) -> None:
        """Tell a listener of every change from now on; it must not ask back."""
        self._storage.listen(listener)

    def end_watches(self) -> None:
        """End all watches; later ones end at once."""
        self._stopping.set()
        self._storage.close_subscriptions()

    def version(self) -> str:
        """Return the resourceVersion of a list that is made now."""
        return str(self._storage.revision)

    def writes(self) -> list[tuple[str, str]]:
        """Return verb and resource of every write, in order."""
        return [(verb, plural) for verb, plural, _ in self.calls if verb not in READS]

    def _kind_of(self, resource: Resource) -> Kind | None:
        return self._registry.find(resource.group, resource.version, resource.plural)

    def _shown(self, resource: Resource, obj: JSON) -> JSON:
        kind = self._kind_of(resource)
        return kind.served(obj) if kind and kind.conversion else obj

    def _all(self, resource: Resource) -> list[Stored]:
        return self._storage.snapshot((resource.group, resource.plural))[0]

    def _stored(self, resource: Resource, key: Key) -> Stored:
        return self.objects.stored(resource.plural, key)

    def _before(self, call: Call) -> None:
        plural, key = _place(call)
        if not plural.startswith("/"):
            self.calls.append((call.verb, plural, key))
        error = self.fault(call.verb, plural, call.body)
        if error is not None:
            raise error

    def _notify(self, _event: Event) -> None:
        with self.changed:
            self.changed.notify_all()

    def _after(self, _call: Call) -> None:
        self.answered()


class _NoKubelet:
    """Has neither logs nor containers."""

    def read(
        self, pod: JSON, container: str, *, follow: bool, previous: bool, tail: int | None
    ) -> Iterator[bytes]:
        """Answer that there is none."""
        raise NotFound(f"{pod['metadata']['name']} runs nowhere")

    def execute(self, pod: JSON, container: str, command: Command) -> Execution:
        """Answer that there is none."""
        raise NotFound(f"{pod['metadata']['name']} runs nowhere")


class _Objects(MutableMapping[tuple[str, Key], JSON]):
    """The storage beside the rules; what comes out may be changed, and changes nothing."""

    def __init__(self, storage: Storage, registry: Registry) -> None:
        self._storage = storage
        self._registry = registry

    def stored(self, plural: str, key: Key) -> Stored:
        namespace, _, name = key.rpartition("/")
        for resource in self._resources(plural):
            found = self._storage.get(resource, namespace, name)
            if found is not None:
                return found
        raise KeyError(plural, key)

    def __getitem__(self, place: tuple[str, Key]) -> JSON:
        return self.stored(*place).copy()

    def __setitem__(self, place: tuple[str, Key], obj: JSON) -> None:
        (resource,) = self._resources(place[0])
        made = copy.deepcopy(obj)
        try:
            self._storage.replace(resource, made, self.stored(*place))
        except KeyError:
            self._storage.create(resource, made)

    def __delitem__(self, place: tuple[str, Key]) -> None:
        (resource,) = self._resources(place[0])
        found = self.stored(*place)
        self._storage.remove(resource, found.copy(), found)

    def __iter__(self) -> Iterator[tuple[str, Key]]:
        for kind in self._registry.resources():
            for found in self._storage.snapshot(kind.resource_id)[0]:
                yield kind.plural, key_of(found.obj)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _resources(self, plural: str) -> list[ResourceID]:
        return [k.resource_id for k in self._registry.resources() if k.plural == plural]


def _kinds() -> Iterator[Kind]:
    """Return kinds without schema and rules."""
    for kind in builtin_kinds():
        if kind.group != RESOURCE_GROUP:
            yield replace(kind, schema=_ANYTHING, strategy=_loose(kind.strategy))
    for resource in (STATES, VALIDATING_WEBHOOKS, *DRA_V1ALPHA2.parameters):
        yield _kind(resource)


def _classic_kinds(version: str) -> list[Kind]:
    known = DRA_VERSIONS[version if version in DRA_VERSIONS else "v1alpha3"]
    served = (known.claims, known.templates, known.contexts, known.classes)
    claims, templates, contexts, classes = (replace(each, version=version) for each in served)
    return [_kind(claims, STATUS), _kind(templates), _kind(contexts, STATUS), _kind(classes)]


def _loose(strategy: Strategy) -> Strategy:
    return Strategy(keeps_first_status=strategy.keeps_first_status, grace=strategy.grace)


def _kind(resource: Resource, *subresources: Subresource) -> Kind:
    return Kind.of(
        resource,
        strategy=Strategy(),
        schema=_ANYTHING,
        columns=(),
        subresources=subresources,
    )


def _place(call: Call) -> tuple[str, Key]:
    """Return plural with subresource, and key, of what a request is about."""
    path = call.path.removeprefix("/apis/").removeprefix("/api/").split("/")
    rest = path[path.index(call.resource) + 1 :] if call.resource in path else []
    namespaced = "namespaces" in path and call.resource != "namespaces"
    namespace = path[path.index("namespaces") + 1] if namespaced else None
    plural = "/".join((call.resource, *rest[1:]))
    name = rest[0] if rest else _named(call)
    return plural, object_key(namespace, name) if name else Key("")


def _named(call: Call) -> str:
    meta = call.body.get("metadata") or {} if isinstance(call.body, dict) else {}
    return str(meta.get("name") or "")
