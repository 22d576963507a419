"""The dialect of Kubernetes 1.31: the claim names the driver, parameters stand in the claim.

A claim has one or more requests, each for a number of devices of a DeviceClass. What kube-scheduler
evaluates for its own claims and a driver cannot (CEL, constraints, admin access) is refused with
the field's name; nothing is left out silently.
Source: k8s.io/dynamic-resource-allocation controller.go (release-1.31), checkPodClaim; k8s.io/api
resource/v1alpha3 types.go.
"""

from collections.abc import Sequence
from dataclasses import replace

from api.claims.v1alpha3 import (
    EXACT_COUNT,
    MAX_RESULTS,
    DeviceClaim,
    DeviceClass,
    RequestedDevices,
)
from api.claims.view import FROM_CLAIM, ClaimView, with_status
from api.embedded import claim_parameters, class_parameters
from api.errors import MalformedState, UserError
from api.names import (
    CLAIM_PARAMETERS_KIND,
    CLASS_PARAMETERS_KIND,
)
from api.nas import AllocatedDevice
from api.objects import JSON, ClaimUID, NodeName, device_name
from api.parameters import ClaimParameters, ClassParameters, check_together
from api.resources import DRA_V1ALPHA3
from api.selectors import only_node
from controller.decide.allocator import DeviceRequest
from controller.errors import DeviceClassNotFound, TooManyDevices, UnsupportedField
from controller.outcome import Topic
from controller.versions.dialect import (
    ClaimRequests,
    NotOurs,
    Reading,
    Sources,
    Unusable,
)


class V1Alpha3:
    """Implements controller.versions.dialect.Dialect."""

    def __init__(self, driver_name: str, sources: Sources) -> None:
        """Find classes in `sources`."""
        self._driver_name = driver_name
        self._classes = sources[DRA_V1ALPHA3.classes.kind]

    def read(self, claim: ClaimView) -> Reading:
        """Return the requests of a claim that names this driver as its controller."""
        asked = DeviceClaim(claim.raw)
        if asked.controller != self._driver_name:
            return NotOurs()
        try:
            check_supported(asked)
            classes = [self._class(asked, request) for request in asked.requests]
            requests = tuple(
                device_request(self._driver_name, claim.uid, asked, request, its_class)
                for request, its_class in zip(asked.requests, classes, strict=True)
            )
        except UserError as error:
            names = {request.class_name for request in asked.requests}
            return Unusable(error, claim, frozenset(Topic("class", name) for name in names))
        nodes = [its_class.suitable_nodes for its_class in classes]
        return ClaimRequests(requests, tuple(n for n in nodes if n is not None))

    def allocated(
        self,
        claim: ClaimView,
        asked: ClaimRequests,
        node: NodeName,
        devices: Sequence[AllocatedDevice],
    ) -> JSON:
        """Return the claim with one result for each device, by which the kubelet finds the plugin.

        Raises:
            MalformedState: the NAS holds another number of devices for it; somebody edited that.
        """
        served = [r.name for r in asked.requests for _ in range(r.wanted.count)]
        if len(served) != len(devices):
            raise MalformedState(
                f"NodeAllocationState {node} holds {len(devices)} devices for ResourceClaim "
                f"{claim.key}, which asks for {len(served)}; remove "
                f"spec.allocatedClaims.{claim.uid} there"
            )
        results = [
            {
                "request": name,
                "driver": self._driver_name,
                "pool": node,
                "device": device_name(device.id),
            }
            for name, device in zip(served, devices, strict=True)
        ]
        allocation = {
            "controller": self._driver_name,
            "devices": {"results": results},
            "nodeSelector": only_node(node),
        }
        return with_status(claim.raw, allocation=allocation)

    def with_handle(self, claim: JSON, handle: JSON) -> JSON:
        """Return the claim with the handle among the parameters that apply to its devices."""
        own = {"driver": self._driver_name, "parameters": handle}
        allocation = claim["status"]["allocation"]
        devices = {**allocation["devices"], "config": [{"source": FROM_CLAIM, "opaque": own}]}
        return with_status(claim, allocation={**allocation, "devices": devices})

    def freed(self, claim: ClaimView) -> JSON:
        """Return the claim without allocation."""
        return with_status(claim.raw, allocation=None, deallocationRequested=None)

    def _class(self, claim: DeviceClaim, request: RequestedDevices) -> DeviceClass:
        raw = self._classes.get(request.class_name, None)
        if raw is None:
            raise DeviceClassNotFound(
                f"DeviceClass {request.class_name} of {request.path} of ResourceClaim {claim.key} "
                "not found; create the class, or recreate the claim with an existing one"
            )
        return DeviceClass(raw)


def check_supported(claim: DeviceClaim) -> None:
    """Check that this driver can do what a claim asks for, whatever its classes say.

    Raises:
        UnsupportedField: naming the field and what to do instead.
        TooManyDevices: an allocation could not list them.
    """
    where = f"ResourceClaim {claim.key}"
    if not claim.requests:
        raise UnsupportedField(f"{where} has no spec.devices.requests; ask for devices there")
    if claim.constraints:
        raise _unsupported(where, "spec.devices.constraints", "remove them")
    for request in claim.requests:
        _check_request(where, request)
    total = sum(request.count for request in claim.requests)
    if total > MAX_RESULTS:
        raise TooManyDevices(
            f"{where} asks for {total} devices in spec.devices.requests, but an allocation lists "
            f"at most {MAX_RESULTS}; ask for fewer, or make more claims"
        )


def device_request(
    driver_name: str,
    uid: ClaimUID,
    claim: DeviceClaim,
    request: RequestedDevices,
    its_class: DeviceClass,
) -> DeviceRequest:
    """Return one request with the parameters that the claim and the class have for it.

    Where several parameters apply to a request, the last ones count.

    Raises:
        UserError: naming the field that is wrong.
    """
    where = f"DeviceClass {its_class.name}"
    if its_class.selectors:
        advice = f"name models in {CLASS_PARAMETERS_KIND} in spec.config"
        raise _unsupported(where, "spec.selectors", advice)
    offered = ClassParameters()
    for config in its_class.config(driver_name)[-1:]:
        offered = class_parameters(config.parameters, f"in {config.path} of {where}")
    wanted = ClaimParameters()
    applying = [c for c in claim.config(driver_name) if c.applies_to(request.name)]
    for config in applying[-1:]:
        spot = f"in {config.path} of ResourceClaim {claim.key}"
        wanted = claim_parameters(config.parameters, spot)
    check_together(wanted, offered, f"ResourceClaim {claim.key}", where)
    return DeviceRequest(uid, replace(wanted, count=request.count), offered, request.name)


def _check_request(where: str, request: RequestedDevices) -> None:
    if request.selectors:
        advice = f"name a model in {CLAIM_PARAMETERS_KIND} in spec.devices.config"
        raise _unsupported(where, f"{request.path}.selectors", advice)
    if request.mode != EXACT_COUNT:
        field = f"{request.path}.allocationMode {request.mode}"
        raise _unsupported(where, field, f"use {EXACT_COUNT} with a count")
    if request.admin_access:
        raise _unsupported(where, f"{request.path}.adminAccess", "remove it")


def _unsupported(where: str, field: str, advice: str) -> UnsupportedField:
    return UnsupportedField(
        f"{where} has {field}, which only kube-scheduler can follow, for claims without "
        f"spec.controller; {advice}"
    )
