"""AdmissionReviews as API servers send them."""

import json
from collections.abc import Mapping
from typing import Any

from api.names import CRD_VERSION, PARAMETERS_GROUP, RESOURCE_GROUP
from api.objects import JSON

KINDS: Mapping[str, str] = {
    "resourceclaims": "ResourceClaim",
    "resourceclaimtemplates": "ResourceClaimTemplate",
    "deviceclasses": "DeviceClass",
    "fakeclaimparameters": "FakeClaimParameters",
    "deviceclassparameters": "DeviceClassParameters",
}
OF_PARAMETERS = ("fakeclaimparameters", "deviceclassparameters")


def carrier(resource: str, *configs: JSON) -> JSON:
    """Return an object that carries config entries."""
    spec: JSON = {"config": list(configs)}
    if resource != "deviceclasses":
        spec = {"devices": {"requests": [], **spec}}
    if resource == "resourceclaimtemplates":
        spec = {"spec": spec}
    return {"metadata": {"name": "c", "namespace": "default"}, "spec": spec}


def opaque(driver: str, parameters: Any) -> JSON:
    """Return a config entry."""
    return {"opaque": {"driver": driver, "parameters": parameters}}


def request_body(
    resource: str, obj: JSON | None, *, version: str = "v1", operation: str = "CREATE", **more: Any
) -> JSON:
    """Return the request of an object of a resource that the webhook knows, or of another."""
    ours = resource in OF_PARAMETERS
    group = PARAMETERS_GROUP if ours else RESOURCE_GROUP
    place = {"group": group, "version": CRD_VERSION if ours else version, "resource": resource}
    return {
        "uid": "705ab4f5",
        "kind": {**place, "kind": KINDS.get(resource, "Other")},
        "resource": place,
        "operation": operation,
        "name": "c",
        "object": obj,
        "oldObject": None,
        **more,
    }


def review_body(request: Any, **more: Any) -> bytes:
    """Return the AdmissionReview of a request."""
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps({**body, **more}).encode()


def told(answer: JSON) -> list[tuple[str, str]]:
    """Return the fields that an answer says are wrong, with what is wrong."""
    causes = answer["response"].get("status", {}).get("details", {}).get("causes", [])
    return [(cause["field"], cause["message"]) for cause in causes]
