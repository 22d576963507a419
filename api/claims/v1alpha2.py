"""Kubernetes 1.27 to 1.30: a claim names a class, which names the driver, and parameters objects.

Which devices were allocated stands in the claim only if the driver says so in a resource handle.
Source: k8s.io/api/resource/v1alpha2 types.go.
"""

from dataclasses import dataclass
from typing import Final

from api.claims.view import Allocation, ClaimView, ParametersReference, allocation_of
from api.objects import JSON

IMMEDIATE: Final = "Immediate"

MAX_HANDLE_BYTES: Final = 16 * 1024
"""ResourceHandleDataMaxSize: of the data in one resource handle."""


def read(raw: JSON) -> ClaimView:
    """Read a claim."""
    spec = raw.get("spec") or {}
    ref = spec.get("parametersRef")
    return ClaimView(
        raw,
        allocation=_allocation(raw),
        immediate=spec.get("allocationMode") == IMMEDIATE,
        class_name=str(spec.get("resourceClassName", "")),
        parameters=ParametersReference.parse(ref, raw["metadata"]["namespace"]) if ref else None,
    )


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """Cluster object that names the driver and its class parameters."""

    raw: JSON

    @property
    def name(self) -> str:
        """Name of the class."""
        return str(self.raw["metadata"]["name"])

    @property
    def driver_name(self) -> str:
        """Driver that allocates for this class; may change at any time."""
        return str(self.raw.get("driverName", ""))

    @property
    def parameters(self) -> ParametersReference | None:
        """Reference to the class parameters."""
        ref = self.raw.get("parametersRef")
        return ParametersReference.parse(ref, None) if ref else None

    @property
    def suitable_nodes(self) -> JSON | None:
        """NodeSelector of the nodes that may serve this class; None is every node."""
        return self.raw.get("suitableNodes")


def _allocation(raw: JSON) -> Allocation | None:
    found = allocation_of(raw)
    if found is None:
        return None
    driver = raw["status"].get("driverName")
    drivers = frozenset([driver] if driver else [])
    handles = {
        str(each.get("driverName", "")): str(each["data"])
        for each in found.get("resourceHandles") or []
        if each.get("data")
    }
    return Allocation(found, drivers, found.get("availableOnNodes"), handles)
