"""The publisher of ResourceSlices on the API server of all tests, worked by hand."""

import copy
from collections.abc import Callable, Collection, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.resources import NODES, STRUCTURED_VERSIONS, Resource
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.strategy import Strategy
from dra.inventory import Device, Inventory
from dra.publish.slices.publisher import Site, SlicePublisher, StaticLayout
from dra.publish.slices.server import SliceServer, as_v1
from dra.publish.slices.told import Told
from kube.client import Client
from kube.errors import KubeError
from kube.store import Store
from kube.workqueue import WorkQueue
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.slicereader import device_names, newest

DRIVER: Final = "gpu.example.com"
NODE: Final = "node-1"
SLICES: Final = STRUCTURED_VERSIONS["v1"].slices
KEEP: Final[Callable[[JSON], None]] = lambda _body: None  # noqa: E731


class ServedSlices(MemoryApi):
    """An API server with ResourceSlices.

    Attributes:
        admit: changes, or refuses, what is to be stored.
        lost: with what creates fail from now on that were carried out.
    """

    def __init__(self, *versions: str) -> None:
        super().__init__("v1alpha3")
        self.admit = KEEP
        self.lost: list[KubeError] = []
        self.serve(*versions)
        self.put(NODES, {"metadata": {"name": NODE, "uid": "uid-node-1"}})

    def serve(self, *versions: str) -> None:
        known = [STRUCTURED_VERSIONS[version] for version in versions]
        slices, claims = [x.slices for x in known], [x.claims for x in known]
        for plural, resources in (("resourceslices", slices), ("resourceclaims", claims)):
            self._registry.replace((RESOURCE_GROUP, plural), [_kind(each) for each in resources])

    def create(
        self,
        resource: Resource,
        body: JSON,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> JSON:
        stored = super().create(resource, self._admitted(body), namespace, dry_run=dry_run)
        if self.lost and not dry_run:
            raise self.lost.pop()
        return stored

    def update(self, resource: Resource, body: JSON, *, subresource: str | None = None) -> JSON:
        return super().update(resource, self._admitted(body), subresource=subresource)

    def _admitted(self, body: JSON) -> JSON:
        made = copy.deepcopy(body)
        self.admit(made)
        return made


class Events:
    """Remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[tuple[str, str]] = []

    def warning(self, _obj: JSON, reason: str, message: str) -> None:
        self.warnings.append((reason, message))


class SliceRig:
    """A publisher whose watch is the test itself: `look` lists, as a reflector does."""

    def __init__(self, *versions: str, static: StaticLayout | None = None) -> None:
        self.api = ServedSlices(*(versions or ("v1",)))
        self.events = Events()
        self.registry = CollectorRegistry()
        self.allocated: set[tuple[str, str]] = set()
        self.static = static
        self.start()

    def start(self) -> None:
        """Begin anew, as a process does."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "uid": NODE}}
        self.registry = CollectorRegistry()
        self.told = Told(self.events, node, self.registry)
        self.server = SliceServer(self.api)
        self.store = Store()
        self.clock = Clock()
        self.queue = WorkQueue(clock=self.clock)
        self.publisher = SlicePublisher(
            self.server,
            self.store,
            self.queue,
            self.told,
            Site(DRIVER, NODE),
            allocated=self._allocated,
            static=self.static,
        )
        self.store.subscribe(self.publisher.on_change)
        self.look()

    def _allocated(self) -> Collection[tuple[str, str]]:
        return self.allocated

    def look(self) -> None:
        page = Client.list(self.api, self.server.slices, field_selector=f"spec.driver={DRIVER}")
        self.store.replace([as_v1(x) for x in page.items], page.resource_version)

    def publish(self, *devices: Device) -> None:
        self.offer(Inventory.of(*devices))

    def offer(self, inventory: Inventory) -> None:
        self.publisher.update(inventory)
        self.work()

    def work(self) -> int:
        """Work until nothing is ready; return how many pools that were."""
        number = 0
        while len(self.queue):
            pool = self.queue.get()
            assert pool is not None
            self.publisher.handle(pool)
            self.queue.done(pool)
            number += 1
        return number

    def retry(self) -> None:
        """Let the time pass after which failures are tried again."""
        self.clock.advance(60.0)
        self.queue.add_after("nothing", 0)
        self.work()

    @property
    def slices(self) -> list[JSON]:
        return [as_v1(each) for each in self.api.all(SLICES)]

    @property
    def devices(self) -> list[str]:
        """Devices of the newest generation, as a scheduler sees them."""
        return device_names(newest(self.slices))

    def device(self, name: str) -> JSON:
        found = [x for each in self.slices for x in each["spec"].get("devices") or []]
        return next(each for each in found if each["name"] == name)

    def writes(self) -> list[str]:
        """Return the verbs of the writes since the last time."""
        found = [verb for verb, plural in self.api.writes() if plural == "resourceslices"]
        self.api.calls.clear()
        return found


def named(names: Sequence[str]) -> list[Device]:
    return [Device(each) for each in names]


def _kind(resource: Resource) -> Kind:
    return Kind(
        group=resource.group,
        version=resource.version,
        plural=resource.plural,
        singular=resource.kind.lower(),
        kind=resource.kind,
        namespaced=resource.namespaced,
        strategy=Strategy(),
        schema={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        columns=(),
        selectable={name: name for name in ("spec.driver", "spec.nodeName")},
    )
