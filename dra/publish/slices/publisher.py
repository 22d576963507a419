"""Keeps the ResourceSlices of a node equal to the driver's inventory.

A queue of pools, worked on by one thread: after each change of the inventory, of what is allocated,
and of a slice by others, such as the kubelet, which deletes all slices of its node when it starts.
What fails is told once and tried again.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from api.claims.view import Result
from api.errors import DriverError
from api.objects import JSON, uid_of
from dra.inventory import Inventory, Pool
from dra.publish.slices.compare import content_of, same
from dra.publish.slices.features import COUNTERS
from dra.publish.slices.layout import Offer, Style
from dra.publish.slices.limits import check
from dra.publish.slices.plan import Create, Delete, Identity, Write, plan
from dra.publish.slices.ports import FormerDevices, Site, StaticLayout
from dra.publish.slices.server import SliceServer
from dra.publish.slices.style import ask
from dra.publish.slices.told import Told
from dra.publish.slices.wanted import View
from kube.cache import revision
from kube.errors import AlreadyExists
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.logs import get_logger

LONGEST_PAUSE: Final = 30.0
_QUICK_TRIES: Final = 12
"""After which the back-off of the queue, doubled from 5 ms, reaches the longest pause."""

LOOK_SECONDS: Final = 30.0
"""After which it is looked again whether devices are allocated that stay for that."""

_POLL_SECONDS: Final = 0.1
_SYNC_SECONDS: Final = 10.0
"""For the first list of the slices, within a call of the kubelet."""

_LOG: Final = get_logger("slices")


class SlicePublisher:
    """The slices of one node; `handle` and `run` belong to one thread, the rest is thread-safe."""

    def __init__(
        self,
        server: SliceServer,
        store: Store,
        queue: WorkQueue,
        told: Told,
        site: Site,
        *,
        static: StaticLayout | None = None,
        former: FormerDevices | None = None,
    ) -> None:
        """Publish nothing until there is an inventory.

        Args:
            server: the API server.
            store: watch cache of the node's slices, in the shape of v1; `on_change` is to be
                subscribed to it.
            queue: of pools; shutting it down ends `run`.
            told: hears what goes wrong.
            site: whose slices.
            static: of the driver; None publishes of its inventory what does not overlap.
            former: of the driver; None knows former devices by their slices only.
        """
        self._server = server
        self._store = store
        self._queue = queue
        self._told = told
        self._site = site
        self._static = static
        self._former = former
        self._lock = threading.Lock()
        self._pools: Mapping[str, Pool] | None = None
        self._anew = False
        self._owner: JSON | None = None
        self._problems = {"devices": "not known yet"}
        self._own: dict[str, int] = {}
        self._deleting: set[str] = set()
        # what follows belongs to the thread of `run`
        self._style: Style | None = None
        self._trusted = True
        self._accepted: dict[tuple[str, int], tuple[JSON, JSON]] = {}
        self._kept: dict[str, Sequence[JSON]] = {}

    def update(self, inventory: Inventory) -> None:
        """Publish an inventory from now on.

        Raises:
            LimitExceeded: it cannot be published; what was published stays.
        """
        check(inventory, self._site.driver, self._site.node)
        pools = {pool.name or self._site.node: pool for pool in inventory.pools}
        with self._lock:
            before, self._pools = self._pools, pools
            if before is None:
                self._problems = {f"pool {pool}": "not published yet" for pool in pools}
        self._add({*(before or {}), *pools})

    @property
    def problem(self) -> str | None:
        """Why a pool is not published as it should be, None if all are; a health check."""
        with self._lock:
            return next(
                (f"{pool}: {why}".lstrip(": ") for pool, why in self._problems.items()), None
            )

    def has(self, result: Result) -> bool:
        """Tell whether a device is published, also one that is only kept while it is allocated."""
        if not self._store.wait_synced(_SYNC_SECONDS):
            return False
        stored = [each for each in self._store.list() if self._is_of(result.pool, each)]
        return any(
            device["name"] == result.device
            for each in (*stored, *self._kept.get(result.pool, ()))
            for device in each["spec"].get("devices") or []
        )

    def republish(self) -> None:
        """Look at everything anew: slices, the Node, and what the API server can store.

        To be called when the kubelet has registered the plugin, since it deleted all slices when it
        started.
        """
        with self._lock:
            self._anew, self._owner = True, None
            pools = {*(self._pools or {})}
        self._add(pools)

    def allocation_changed(self) -> None:
        """Look again at what is allocated."""
        self._add({*(self._pools or {})})

    def on_change(self, old: JSON | None, new: JSON | None) -> None:
        """Have a pool looked at; a handler of the store. Own writes are none to look at."""
        obj = new if new is not None else old
        if obj is None or not self._is_here(obj):
            return
        meta = obj["metadata"]
        if new is None:
            self._own.pop(meta["name"], None)
            if uid_of(obj) in self._deleting:
                self._deleting.discard(uid_of(obj))
                return
            with self._lock:
                # the Node may have been replaced, and the garbage collector be at work
                self._owner = None
        elif revision(obj) <= self._own.get(meta["name"], 0) and not _went_back(old, new):
            return
        self._queue.add(_pool_of(obj))

    def run(self, stop: threading.Event) -> None:
        """Work until the queue is shut down, once the slices that there are have been listed."""
        while not self._store.wait_synced(_POLL_SECONDS):
            if stop.is_set():
                return
        while (pool := self._queue.get()) is not None:
            self.handle(pool)
            self._queue.done(pool)

    def handle(self, pool: str) -> None:
        """Publish a pool; what fails is told and tried again."""
        try:
            self._publish(pool)
        except Exception as error:  # noqa: BLE001 - of the driver's, too, which must not end us
            if not isinstance(error, DriverError):
                _LOG.error("Publishing failed", exc=error, pool=pool)
            self._told.failed(f"ResourceSlices of pool {pool}", error)
            with self._lock:
                self._problems[f"pool {pool}"] = str(error) or type(error).__name__
            if self._queue.retries(pool) < _QUICK_TRIES:
                self._queue.add_rate_limited(pool)
            else:
                self._queue.add_after(pool, LONGEST_PAUSE)
        else:
            self._told.succeeded(f"ResourceSlices of pool {pool}")
            with self._lock:
                self._problems.pop(f"pool {pool}", None)
            self._queue.forget(pool)

    def _add(self, pools: Collection[str]) -> None:
        here = {_pool_of(each) for each in self._store.list() if self._is_here(each)}
        for pool in sorted({*pools, *here}):
            self._queue.add(pool)

    def _publish(self, pool: str) -> None:
        pools = self._begin()
        if pools is None:
            return
        view = self._view(pool, pools.get(pool, Pool(pool)))
        offer = view.offer()
        self._kept[pool] = view.besides(offer)
        asking = offer.counted and self._trusted
        if asking and (self._style is None or self._writes(view, offer)):
            self._style = ask(self._server, view.identity, offer, self._told.compared)
            view = self._view(pool, view.pool)
            offer = view.offer()
        writes = self._writes(view, offer)
        for write in writes:
            if not self._write(pool, write):
                self._queue.add(pool)
                return
        late = bool(writes) and (self._style is Style.NONE or view.leaving())
        if late:
            # what is not offered any more may be given out until schedulers have heard of it
            self._kept[pool] = [*view.stored, *self._kept[pool]]
        if late or view.holds(self._style or Style.APART):
            self._queue.add_after(pool, LOOK_SECONDS)

    def _begin(self) -> Mapping[str, Pool] | None:
        with self._lock:
            anew, self._anew = self._anew, False
            pools = self._pools
        if anew:
            self._style, self._trusted = None, True
            self._accepted.clear()
        return pools

    def _view(self, name: str, pool: Pool) -> View:
        """Return a pool; what is allocated is asked only where devices may have to stay or go."""
        stored = [each for each in self._store.list() if self._is_of(name, each)]
        identity = Identity(self._site.driver, self._site.node, name, self._owner_reference())
        kept = self._kept.get(name, ())
        view = View(identity, pool, self._static_pool(name), stored, frozenset(), kept)
        lost = self._former is not None and not stored
        if self._style is not Style.NONE and not (view.leaving() or lost):
            return view
        found = self._server.allocated(self._site.driver)
        allocated = frozenset(device for pool, device, _ in found if pool == name)
        shares = frozenset(device for pool, device, share in found if pool == name and share)
        former = self._former_pool(view, allocated)
        return replace(view, allocated=allocated, shares=shares, former=former)

    def _static_pool(self, name: str) -> Pool | None:
        if self._style is not Style.NONE or self._static is None:
            return None
        return self._site.pool(name, "static_inventory", self._static.static_inventory)

    def _former_pool(self, view: View, allocated: Collection[str]) -> Pool:
        name = view.identity.pool
        left = set(allocated) - view.names
        if not left or self._former is None:
            return Pool(name)
        tell = partial(self._former.former_inventory, left)
        return self._site.pool(name, "former_inventory", tell)

    def _writes(self, view: View, offer: Offer) -> Sequence[Write]:
        wanted = view.wanted(offer, self._style or Style.APART)
        name = view.identity.pool
        return plan(
            view.identity,
            wanted,
            view.stored,
            lambda index, stored: self._same(name, index, wanted[index], content_of(stored)),
        )

    def _same(self, pool: str, index: int, wanted: JSON, stored: JSON) -> bool:
        """Tell whether a slice says what is wanted, as far as the API server stores that."""
        if same(wanted, stored):
            return True
        sent, kept = self._accepted.get((pool, index), ({}, {}))
        return bool(sent) and same(sent, wanted) and same(kept, stored)

    def _write(self, pool: str, write: Write) -> bool:
        """Carry out a write; tell whether what was stored can stay."""
        if isinstance(write, Delete):
            self._delete(write.stored)
            return True
        stored = (
            self._create(write) if isinstance(write, Create) else self._server.update(write.body)
        )
        self._take(stored)
        sent, kept = content_of(write.body), content_of(stored)
        found = self._told.compared(write.body, stored)
        if same(sent, kept):
            self._accepted.pop((pool, write.index), None)
        else:
            self._accepted[pool, write.index] = (sent, kept)
            if not found:
                self._told.altered(pool)
        if not found & COUNTERS:
            return True
        # not all API servers behind one address have the same gates: what was asked did not help
        self._style, self._trusted = Style.NONE, False
        return False

    def _create(self, write: Create) -> JSON:
        try:
            return self._server.create(write.body)
        except AlreadyExists:
            # the answer to an earlier try was lost, or another instance on the node was faster
            self._take(self._server.get(write.body["metadata"]["name"]))
            raise

    def _take(self, stored: JSON) -> None:
        self._own[stored["metadata"]["name"]] = revision(stored)
        self._store.written(stored)

    def _delete(self, stored: JSON) -> None:
        uid = uid_of(stored)
        self._deleting.add(uid)
        try:
            self._server.delete(stored)
        except DriverError:
            self._deleting.discard(uid)
            raise

    def _owner_reference(self) -> JSON:
        with self._lock:
            owner = self._owner
        if owner is None:
            owner = self._server.owner(self._site.node)
            with self._lock:
                self._owner = owner
        return owner

    def _is_of(self, pool: str, obj: JSON) -> bool:
        here = self._is_here(obj) and uid_of(obj) not in self._deleting
        return here and _pool_of(obj) == pool

    def _is_here(self, obj: JSON) -> bool:
        """Tell whether a slice is one of this node; those without node are told by their owner."""
        node = obj["spec"].get("nodeName")
        owners = obj["metadata"].get("ownerReferences") or []
        return bool(node == self._site.node or (not node and _owned(owners, self._site.node)))


def _went_back(old: JSON | None, new: JSON) -> bool:
    """Tell whether the API server has lost what was seen of a slice: etcd was restored."""
    return old is not None and revision(new) < revision(old)


def _owned(owners: Sequence[JSON], node: str) -> bool:
    return any(each["kind"] == "Node" and each["name"] == node for each in owners)


def _pool_of(obj: JSON) -> str:
    return str(obj["spec"]["pool"]["name"])
