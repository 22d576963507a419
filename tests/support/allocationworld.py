"""Clusters of a few devices, and claims for them, in as few words as a table has room for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from allocation.allocator import DEFAULT_BUDGET, World, allocate
from allocation.gates import Gates
from allocation.inuse import InUse
from allocation.pools import Node
from allocation.published import Published
from allocation.selectors import Selectors
from allocation.verdicts import Allocation, Refusals
from api.objects import JSON

DRIVER = "gpu.example.com"
HERE = Node("here", {"zone": "a"})


def device(name: str, **fields: Any) -> JSON:
    """Return a device; attributes and capacity as plain values."""
    attributes = {key: _attribute(value) for key, value in fields.pop("attributes", {}).items()}
    capacity = {
        key: value if isinstance(value, dict) else {"value": value}
        for key, value in fields.pop("capacity", {}).items()
    }
    found = {"name": name, "attributes": attributes, "capacity": capacity, **fields}
    return {key: value for key, value in found.items() if value not in ({}, None)}


def drawing(name: str, amount: int, of: str = "card", **fields: Any) -> JSON:
    """Return a device that consumes units of a counter set."""
    consumed = {"counterSet": of, "counters": {"units": {"value": str(amount)}}}
    return device(name, consumesCounters=[consumed], **fields)


def pool(*devices: JSON, name: str = "here", driver: str = DRIVER, **spec: Any) -> JSON:
    """Return the only slice of a pool."""
    about = {"name": name, "generation": 1, "resourceSliceCount": spec.pop("count", 1)}
    place = {"nodeName": "here"} if not PLACES & spec.keys() else {}
    body = {"devices": list(devices)} if devices else {}
    return {
        "metadata": {"name": spec.pop("slice", f"{driver}-{name}")},
        "spec": {"driver": driver, "pool": about, **place, **body, **spec},
    }


PLACES = {"nodeName", "allNodes", "nodeSelector", "perDeviceNodeSelection"}


def counters(*sets: str, units: int = 16, **spec: Any) -> JSON:
    """Return a slice of counters."""
    shared = [{"name": each, "counters": {"units": {"value": str(units)}}} for each in sets]
    return pool(sharedCounters=shared, **{"slice": "counters", "count": 2, **spec})


def a_class(name: str, *expressions: str, **spec: Any) -> JSON:
    """Return a class."""
    return {"metadata": {"name": name}, "spec": {"selectors": selectors(*expressions), **spec}}


def selectors(*expressions: str) -> list[JSON]:
    """Return selectors."""
    return [{"cel": {"expression": each}} for each in expressions]


def ask(name: str = "r", *expressions: str, count: int | str = 1, **body: Any) -> JSON:
    """Return a request; `firstAvailable` takes what `alternative` returns."""
    if "firstAvailable" in body:
        return {"name": name, **body}
    return {"name": name, "exactly": _body(expressions, count, body)}


def alternative(name: str, *expressions: str, count: int | str = 1, **body: Any) -> JSON:
    """Return an alternative of a request."""
    return {"name": name, **_body(expressions, count, body)}


def claim(*requests: JSON, name: str = "claim", **devices: Any) -> JSON:
    """Return a claim."""
    spec = {"devices": {"requests": list(requests), **devices}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def holding(*names: str, pool: str = "here", **result: Any) -> JSON:
    """Return a claim that devices are allocated to."""
    results = [
        {"request": "r", "driver": DRIVER, "pool": pool, "device": each, **result} for each in names
    ]
    allocation = {"devices": {"results": results}}
    return {**claim(ask(), name="holder"), "status": {"allocation": allocation}}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is."""

    slices: Sequence[JSON] = ()
    classes: Sequence[JSON] = (a_class("any"),)
    allocated: Sequence[JSON] = ()
    gates: Gates = field(default_factory=Gates)

    def world(self) -> World:
        """Return it as the allocator takes it."""
        return World(
            Published(self.slices, self.gates),
            {each["metadata"]["name"]: each for each in self.classes},
            InUse.of(self.allocated, self.gates),
            Selectors(),
        )

    def allocate(
        self, *claims: JSON, node: Node = HERE, budget: int = DEFAULT_BUDGET
    ) -> Allocation | Refusals:
        """Return what becomes of claims."""
        return allocate(claims, node, self.world(), budget=budget)


def devices(found: Allocation | Refusals) -> list[list[str]]:
    """Return the devices of each claim."""
    assert isinstance(found, Allocation), found
    return [[each["device"] for each in claim["devices"]["results"]] for claim in found.claims]


def refused(found: Allocation | Refusals) -> Refusals:
    """Return why there is no allocation."""
    assert isinstance(found, Refusals), found
    return found


def _body(expressions: Sequence[str], count: int | str, body: JSON) -> JSON:
    mode = {"allocationMode": "All"} if count == "All" else {"count": count}
    found: JSON = {"deviceClassName": "any", "allocationMode": "ExactCount", **mode, **body}
    return {**found, **({"selectors": selectors(*expressions)} if expressions else {})}


def _attribute(value: object) -> JSON:
    if isinstance(value, dict):
        return value
    kinds: dict[type, str] = {bool: "bool", int: "int", str: "string"}
    return {kinds[type(value)]: value}
