"""The dialect of Kubernetes 1.27 to 1.30: the class names the driver, parameters are objects.

Source: k8s.io/dynamic-resource-allocation controller.go (release-1.30).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from api.claims.v1alpha2 import MAX_HANDLE_BYTES, ResourceClass
from api.claims.view import ClaimView, ParametersReference, with_status
from api.errors import ParametersNotFound, UnknownParametersKind, UserError
from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND, PARAMETERS_GROUP
from api.nas import AllocatedDevice
from api.objects import JSON, NodeName, object_key
from api.parameters import (
    ClaimParameters,
    ClassParameters,
    check_together,
    parse_claim_parameters,
    parse_class_parameters,
)
from api.rawjson import encoded
from api.resources import DRA_V1ALPHA2
from api.selectors import only_node
from controller.decide.allocator import DeviceRequest
from controller.errors import ResourceClassNotFound
from controller.outcome import Topic
from controller.versions.dialect import (
    ClaimRequests,
    NotOurs,
    ObjectSource,
    Reading,
    Sources,
    Unusable,
)

_Parameters = TypeVar("_Parameters", ClaimParameters, ClassParameters)


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

    def read(self, claim: ClaimView) -> Reading:
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
        return ClaimRequests(
            (DeviceRequest(claim.uid, found.of_claim, found.of_class),),
            () if nodes is None else (nodes,),
        )

    def allocated(
        self,
        claim: ClaimView,
        _asked: ClaimRequests,
        node: NodeName,
        _devices: Sequence[AllocatedDevice],
    ) -> JSON:
        """Return the claim allocated on a node; its devices stand in the node's NAS only."""
        allocation = {"availableOnNodes": only_node(node), "shareable": True}
        return with_status(claim.raw, driverName=self._driver_name, allocation=allocation)

    def with_handle(self, claim: JSON, handle: JSON) -> JSON:
        """Return the claim with the one resource handle that kubelets pass on to the plugin."""
        data = encoded(handle)
        if len(data.encode()) > MAX_HANDLE_BYTES:
            return claim
        handles = [{"driverName": self._driver_name, "data": data}]
        allocation = {**claim["status"]["allocation"], "resourceHandles": handles}
        return with_status(claim, allocation=allocation)

    def freed(self, claim: ClaimView) -> JSON:
        """Return the claim without allocation and driver."""
        return with_status(claim.raw, allocation=None, driverName=None, deallocationRequested=None)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that decides which devices a claim may get."""

    of_claim: ClaimParameters
    of_class: ClassParameters


class ParametersLookup:
    """Finds and validates what a claim refers to."""

    def __init__(
        self, classes: ObjectSource, claim_parameters: ObjectSource, class_parameters: ObjectSource
    ) -> None:
        """Look into these three sources."""
        self._classes = classes
        self._claim_parameters = claim_parameters
        self._class_parameters = class_parameters

    def resource_class(self, claim: ClaimView) -> ResourceClass:
        """Return the class of a claim.

        Raises:
            ResourceClassNotFound: it does not exist.
        """
        raw = self._classes.get(claim.class_name, None)
        if raw is None:
            raise ResourceClassNotFound(
                f"ResourceClass {claim.class_name} of claim {claim.key} not found; create the "
                "class, or recreate the claim with spec.resourceClassName of an existing one"
            )
        return ResourceClass(raw)

    def parameters(self, claim: ClaimView, resource_class: ResourceClass) -> Parameters:
        """Return the validated parameters of a claim and its class, defaults where there are none.

        Raises:
            UserError: a reference that cannot be followed, or an invalid object.
        """
        found = Parameters(
            of_class=_follow(
                resource_class.parameters,
                f"ResourceClass {resource_class.name}",
                CLASS_PARAMETERS_KIND,
                self._class_parameters,
                parse_class_parameters,
                ClassParameters(),
            ),
            of_claim=_follow(
                claim.parameters,
                f"ResourceClaim {claim.key}",
                CLAIM_PARAMETERS_KIND,
                self._claim_parameters,
                parse_claim_parameters,
                ClaimParameters(),
            ),
        )
        where = f"ResourceClaim {claim.key}", f"ResourceClass {resource_class.name}"
        check_together(found.of_claim, found.of_class, *where)
        return found


def topics(claim: ClaimView, resource_class: ResourceClass | None) -> frozenset[Topic]:
    """Return what may change when a claim cannot be served because of what it refers to."""
    found = {Topic("class", claim.class_name)}
    for ref in (claim.parameters, resource_class.parameters if resource_class else None):
        if ref is not None:
            found.add(Topic(ref.kind, object_key(ref.namespace, ref.name)))
    return frozenset(found)


def _follow(
    ref: ParametersReference | None,
    referrer: str,
    kind: str,
    source: ObjectSource,
    parse: Callable[[JSON], _Parameters],
    default: _Parameters,
) -> _Parameters:
    if ref is None:
        return default
    if (ref.api_group, ref.kind) != (PARAMETERS_GROUP, kind):
        raise UnknownParametersKind(
            f"{referrer} has parametersRef {ref}, which this driver cannot read; "
            f"refer to apiGroup {PARAMETERS_GROUP} and kind {kind}"
        )
    namespace = ref.namespace if kind == CLAIM_PARAMETERS_KIND else None
    obj = source.get(ref.name, namespace)
    if obj is None:
        where = (
            f" in namespace {namespace}, that of the claim: parameters in another namespace are "
            "not looked at"
            if namespace
            else ""
        )
        raise ParametersNotFound(
            f"{referrer} has parametersRef {ref}, which does not exist; create it{where}"
        )
    return parse(obj)
