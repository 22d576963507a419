"""Kubernetes 1.31: a claim names its driver as controller, and asks for devices of DeviceClasses.

A claim without controller is one of kube-scheduler, and no driver of classic claims prepares it.
Source: k8s.io/api/resource/v1alpha3 types.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.claims.view import Allocation, ClaimView, allocation_of
from api.objects import JSON, NamespacedObject

EXACT_COUNT: Final = "ExactCount"
MAX_RESULTS: Final = 32
"""AllocationResultsMaxSize: most devices that one allocation may list."""


def read(raw: JSON) -> ClaimView:
    """Read a claim."""
    found = allocation_of(raw)
    if found is None:
        return ClaimView(raw)
    driver = found.get("controller")
    drivers = frozenset([driver] if driver else [])
    opaque = (each.get("opaque") or {} for each in _devices(found).get("config") or [])
    handles = {str(each["driver"]): each.get("parameters") or {} for each in opaque if each}
    return ClaimView(raw, Allocation(found, drivers, found.get("nodeSelector"), handles))


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Parameters that a class or a claim carries for one driver.

    Attributes:
        path: field that holds them, for people.
        parameters: a whole object with apiVersion, kind and spec.
        requests: names of those that it is meant for; none means all.
    """

    path: str
    parameters: JSON
    requests: frozenset[str] = frozenset()

    def applies_to(self, request: str) -> bool:
        """Tell whether it is meant for a request."""
        return not self.requests or request in self.requests


@dataclass(frozen=True, slots=True)
class RequestedDevices:
    """One entry of `spec.devices.requests`."""

    raw: JSON

    @property
    def name(self) -> str:
        """Name within the claim; containers and results refer to it."""
        return str(self.raw.get("name", ""))

    @property
    def path(self) -> str:
        """Field that holds the entry, for people."""
        return f"spec.devices.requests[{self.name}]"

    @property
    def class_name(self) -> str:
        """Name of the DeviceClass."""
        return str(self.raw.get("deviceClassName", ""))

    @property
    def mode(self) -> str:
        """How devices are counted."""
        return str(self.raw.get("allocationMode") or EXACT_COUNT)

    @property
    def count(self) -> int:
        """Number of devices in the mode ExactCount."""
        return int(self.raw.get("count") or 1)

    @property
    def selectors(self) -> list[JSON]:
        """CEL expressions over the attributes of devices."""
        return list(self.raw.get("selectors") or [])

    @property
    def admin_access(self) -> bool:
        """Whether devices are wanted that others may hold."""
        return bool(self.raw.get("adminAccess"))


@dataclass(frozen=True, slots=True)
class DeviceClaim(NamespacedObject):
    """What the spec of a claim asks for."""

    @property
    def controller(self) -> str:
        """Driver whose controller allocates; empty for kube-scheduler. Never changes."""
        return str(self._spec.get("controller", ""))

    @property
    def requests(self) -> tuple[RequestedDevices, ...]:
        """What is asked for; all of it, or nothing."""
        return tuple(RequestedDevices(raw) for raw in self._devices.get("requests") or [])

    @property
    def constraints(self) -> list[JSON]:
        """Attributes that devices have to share."""
        return list(self._devices.get("constraints") or [])

    def config(self, driver: str) -> list[DeviceConfig]:
        """Return the parameters for a driver, in order."""
        return _config(self._devices.get("config") or [], "spec.devices.config", driver)

    @property
    def _spec(self) -> JSON:
        return self.raw.get("spec") or {}

    @property
    def _devices(self) -> JSON:
        return self._spec.get("devices") or {}


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """Cluster object that says which devices a request may get; it names no driver."""

    raw: JSON

    @property
    def name(self) -> str:
        """Name of the class."""
        return str(self.raw["metadata"]["name"])

    @property
    def suitable_nodes(self) -> JSON | None:
        """NodeSelector of the nodes that may serve this class; None is every node."""
        return self._spec.get("suitableNodes")

    @property
    def selectors(self) -> list[JSON]:
        """CEL expressions over the attributes of devices."""
        return list(self._spec.get("selectors") or [])

    def config(self, driver: str) -> list[DeviceConfig]:
        """Return the parameters for a driver, in order."""
        return _config(self._spec.get("config") or [], "spec.config", driver)

    @property
    def _spec(self) -> JSON:
        return self.raw.get("spec") or {}


def _devices(allocation: JSON) -> JSON:
    return allocation.get("devices") or {}


def _config(entries: Iterable[JSON], field: str, driver: str) -> list[DeviceConfig]:
    return [
        DeviceConfig(
            path=f"{field}[{index}].opaque.parameters",
            parameters=entry["opaque"].get("parameters") or {},
            requests=frozenset(entry.get("requests") or []),
        )
        for index, entry in enumerate(entries)
        if (entry.get("opaque") or {}).get("driver") == driver
    ]
