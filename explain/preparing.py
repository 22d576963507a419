"""What keeps a pod that has its node: claims, plugins, and what its kubelet says."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from allocation.requests import claim_name
from api.claims.view import results_of
from api.conditions import holds
from api.objects import JSON
from api.pods import Pod
from explain.diagnosis import Cause, Diagnosis
from explain.podclaims import is_reserved
from explain.seen import Seen

_FAILED: Final = "FailedPrepareDynamicResources"
_UNREGISTERED: Final = re.compile("not registered|not found in the list of registered")


def on_its_node(pod: Pod, claims: Sequence[JSON], seen: Seen) -> Diagnosis:
    """Explain a pod that has a node."""
    subject = f"pod {pod.namespace}/{pod.name}"
    node = pod.raw["spec"]["nodeName"]
    if holds(pod.raw, "Ready") or (pod.raw.get("status") or {}).get("phase") == "Running":
        return Diagnosis(subject, Cause.RUNS, True, f"it runs on {node}")
    for claim in claims:
        name = claim_name(claim)
        if not (claim.get("status") or {}).get("allocation"):
            text = f"it was put on {node}, but claim {name} is not allocated"
            helps = ("let kube-scheduler choose the node: leave spec.nodeName empty",)
            return Diagnosis(subject, Cause.NOT_ALLOCATED, False, text, helps=helps)
        if not is_reserved(claim, pod):
            text = f"it was put on {node}, but claim {name} is not reserved for it"
            helps = ("wait for kube-controller-manager, which reserves claims of such pods",)
            return Diagnosis(subject, Cause.NOT_RESERVED, False, text, helps=helps)
    told = (*_gone(claims, node, seen), *(e for claim in claims for e in conditions(claim)))
    if (event := _last_failure(seen.events)) is not None:
        return _failed(subject, node, event, told)
    if seen.lacks("events"):
        text = f"it is on {node} with all its devices; what its kubelet says is not visible"
        return Diagnosis(subject, Cause.NOT_VISIBLE, None, text, told)
    text = f"it is on {node} with all its devices, and nothing failed there so far"
    return Diagnosis(subject, Cause.NOT_VISIBLE, True, text, (*told, *_containers(pod)))


def _gone(claims: Sequence[JSON], node: str, seen: Seen) -> Iterator[str]:
    """Yield the drivers of claims that publish nothing for a node, as without their plugin."""
    if seen.lacks("resourceslices"):
        return
    results = [each for claim in claims for each in results_of(claim)]
    publishing = {(s["spec"]["driver"], s["spec"]["pool"]["name"]) for s in seen.slices}
    for driver in dict.fromkeys(
        each["driver"] for each in results if (each["driver"], each["pool"]) not in publishing
    ):
        yield (
            f"driver {driver} publishes the devices no more: its plugin may not run on {node}, or "
            "the kubelet has just started"
        )


def _failed(subject: str, node: str, event: JSON, told: tuple[str, ...]) -> Diagnosis:
    message = str(event.get("message", ""))
    if _UNREGISTERED.search(message):
        text = f"no plugin of the driver is registered with the kubelet of {node}"
        helps = (f"see that the driver's plugin runs on {node}, and what its log says",)
        return Diagnosis(subject, Cause.NO_PLUGIN, False, text, told, message, helps=helps)
    text = f"preparing its devices fails on {node}"
    again = "the kubelet tries again after 60 to 90 seconds"
    helps = (f"look at the log of the driver's plugin on {node}; {again}",)
    return Diagnosis(subject, Cause.PREPARE_FAILED, False, text, told, message, helps=helps)


def _last_failure(events: Sequence[JSON]) -> JSON | None:
    found = [each for each in events if each.get("reason") == _FAILED]
    return max(found, key=_time, default=None)


def _time(event: JSON) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""
    )


def conditions(claim: JSON) -> Iterator[str]:
    """Yield the conditions that drivers give for devices, as far as they are not true."""
    for device in (claim.get("status") or {}).get("devices") or ():
        for each in device.get("conditions") or ():
            if each.get("status") != "True":
                name = f"{device.get('driver')}/{device.get('pool')}/{device.get('device')}"
                yield (
                    f"claim {claim_name(claim)}, device {name}: {each.get('type')} is "
                    f"{each.get('status')}: {each.get('message') or each.get('reason')}"
                )


def _containers(pod: Pod) -> Iterator[str]:
    for each in (pod.raw.get("status") or {}).get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting:
            reason = waiting.get("reason", "")
            yield f"container {each['name']} waits: {reason} {waiting.get('message', '')}".rstrip()
