"""The publisher of ResourceSlices on the API server of all tests, worked by hand."""

import copy
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from allocation.pools import readable
from api.objects import JSON
from api.resources import NODES, STRUCTURED_VERSIONS, Resource
from devcluster.apiserver.resourceapi import ResourceApi, structured
from devcluster.apiserver.structuredkinds import structured_kinds
from dra.inventory import Device, Inventory
from dra.publish.slices.ports import Site, StaticLayout
from dra.publish.slices.publisher import SlicePublisher
from dra.publish.slices.server import SliceServer, as_v1
from dra.publish.slices.told import Told
from kube.client import Client
from kube.store import Store
from kube.workqueue import WorkQueue
from testing.apiserver import NOW, MemoryApi
from testing.clock import Clock

DRIVER: Final = "gpu.example.com"
NODE: Final = "node-1"
SLICES: Final = STRUCTURED_VERSIONS["v1"].slices
CLAIMS: Final = STRUCTURED_VERSIONS["v1"].claims
NEWEST: Final = structured()


class SliceApi(MemoryApi):
    """An API server behind an admission webhook, of which rules and versions can change.

    Attributes:
        admit: changes, or refuses, what is to be stored.
        now: what time it is there.
    """

    def __init__(self, api: ResourceApi) -> None:
        super().__init__(api=api)
        self.admit: Callable[[JSON], None] = lambda _body: None
        self.now = NOW
        self.serve(api)
        self.put(NODES, {"metadata": {"name": NODE, "uid": "uid-node-1"}})

    def serve(self, api: ResourceApi) -> None:
        """Be of another minor, or have other gates and versions, from now on."""
        self._structured = list(structured_kinds(api, lambda: self.now))
        self.served = api.versions

    def create(
        self,
        resource: Resource,
        body: JSON,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> JSON:
        return super().create(resource, self._admitted(body), namespace, dry_run=dry_run)

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

    def __init__(self, api: ResourceApi = NEWEST, *, static: StaticLayout | None = None) -> None:
        self.api = SliceApi(api)
        self.events = Events()
        self.registry = CollectorRegistry()
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
            static=self.static,
        )
        self.store.subscribe(self.publisher.on_change)
        self.look()

    def allocate(self, *devices: tuple[str, str]) -> None:
        """Have a claim with these devices of pools, and no other one."""
        results = [
            {"request": "r", "driver": DRIVER, "pool": pool, "device": device}
            for pool, device in devices
        ]
        claim = {"metadata": {"name": "claim", "namespace": "default"}}
        status = {"allocation": {"devices": {"results": results}}}
        self.api.put(CLAIMS, {**claim, "status": status})

    def allocate_late(self, *devices: tuple[str, str]) -> None:
        """Do as `allocate` once claims are listed, like a scheduler that has old slices."""

        def answered() -> None:
            if self.api.calls[-1][:2] == ("list", "resourceclaims"):
                self.api.answered = lambda: None
                self.allocate(*devices)

        self.api.answered = answered

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
        """Devices of the pools, as a scheduler sees them."""
        return [each["name"] for pool in readable(self.slices) for each in pool.devices]

    def device(self, name: str) -> JSON:
        found = [x for each in self.slices for x in each["spec"].get("devices") or []]
        return next(each for each in found if each["name"] == name)

    def writes(self) -> list[str]:
        """Return the verbs of the writes since the last time."""
        found = [verb for verb, plural in self.api.writes() if plural == "resourceslices"]
        self.api.calls.clear()
        return found


def completes(slices: Sequence[JSON]) -> list[list[str]]:
    """Return the devices of a pool for each reader who calls it complete.

    Where slices do not agree on their number, it matters which of them a reader sees first.
    """
    pools = [each["spec"]["pool"] for each in slices]
    firsts = {(x["generation"], x["resourceSliceCount"]): at for at, x in enumerate(pools)}
    views = [readable([*slices[at:], *slices[:at]]) for at in firsts.values()]
    complete = [pool for view in views for pool in view if pool.complete]
    assert [pool.problem for pool in complete if pool.problem] == []
    return [[each["name"] for each in pool.devices] for pool in complete]


def named(names: Sequence[str]) -> list[Device]:
    return [Device(each) for each in names]
