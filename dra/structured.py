"""Puts together and starts a plugin whose claims kube-scheduler allocates: with ResourceSlices."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from api.claims.versions import STRUCTURED
from api.contract import Contract
from api.errors import DriverError
from dra.claims import ClaimReader
from dra.devicestate import cdi
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.state import State
from dra.driver import Driver, Metadata, PreparedClaim, ReadsNode, Watches
from dra.drivercode import driver_code
from dra.errors import CannotServe, DirectoryUnusable
from dra.inventory import Inventory
from dra.kubelet.abandoned import remove_abandoned
from dra.kubelet.answers import Answer, AnsweredDevice
from dra.kubelet.services import served
from dra.node import FromClaims
from dra.offer import Offer
from dra.ownnode import OwnNode
from dra.places import NodeLock
from dra.publish.metadatafiles import MetadataFiles
from dra.publish.nothing import Nothing
from dra.publish.slices.ports import FormerDevices, Site, StaticLayout
from dra.publish.slices.told import Told
from dra.publish.slices.wiring import Slices
from dra.publish.slices.wiring import build as build_slices
from dra.publish.status.publisher import StatusPublisher
from dra.publish.status.told import Told as StatusTold
from dra.startup import persist, serve
from dra.statelock import StateLock
from dra.sync import NodeSync, Task
from dra.wiring import AllocationModel, Plugin, Surroundings, Telemetry, build, node_object
from kube.workqueue import WorkQueue
from ops.checks import Check
from ops.lifecycle import Lifecycle

DEVICES: Final = "devices"


class Files(Protocol):
    """Opens a driver's files on the node."""

    def directory(self, root: Path) -> CdiDirectory:
        """Return the CDI files below a directory."""

    def checkpoint(self, directory: Path) -> Checkpoint:
        """Return the checkpoint in a directory."""


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Those of a driver that never had other ones."""

    contract: Contract

    def directory(self, root: Path) -> CdiDirectory:
        """Return the CDI files below a directory."""
        return CdiDirectory(root, self.contract)

    def checkpoint(self, directory: Path) -> Checkpoint:
        """Return the checkpoint in a directory."""
        return Checkpoint(directory, self.contract)


@dataclass(frozen=True, slots=True)
class StructuredPlugin:
    """The parts that the program of a driver starts and stops.

    Attributes:
        driver: the driver.
        offer: what it offers.
        offered: what it offered first.
        plugin: what every plugin has.
        metadata: what containers are told of their devices.
        slices: keeps the ResourceSlices.
        sync: does what no kubelet asks for.
        own_node: tells the driver of its Node; None for one that does not care.
        clean: removes the sockets of instances that were killed.
    """

    driver: Driver
    offer: Offer
    offered: Inventory
    plugin: Plugin
    metadata: MetadataFiles | None
    slices: Slices
    sync: NodeSync
    own_node: OwnNode | None
    clean: Callable[[], None]

    def start(self, life: Lifecycle, lock: NodeLock) -> None:
        """Start everything; returns early when `life` stops meanwhile.

        Raises:
            CannotServe: a socket or the checkpoint is unusable.
            ConfigError: of kube; there is no way to the API server.
        """
        life.on_stop("slices", self.slices.stop)
        life.spawn("watch", lambda: self.slices.watch.run(life.stop))
        life.spawn("slices", lambda: self.slices.publisher.run(life.stop))
        if not persist(self._recover, life.stop):
            return
        if self.own_node is None:
            self.slices.publisher.update(self.offered)
        life.on_stop("files", lambda: self._leave(lock))
        life.on_stop("sync", self.sync.stop)
        life.spawn("sync", self.sync.run)
        self.clean()
        serve(life, self.plugin)
        self._follow(life)

    def _recover(self) -> None:
        metadata = self.metadata
        self.plugin.state.recover(metadata.recover if metadata else lambda _claims: None)

    def _follow(self, life: Lifecycle) -> None:
        """Publish anew when the driver or the Node tell of a change."""
        if self.own_node is None and not isinstance(self.driver, Watches):
            return
        devices = NodeSync({DEVICES: Task(self.publish, periodic=False)}, WorkQueue())
        life.on_stop(DEVICES, devices.stop)
        life.spawn(DEVICES, devices.run)
        if self.own_node is not None:
            self.own_node.start(life, lambda: devices.request(DEVICES))
        if isinstance(self.driver, Watches):
            self._watch(life, self.driver, lambda: devices.request(DEVICES))

    def _watch(self, life: Lifecycle, driver: Watches, publish: Callable[[], None]) -> None:
        """Let the driver tell when its devices change, also if `start` does not return."""

        def watch() -> None:
            try:
                with driver_code("start", driver):
                    driver.start(publish)
            except DriverError as error:
                life.fail("driver", error)

        threading.Thread(target=watch, name="driver", daemon=True).start()

    def publish(self) -> None:
        """Publish what the driver offers now; nothing before it was told of its Node.

        Devices that must not be given out would be for a moment, after each restart.

        Raises:
            DriverError: that cannot be; what was published stays.
        """
        if self.own_node is None or self.own_node.known:
            self.slices.publisher.update(self.offer.look())

    def readiness_checks(self) -> Mapping[str, Check]:
        """Return what /readyz asks."""
        return {
            "registration": lambda: self.plugin.registration.problem,
            "slices": lambda: self.slices.publisher.problem,
        }

    def _leave(self, lock: NodeLock) -> None:
        """Take the node's files away, unless another instance of the driver needs them."""
        if lock.alone():
            self.plugin.state.leave()


def structured(
    around: Surroundings, driver: Driver, *, rolling: bool, files: Files | None = None
) -> StructuredPlugin:
    """Return the plugin of a driver, not yet running.

    Args:
        around: what it works with.
        driver: the driver.
        rolling: whether another instance may be on the node while the driver is updated.
        files: of the driver, if former releases left other ones.

    Raises:
        CannotServe: it does not tell its devices, or more than can be published.
    """
    offer = Offer(driver, around.node)
    try:
        offered = offer.look()
    except DriverError as error:
        raise CannotServe(str(error)) from error
    telemetry = Telemetry.over(around)
    told = Told(around.events, node_object(around.node), around.metrics.registry)
    slices = build_slices(
        around.client,
        told,
        Site(driver.contract.driver_name, around.node),
        static=driver if isinstance(driver, StaticLayout) else None,
        former=driver if isinstance(driver, FormerDevices) else None,
        any_node=_selects_nodes(offered),
    )
    model = _allocation_model(around, driver, offer, slices)
    state = _state(around, files or OwnFiles(driver.contract), telemetry, rolling=rolling)
    plugin = build(around, driver, model, state, telemetry)
    return StructuredPlugin(
        *(driver, offer, offered, plugin, model.metadata, slices),
        sync=NodeSync(plugin.tasks, WorkQueue(observer=around.metrics.queue("node"))),
        own_node=OwnNode(around, driver) if isinstance(driver, ReadsNode) else None,
        clean=lambda: remove_abandoned(around.places, driver.contract, telemetry.stale_socket),
    )


def _allocation_model(
    around: Surroundings, driver: Driver, offer: Offer, slices: Slices
) -> AllocationModel:
    name, claims = driver.contract.driver_name, ClaimReader(around.client, STRUCTURED)
    refused = StatusTold(around.events, around.metrics.registry, clock=time.monotonic)
    return AllocationModel(
        services=served(driver, structured=True, classic=False),
        claims=claims,
        allocations=FromClaims(name, lambda r: offer.has(r) or slices.publisher.has(r)),
        status=StatusPublisher(around.client, claims, name, refused),
        answer=lambda claim, _view: answer(driver, claim),
        metadata=_metadata(around, driver),
        registered=slices.publisher.republish,
    )


def _metadata(around: Surroundings, driver: Driver) -> MetadataFiles | None:
    if not isinstance(driver, Metadata):
        return None
    places = around.places
    name = driver.contract.driver_name
    return MetadataFiles(name, driver, places.directory.path, places.cdi_root.path)


def _state(around: Surroundings, files: Files, telemetry: Telemetry, *, rolling: bool) -> State:
    places = around.places
    directory = files.directory(places.cdi_root.path)
    try:
        lock = StateLock(places.directory.path) if rolling else None
    except OSError as error:
        raise DirectoryUnusable(
            f"{error.filename} cannot be opened: {error.strerror}; remove it, or set "
            f"{places.directory.setting} to another directory"
        ) from error
    return State(
        directory,
        files.checkpoint(places.directory.path),
        Nothing(directory),
        report=telemetry.report,
        guard=None if lock is None else lambda: lock,
    )


def answer(driver: Driver, claim: PreparedClaim) -> Answer:
    """Return a prepared claim in the form that kubelets get.

    Several prepared devices of one allocated device are one for the kubelet.
    """
    found: dict[tuple[str, str, str | None], AnsweredDevice] = {}
    ids = cdi.device_ids(driver.contract, claim)
    for device, own in zip(claim.devices, ids, strict=True):
        key = (device.pool, device.device, device.share_id)
        before = found.get(key)
        requests = tuple(dict.fromkeys((*(before.requests if before else ()), *device.requests)))
        earlier = before.cdi_ids if before else ()
        found[key] = AnsweredDevice(requests, *key[:2], (*earlier, *own), device.share_id)
    return tuple(found.values())


def _selects_nodes(offered: Inventory) -> bool:
    """Tell whether devices say themselves which nodes reach them."""
    return any(device.node_selector for pool in offered.pools for device in pool.devices)
