"""The dialect of Kubernetes 1.27 to 1.30: the class names the driver, parameters are objects.

Source: k8s.io/dynamic-resource-allocation controller.go (release-1.30).
"""

from collections.abc import Sequence
from typing import Final

from api.claims import Claim
from api.errors import UserError
from api.names import (
    CLAIM_PARAMETERS_KIND,
    CLASS_PARAMETERS_KIND,
)
from api.nas import AllocatedDevice
from api.objects import JSON, NodeName
from api.resources import DRA_V1ALPHA2
from api.selectors import only_node
from controller.decide.allocator import DeviceRequest
from controller.outcome import Topic
from controller.versions.dialect import (
    Demand,
    NotOurs,
    Reading,
    Unusable,
    Version,
    with_status,
)
from controller.versions.parameters import ParametersLookup, topics
from controller.versions.sources import Sources


class V1Alpha2:
    """Implements controller.versions.dialect.Dialect."""

    def __init__(self, driver_name: str, sources: Sources) -> None:
        """Find classes and parameters in `sources`."""
        self._driver_name = driver_name
        self._lookup = ParametersLookup(
            classes=sources[DRA_V1ALPHA2.classes.kind],
            claim_parameters=sources[CLAIM_PARAMETERS_KIND],
            class_parameters=sources[CLASS_PARAMETERS_KIND],
        )

    def read(self, claim: Claim) -> Reading:
        """Return one request for what both parameters objects say."""
        resource_class = None
        try:
            resource_class = self._lookup.resource_class(claim)
            if resource_class.driver_name != self._driver_name:
                return NotOurs(frozenset({Topic("class", resource_class.name)}))
            found = self._lookup.parameters(claim, resource_class)
        except UserError as error:
            return Unusable(error, claim, topics(claim, resource_class))
        nodes = resource_class.suitable_nodes
        return Demand(
            (DeviceRequest(claim.uid, found.of_claim, found.of_class),),
            () if nodes is None else (nodes,),
        )

    def allocated(
        self, claim: Claim, _demand: Demand, node: NodeName, _devices: Sequence[AllocatedDevice]
    ) -> JSON:
        """Return the claim allocated on a node; its devices stand in the node's NAS only."""
        allocation = {"availableOnNodes": only_node(node), "shareable": True}
        return with_status(claim.raw, driverName=self._driver_name, allocation=allocation)

    def freed(self, claim: Claim) -> JSON:
        """Return the claim without allocation and driver."""
        return with_status(claim.raw, allocation=None, driverName=None, deallocationRequested=None)


V1ALPHA2: Final = Version(DRA_V1ALPHA2, V1Alpha2)
