"""The pools of devices that a scheduler sees, gathered from ResourceSlices.

Pure. Slices are raw objects in the form of resource.k8s.io/v1, of any drivers. The rules are those
of Kubernetes 1.36 and later; before, pools and slices were in no order, and an incomplete pool was
still allocated from (up to 1.34).
Source: k8s.io/dynamic-resource-allocation structured/internal/incubating/pools_incubating.go.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from api.objects import JSON
from api.selectors import selects

PoolID: TypeAlias = tuple[str, str]
"""Driver and name of a pool."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that devices have to be reachable from."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """A device of a slice that is looked at for a node.

    Attributes:
        spec: of its slice.
        reached: whether the node can reach it; its selectors are evaluated all the same.
    """

    device: JSON
    spec: JSON
    reached: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as it can be allocated from.

    Attributes:
        generation: the newest that is seen.
        complete: whether all slices of that generation are there.
        problem: why nothing is allocated from it; empty if it is usable.
        placed: devices in the order in which they are looked at; none with a problem.
        others: devices of slices that are not for the node, but which draw on its counters.
        counters: values of the counters by set and counter.
        by_name: all devices, of `placed` and `others`.
    """

    driver: str
    name: str
    generation: int
    complete: bool
    problem: str = ""
    placed: tuple[Placed, ...] = ()
    others: tuple[JSON, ...] = ()
    counters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    by_name: Mapping[str, JSON] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the devices."""
        devices = (*(each.device for each in self.placed), *self.others)
        object.__setattr__(self, "by_name", {each["name"]: each for each in devices})

    @property
    def devices(self) -> tuple[JSON, ...]:
        """Devices that the node can reach."""
        return tuple(each.device for each in self.placed if each.reached)

    @property
    def elsewhere(self) -> tuple[JSON, ...]:
        """Devices that the node cannot reach."""
        return (*(each.device for each in self.placed if not each.reached), *self.others)

    @property
    def id(self) -> PoolID:
        """What identifies it."""
        return (self.driver, self.name)


def gather(slices: Iterable[JSON], node: Node) -> tuple[Pool, ...]:
    """Return the pools with slices for a node, in the order in which they are looked at.

    A pool of which a newer generation is on other nodes only is left out, unless the slices of the
    older one are as many as they should be: nobody looks further then.

    Args:
        slices: of all nodes; of slices that disagree on their number the first one counts.
        node: where a pod may run.
    """
    return gathered(by_pool(slices).values(), node)


def gathered(
    grouped: Iterable[Sequence[JSON]], node: Node, *, partitionable: bool = True
) -> tuple[Pool, ...]:
    """Return the pools for a node in their order, as `gather` does.

    Args:
        grouped: all slices of each pool.
        node: where a pod may run.
        partitionable: whether counters, and devices that select nodes by themselves, are known.
    """
    found = [_pool(each, node, partitionable=partitionable) for each in grouped]
    pools = [pool for pool in found if pool is not None]
    return tuple(sorted(pools, key=lambda pool: (_is_bound_late(pool), pool.id)))


def readable(slices: Iterable[JSON]) -> tuple[Pool, ...]:
    """Return the pools as whoever reads all slices sees them, wherever their devices are."""
    found = [_pool(each, None) for each in by_pool(slices).values()]
    return tuple(sorted((pool for pool in found if pool is not None), key=lambda pool: pool.id))


def by_pool(slices: Iterable[JSON]) -> Mapping[PoolID, list[JSON]]:
    """Return the slices of each pool."""
    found: dict[PoolID, list[JSON]] = {}
    for each in slices:
        spec = each["spec"]
        found.setdefault((spec["driver"], spec["pool"]["name"]), []).append(each)
    return found


def _pool(slices: Sequence[JSON], node: Node | None, *, partitionable: bool = True) -> Pool | None:
    """Return a pool of which these are all slices, None if it has nothing for the node."""
    known = [each for each in slices if partitionable or not _is_advanced(each["spec"])]
    reaching = (each for each in known if _reaches(each["spec"], node))
    here = _newest([each for each in reaching if not _has_groups(each["spec"])])
    if not here:
        return None
    here.sort(key=lambda each: not each["spec"].get("nodeName"))
    spec = here[0]["spec"]
    generation, wanted = _generation(here[0]), spec["pool"]["resourceSliceCount"]
    others: list[JSON] = []
    if len(here) != wanted:
        newest = _newest(slices)
        if _generation(newest[0]) > generation:
            return None
        seen = set(map(_name, here))
        others = [s for s in newest if _name(s) not in seen and not _has_groups(s["spec"])]
    blank = Pool(spec["driver"], spec["pool"]["name"], generation, complete=True)
    if len(here) + len(others) != wanted:
        problem = f"{len(here) + len(others)} of {wanted} slices of generation {generation}"
        return replace(blank, complete=False, problem=problem)
    built = _Slices(sorted(here, key=_name), sorted(others, key=_name), partitionable)
    return built.pool(blank, node)


def _has_groups(spec: JSON) -> bool:
    """Tell whether a slice has compatibility groups: while these are alpha, it is ignored."""
    return any(
        consumed.get("compatibilityGroups")
        for device in spec.get("devices") or ()
        for consumed in device.get("consumesCounters") or ()
    )


def _is_advanced(spec: JSON) -> bool:
    return spec.get("perDeviceNodeSelection") is not None or bool(spec.get("sharedCounters"))


def _newest(slices: Sequence[JSON]) -> list[JSON]:
    newest = max(map(_generation, slices), default=0)
    return [each for each in slices if _generation(each) == newest]


def _generation(resource_slice: JSON) -> int:
    return int(resource_slice["spec"]["pool"].get("generation", 0))


def _name(resource_slice: JSON) -> str:
    return str(resource_slice["metadata"]["name"])


def _reaches(spec: JSON, node: Node | None) -> bool:
    """Tell whether a slice is of interest for a node; one without known selection never is."""
    if spec.get("nodeName") or spec.get("allNodes") or spec.get("nodeSelector") is not None:
        return _selects(spec, node)
    return bool(spec.get("perDeviceNodeSelection")) and any(
        _selects(device, node) for device in spec.get("devices") or ()
    )


def _selects(holder: JSON, node: Node | None) -> bool:
    """Tell whether the node fields of a slice or a device select a node; None is any."""
    if node is None or (not holder.get("nodeName") and holder.get("allNodes")):
        return True
    if holder.get("nodeName"):
        return bool(holder["nodeName"] == node.name)
    selector = holder.get("nodeSelector")
    return selector is not None and selects(selector, node.name, node.labels)


@dataclass(frozen=True, slots=True)
class _Slices:
    """The slices of a complete pool: those for a node, and the others if they were looked at."""

    here: Sequence[JSON]
    others: Sequence[JSON]
    partitionable: bool

    def pool(self, blank: Pool, node: Node | None) -> Pool:
        """Return the pool that they make."""
        placed = [
            Placed(device, spec, _is_reached(spec, device, node))
            for spec, device in self._devices(self.here)
        ]
        ours = [each.device for each in placed]
        theirs = [device for _, device in self._devices(self.others)]
        sets = self._sets()
        counters = {each["name"]: _values(each.get("counters") or {}) for each in sets}
        problem = _duplicate("device", ours)
        if self.partitionable:
            problem = problem or _duplicate("counter set", sets)
            problem = problem or _dangling([*ours, *theirs], counters)
        if problem:
            return replace(blank, problem=problem)
        return replace(blank, placed=tuple(placed), others=tuple(theirs), counters=counters)

    def _sets(self) -> list[JSON]:
        slices = [*self.here, *self.others] if self.partitionable else []
        return [each for s in slices for each in s["spec"].get("sharedCounters") or ()]

    def _devices(self, slices: Iterable[JSON]) -> Iterator[tuple[JSON, JSON]]:
        """Yield spec and device; a slice with counters is not looked at for devices."""
        for spec in (each["spec"] for each in slices):
            if not (self.partitionable and spec.get("sharedCounters")):
                yield from ((spec, device) for device in spec.get("devices") or ())


def _is_reached(spec: JSON, device: JSON, node: Node | None) -> bool:
    return not spec.get("perDeviceNodeSelection") or _selects(device, node)


def _values(counters: Mapping[str, JSON]) -> Mapping[str, str]:
    return {name: str(counter["value"]) for name, counter in counters.items()}


def _duplicate(what: str, named: Iterable[JSON]) -> str:
    seen: set[str] = set()
    for each in named:
        if each["name"] in seen:
            return f"duplicate {what} name {each['name']}"
        seen.add(each["name"])
    return ""


def _dangling(devices: Iterable[JSON], counters: Mapping[str, Mapping[str, str]]) -> str:
    """Return the first reference to a counter that is not there, empty if there is none."""
    for device in devices:
        for consumed in device.get("consumesCounters") or ():
            name = consumed["counterSet"]
            if name not in counters:
                return f"counter set {name} not found"
            for counter in consumed.get("counters") or ():
                if counter not in counters[name]:
                    return f"counter {counter} not found in counter set {name}"
    return ""


def _is_bound_late(pool: Pool) -> bool:
    return any(each.device.get("bindingConditions") for each in pool.placed)
