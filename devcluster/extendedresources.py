"""Devices that a pod asks for as extended resources: the claim that the scheduler makes for them.

A DeviceClass stands for the resource that it names, and for one that has its own name. A pod has at
most one such claim, and its status says which container has which request of it.
Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.37.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from api.claims.view import ClaimView
from api.objects import JSON
from api.pods import Pod, PodClaim
from api.quantities import quantity
from devcluster.claimapi import STRUCTURED
from devcluster.claimrules import owned_by

IMPLICIT: Final = "deviceclass.resource.kubernetes.io/"
ANNOTATION: Final = "resource.kubernetes.io/extended-resource-claim"
_STATUS: Final = "extendedResourceClaimStatus"


@dataclass(frozen=True, slots=True)
class ExtendedClaim(ClaimView):
    """A claim that is not created yet.

    Attributes:
        mappings: which container has which request, as the pod's status will say.
    """

    mappings: tuple[JSON, ...] = ()


def recorded(pod: Pod) -> PodClaim | None:
    """Return the claim that was made for a pod's extended resources, None if there is none."""
    name = ((pod.raw.get("status") or {}).get(_STATUS) or {}).get("resourceClaimName")
    return PodClaim("", name, from_template=True) if name else None


def extended_claim(pod: Pod, classes: Mapping[str, JSON]) -> ExtendedClaim | None:
    """Return the claim for what a pod asks of classes, None if it asks for nothing."""
    by_resource = {f"{IMPLICIT}{name}": name for name in classes}
    for each in sorted(classes.values(), key=_age):
        if resource := (each.get("spec") or {}).get("extendedResourceName"):
            by_resource[resource] = each["metadata"]["name"]
    requests, mappings = [], []
    for name, container, resource, count in _asked(pod, by_resource):
        exactly = {"deviceClassName": by_resource[resource], "allocationMode": "ExactCount"}
        requests.append({"name": name, "exactly": {**exactly, "count": count}})
        told = {"containerName": container, "resourceName": resource, "requestName": name}
        mappings.append(told)
    return ExtendedClaim(_body(pod, requests), mappings=tuple(mappings)) if requests else None


def with_extended_claim(claim: ExtendedClaim, name: str) -> JSON:
    """Return the change of a pod's status when its claim has been made under a name."""
    return {_STATUS: {"resourceClaimName": name, "requestMappings": list(claim.mappings)}}


def requests_of(pod: Pod, container: str) -> list[str]:
    """Return the requests of a pod's extended claim that a container has."""
    status = (pod.raw.get("status") or {}).get(_STATUS) or {}
    mappings: Iterable[JSON] = status.get("requestMappings") or ()
    return [each["requestName"] for each in mappings if each["containerName"] == container]


def _asked(pod: Pod, known: Mapping[str, str]) -> Iterator[tuple[str, str, str, int]]:
    """Yield request, container, resource and number of devices."""
    spec = pod.raw.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    for index, container in enumerate(containers):
        wanted = (container.get("resources") or {}).get("requests") or {}
        asked = sorted(resource for resource in wanted if resource in known)
        for number, resource in enumerate(asked):
            if count := int(quantity(wanted[resource])):
                name = f"container-{index}-request-{number}"
                yield name, container["name"], resource, count


def _body(pod: Pod, requests: list[JSON]) -> JSON:
    meta = {
        "name": f"{pod.name}-extended-resources",
        "generateName": f"{pod.name}-extended-resources-",
        "namespace": pod.namespace,
        "uid": f"{pod.uid}-extended-resources",
        "annotations": {ANNOTATION: "true"},
        "ownerReferences": owned_by(pod),
    }
    return {
        "apiVersion": STRUCTURED.claims.api_version,
        "kind": STRUCTURED.claims.kind,
        "metadata": meta,
        "spec": {"devices": {"requests": requests}},
    }


def _age(device_class: JSON) -> tuple[str, str]:
    """Order classes by age: of two for one resource the younger is taken."""
    meta = device_class["metadata"]
    return str(meta.get("creationTimestamp", "")), str(meta["name"])
