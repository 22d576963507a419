"""What drivers publish, as the nodes of a cluster see it: gathered once, looked at many times.

What is found out about a node is kept, so that the next attempt there is cheaper.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from allocation.gates import Gates
from allocation.inuse import DeviceID
from allocation.kinds import Kind, Relevant
from allocation.pools import Node, Placed, Pool, PoolID, by_pool, gathered
from api.objects import JSON


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A device that may be taken on a node.

    Attributes:
        kinds: what it is the same as, by what matters.
    """

    id: DeviceID
    placed: Placed
    pool: Pool
    kinds: dict[Relevant, Kind] = field(default_factory=dict)

    @property
    def device(self) -> JSON:
        """As it was published."""
        return self.placed.device

    @property
    def told(self) -> str:
        """How Kubernetes names it."""
        return "/".join(self.id)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a node sees.

    Attributes:
        pools: all, in order.
        candidates: devices of the usable ones, in the order in which they are tried.
        attributes: names that these have, without domains.
    """

    node: Node
    pools: tuple[Pool, ...]
    candidates: tuple[Candidate, ...]
    attributes: frozenset[str]


class Published:
    """ResourceSlices of a cluster. Not thread-safe: it remembers what it was asked for."""

    def __init__(self, slices: Iterable[JSON], gates: Gates = Gates()) -> None:  # noqa: B008
        """Sort slices by the nodes that they are for.

        Args:
            slices: raw objects of resource.k8s.io/v1, with the taints of rules in them.
            gates: of the scheduler.
        """
        self.gates = gates
        self._by_pool = by_pool(slices)
        self._named: dict[str, list[PoolID]] = {}
        self._shared: list[PoolID] = []
        for pool, found in self._by_pool.items():
            names = {each["spec"].get("nodeName") or "" for each in found}
            if "" in names:
                self._shared.append(pool)
            for name in names - {""}:
                self._named.setdefault(name, []).append(pool)
        self.kinds: dict[str, Kind] = {}
        self._views: dict[str, View] = {}

    def on(self, node: Node) -> View:
        """Return what a node sees."""
        view = self._views.get(node.name)
        if view is None or view.node != node:
            view = self._views[node.name] = self._view(node)
        return view

    def _view(self, node: Node) -> View:
        ids = dict.fromkeys([*self._named.get(node.name, ()), *self._shared])
        pools = gathered(
            (self._by_pool[each] for each in ids),
            node,
            partitionable=self.gates.partitionable_devices,
        )
        candidates = tuple(
            Candidate((pool.driver, pool.name, placed.device["name"]), placed, pool)
            for pool in pools
            for placed in pool.placed
        )
        names = {
            name.rpartition("/")[2]
            for each in candidates
            for name in each.device.get("attributes") or ()
        }
        return View(node, pools, candidates, frozenset(names))
