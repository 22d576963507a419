"""Pods that ask for devices by an extended resource: kube-scheduler makes a claim for them.

Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources/extendeddynamicresources.go.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from api.objects import JSON
from api.pods import Pod
from api.quantities import quantity
from explain.seen import Seen

_GATE: Final = "DRAExtendedResource"
_IMPLICIT: Final = "deviceclass.resource.kubernetes.io/"


def extended_claim(pod: Pod, seen: Seen) -> JSON | None:
    """Return the claim that a pod has, or would get, for its extended resources.

    None if it asks for none that a class offers, or if nodes offer it by themselves.
    """
    made = (pod.raw.get("status") or {}).get("extendedResourceClaimStatus") or {}
    if name := made.get("resourceClaimName"):
        place = pod.namespace, name
        return next((each for each in seen.claims if _place(each) == place), None)
    requests = list(_requests(pod.raw["spec"], _classes(seen)))
    if not requests or _GATE not in seen.features.on:
        return None
    meta = {"name": f"{pod.name}-extended-resources", "namespace": pod.namespace}
    return {"metadata": meta, "spec": {"devices": {"requests": requests}}}


def _place(claim: JSON) -> tuple[str, str]:
    meta = claim["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _classes(seen: Seen) -> Mapping[str, str]:
    """Return classes by the extended resource that they offer, and no node does."""
    found = {f"{_IMPLICIT}{name}": name for name in seen.classes}
    for name, each in seen.classes.items():
        if resource := (each.get("spec") or {}).get("extendedResourceName"):
            found[resource] = name
    offered = {
        resource
        for node in seen.nodes
        for resource in (node.get("status") or {}).get("allocatable") or ()
    }
    return {resource: name for resource, name in found.items() if resource not in offered}


def _requests(spec: JSON, classes: Mapping[str, str]) -> Iterator[JSON]:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    for index, container in enumerate(containers):
        asked = (container.get("resources") or {}).get("requests") or {}
        found = [(name, amount) for name, amount in sorted(asked.items()) if name in classes]
        for number, (name, amount) in enumerate(found):
            body = {
                "deviceClassName": classes[name],
                "allocationMode": "ExactCount",
                "count": int(quantity(amount)),
            }
            yield {"name": f"container-{index}-request-{number}", "exactly": body}
