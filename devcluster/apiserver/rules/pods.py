"""Rules of pods: defaults, first status, what an update may change, how long a deletion takes.

Source: kubernetes pkg/apis/core/v1/defaults.go, pkg/registry/core/pod/strategy.go,
plugin/pkg/admission/defaulttolerationseconds.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Final

from api.conditions import condition
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.rules.podspec import spec_errors
from devcluster.apiserver.strategy import Strategy

_GRACE_SECONDS: Final = 30
_TAINT_SECONDS: Final = 300
_SPEC: Final = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": _GRACE_SECONDS,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_ADMITTED: Final = {
    "enableServiceLinks": True,
    "priority": 0,
    "preemptionPolicy": "PreemptLowerPriority",
    "serviceAccountName": "default",
}
_CONTAINER: Final = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_QOS_RESOURCES: Final = ("cpu", "memory")
_LISTS: Final = ("containers", "initContainers")
_IMMUTABLE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def default_pod(pod: JSON) -> None:
    """Fill in what the client left out."""
    spec = pod.setdefault("spec", {})
    default_template_spec(spec)
    spec.update({**copy.deepcopy(_ADMITTED), **spec})
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in _containers(spec):
        _default_requests(container["resources"])
    _tolerate_bad_nodes(spec)


def default_template_spec(spec: JSON) -> None:
    """Fill in what is filled in already in the spec of a template for pods."""
    spec.update({**copy.deepcopy(_SPEC), **spec})
    for container in _containers(spec):
        container.update({**copy.deepcopy(_CONTAINER), **container})
        container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image", ""))))


def first_status(pod: JSON) -> None:
    """Set the status that a new pod has."""
    pod["status"] = {"phase": "Pending", "qosClass": qos_class(pod["spec"])}
    if pod["spec"].get("schedulingGates"):
        text = "Scheduling is blocked due to non-empty scheduling gates"
        gated = condition("PodScheduled", "False", "SchedulingGated", text)
        pod["status"]["conditions"] = [gated]


def qos_class(spec: JSON) -> str:
    """Return the quality of service that requests and limits of cpu and memory make.

    Source: kubernetes pkg/apis/core/v1/helper/qos.
    """
    resources = [container.get("resources") or {} for container in _containers(spec)]
    if not any(_counts(each) for each in resources):
        return "BestEffort"
    return "Guaranteed" if all(map(_is_guaranteed, resources)) else "Burstable"


def pod_grace(pod: JSON, asked: int | None) -> int:
    """Return how long a pod may take to end: no time at all if nothing runs that could."""
    if not pod["spec"].get("nodeName"):
        return 0
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    own = pod["spec"].get("terminationGracePeriodSeconds", _GRACE_SECONDS)
    seconds = int(own if asked is None else asked)
    return seconds if seconds >= 0 else 1


def _check_update(new: JSON, old: JSON) -> Iterator[FieldError]:
    if _frozen_part(new["spec"], old["spec"]) != _frozen_part(old["spec"], old["spec"]):
        yield fielderrors.not_allowed("spec", _IMMUTABLE)
    had = _gates(old)
    for name in _gates(new):
        if name not in had:
            text = f"only deletion is allowed, but found new scheduling gate '{name}'"
            yield fielderrors.not_allowed("spec.schedulingGates", text)
    wanted = new["spec"].get("tolerations") or []
    if any(each not in wanted for each in old["spec"].get("tolerations") or []):
        text = "existing toleration can not be modified except its tolerationSeconds"
        yield fielderrors.not_allowed("spec.tolerations", text)


def _frozen_part(spec: JSON, old: JSON) -> JSON:
    """Return the spec without the parts that may change."""
    free = {"activeDeadlineSeconds", "schedulingGates", "tolerations"}
    if old.get("terminationGracePeriodSeconds", 0) < 0:
        free.add("terminationGracePeriodSeconds")
    frozen = {key: value for key, value in spec.items() if key not in free}
    for part in _LISTS:
        if part in frozen:
            frozen[part] = [_without_image(container) for container in frozen[part]]
    return frozen


def _gates(pod: JSON) -> list[str]:
    return [each["name"] for each in pod["spec"].get("schedulingGates") or []]


def _without_image(container: JSON) -> JSON:
    return {key: value for key, value in container.items() if key != "image"}


def _containers(spec: JSON) -> Iterable[JSON]:
    for part in _LISTS:
        yield from spec.get(part) or []


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    pinned = "@" in name or (":" in name and not name.endswith(":latest"))
    return "IfNotPresent" if pinned else "Always"


def _default_requests(resources: JSON) -> None:
    for name, quantity in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, quantity)


def _counts(resources: JSON) -> bool:
    given = {*(resources.get("requests") or {}), *(resources.get("limits") or {})}
    return not given.isdisjoint(_QOS_RESOURCES)


def _is_guaranteed(resources: JSON) -> bool:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(limits.get(name) and limits[name] == requests.get(name) for name in _QOS_RESOURCES)


def _tolerate_bad_nodes(spec: JSON) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for taint in _TAINTS:
        if not any(each.get("key") in (taint, None, "") for each in tolerations):
            tolerations.append(
                {
                    "key": taint,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _TAINT_SECONDS,
                }
            )


PODS: Final = Strategy(
    default=default_pod,
    prepare_create=first_status,
    check_create=lambda pod: list(spec_errors(pod["spec"])),
    check_update=lambda new, old: list(_check_update(new, old)),
    grace=pod_grace,
    returns_deleted=True,
)
