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
class Pool:
    """A pool as it can be allocated from.

    Attributes:
        generation: the newest that is seen.
        complete: whether all slices of that generation are there.
        problem: why nothing is allocated from it; empty if it is usable.
        devices: in the order in which they are looked at; none with a problem.
        elsewhere: devices of the pool that the node cannot reach, but which draw on its counters.
        counters: values of the counters by set and counter.
    """

    driver: str
    name: str
    generation: int
    complete: bool
    problem: str = ""
    devices: tuple[JSON, ...] = ()
    elsewhere: tuple[JSON, ...] = ()
    counters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
    found = [_pool(each, node) for each in _by_pool(slices).values()]
    pools = [pool for pool in found if pool is not None]
    return tuple(sorted(pools, key=lambda pool: (_is_bound_late(pool), pool.id)))


def readable(slices: Iterable[JSON]) -> tuple[Pool, ...]:
    """Return the pools as whoever reads all slices sees them, wherever their devices are."""
    found = [_pool(each, None) for each in _by_pool(slices).values()]
    return tuple(sorted((pool for pool in found if pool is not None), key=lambda pool: pool.id))


def _by_pool(slices: Iterable[JSON]) -> Mapping[PoolID, list[JSON]]:
    found: dict[PoolID, list[JSON]] = {}
    for each in slices:
        spec = each["spec"]
        found.setdefault((spec["driver"], spec["pool"]["name"]), []).append(each)
    return found


def _pool(slices: Sequence[JSON], node: Node | None) -> Pool | None:
    """Return a pool of which these are all slices, None if it has nothing for the node."""
    here = _newest([each for each in slices if _reaches(each["spec"], node)])
    if not here:
        return None
    spec = here[0]["spec"]
    generation, wanted = _generation(here[0]), spec["pool"]["resourceSliceCount"]
    others: list[JSON] = []
    if len(here) != wanted:
        newest = _newest(slices)
        if _generation(newest[0]) > generation:
            return None
        known = set(map(_name, here))
        others = [each for each in newest if _name(each) not in known]
    blank = Pool(spec["driver"], spec["pool"]["name"], generation, complete=True)
    if len(here) + len(others) != wanted:
        problem = f"{len(here) + len(others)} of {wanted} slices of generation {generation}"
        return replace(blank, complete=False, problem=problem)
    return _built(blank, sorted(here, key=_name), sorted(others, key=_name), node)


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


def _built(blank: Pool, here: Sequence[JSON], others: Sequence[JSON], node: Node | None) -> Pool:
    """Return a complete pool of the slices for a node, and of the others if they were looked at."""
    ours, theirs = list(_devices(here)), [device for _, device in _devices(others)]
    sets = [each for s in (*here, *others) for each in s["spec"].get("sharedCounters") or ()]
    counters = {each["name"]: _values(each["counters"]) for each in sets}
    problem = (
        _duplicate("device", [device for _, device in ours])
        or _duplicate("counter set", sets)
        or _dangling([*(device for _, device in ours), *theirs], counters)
    )
    if problem:
        return replace(blank, problem=problem)
    return replace(
        blank,
        devices=tuple(d for spec, d in ours if _is_reached(spec, d, node)),
        elsewhere=(*(d for spec, d in ours if not _is_reached(spec, d, node)), *theirs),
        counters=counters,
    )


def _devices(slices: Iterable[JSON]) -> Iterator[tuple[JSON, JSON]]:
    """Yield spec and device; a slice with counters is not looked at for devices."""
    for spec in (each["spec"] for each in slices):
        if not spec.get("sharedCounters"):
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
            for counter in consumed["counters"]:
                if counter not in counters[name]:
                    return f"counter {counter} not found in counter set {name}"
    return ""


def _is_bound_late(pool: Pool) -> bool:
    return any(device.get("bindingConditions") for device in pool.devices)
