"""The rules of the kubelet's DRA manager: which claims to prepare, whom to call, what to accept.

Pure; claims.py makes the calls.
Source: kubernetes pkg/kubelet/cm/dra/manager.go v1.27 to v1.37.
"""

from collections.abc import Iterator, Mapping, Sequence

from api.claims.view import ClaimView
from api.objects import JSON
from api.pods import Pod, PodClaim
from devcluster.extendedresources import recorded
from devcluster.kubelet.checkpoint import ClaimInfo, Handle
from devcluster.kubelet.devicehealth import DeviceHealth
from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.draclient import Answer, CdiDevice, ClaimRequest
from devcluster.kubelet.errors import PrepareFailed
from devcluster.podclaims import is_reserved_for, refusal

_ANNOTATION_NAME_LENGTH = 63


def containers_of(pod: Pod) -> Iterator[JSON]:
    """Yield the init containers, then the containers of a pod."""
    spec = pod.raw.get("spec") or {}
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def claims_to_prepare(pod: Pod, dialect: Dialect) -> list[PodClaim]:
    """Return the entries of a pod that drivers are called for.

    Entries without a claim on purpose are left out; up to 1.30 also those no container uses.
    """
    used = {
        use["name"]
        for container in containers_of(pod)
        for use in (container.get("resources") or {}).get("claims") or []
    }
    extended = recorded(pod)
    return [
        *(
            entry
            for entry in pod.claims
            if not entry.omitted and (dialect.prepares_unused or entry.name in used)
        ),
        *([extended] if extended else []),
    ]


def check_claim(pod: Pod, entry: PodClaim, claim: ClaimView) -> None:
    """Make sure that a pod may use a claim now.

    Raises:
        PrepareFailed: not the pod's own, not reserved for it, or not allocated.
    """
    reason = refusal(pod, entry, claim)
    if reason is not None:
        raise PrepareFailed(reason)
    if not is_reserved_for(pod, claim):
        raise PrepareFailed(
            f"pod {pod.name}({pod.uid}) is not allowed to use resource claim "
            f"{claim.name}({claim.uid})"
        )
    if claim.allocation is None:
        raise PrepareFailed(f"resource claim {claim.key} is not allocated")


def handles_of(claim: ClaimView) -> tuple[Handle, ...]:
    """Return the drivers to call for an allocated claim, and their data.

    An allocation of 1.31 names drivers in its results, one before that in its resource handles;
    without either it is the allocating driver that is called, with empty data.
    """
    allocation = claim.allocation
    if allocation is None:
        return (Handle(""),)
    if "devices" in allocation.raw:
        return tuple(
            Handle(name) for name in dict.fromkeys(e["driver"] for e in allocation.entries)
        )
    allocating = next(iter(allocation.drivers), "")
    handles = allocation.raw.get("resourceHandles") or [{}]
    return tuple(
        Handle(str(h.get("driverName") or allocating), str(h.get("data") or "")) for h in handles
    )


def check_annotation(dialect: Dialect, driver: str, held: ClaimInfo) -> None:
    """Make sure that the claim's CDI ids fit into an annotation, as kubelets to 1.30 need.

    Raises:
        PrepareFailed: the driver's name is too long for the annotation's key.
    """
    name = f"{driver}_{held.uid}"
    if dialect.annotates and len(name) > _ANNOTATION_NAME_LENGTH:
        raise PrepareFailed(
            f"failed to generate CDI annotation key for driver {driver}: {name!r} is longer than "
            f"{_ANNOTATION_NAME_LENGTH} characters; use a driver name of at most 26"
        )


def requests_for(held: Sequence[ClaimInfo]) -> dict[str, list[ClaimRequest]]:
    """Return one batch of requests per driver, with one request per resource handle."""
    batches: dict[str, list[ClaimRequest]] = {}
    for claim in held:
        for handle in claim.handles:
            request = ClaimRequest(claim.namespace, claim.uid, claim.name, handle.data)
            batches.setdefault(handle.driver, []).append(request)
    return batches


def complaint(
    method: str, requests: Sequence[ClaimRequest], answers: Mapping[str, Answer]
) -> str | None:
    """Tell what is wrong with a driver's answer to a batch, None when it is complete and good.

    Args:
        method: for the text, e.g. `NodePrepareResources`.
        requests: what was asked.
        answers: by claim uid.
    """
    asked = {request.uid: request for request in requests}
    for uid, answer in answers.items():
        if uid not in asked:
            return f"{method} returned result for unknown claim UID {uid}"
        if answer.error:
            claim = asked[uid]
            return f"{method} failed for claim {claim.namespace}/{claim.name}: {answer.error}"
    missing = len(requests) - len(answers)
    return f"{method} left out {missing} claims" if missing else None


def devices_for(
    container: JSON, held: Mapping[str, ClaimInfo], extended: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the CDI ids of a container, in the order of its claims, each once.

    Args:
        container: of the pod's spec.
        held: the pod's prepared claims by their names within the pod.
        extended: requests of the claim without a name, for extended resources.
    """
    ids: dict[str, None] = {}
    uses = [*((container.get("resources") or {}).get("claims") or [])]
    for use in [*uses, *({"name": "", "request": request} for request in extended)]:
        claim = held.get(use["name"])
        for devices in claim.devices.values() if claim else ():
            ids.update((d.id, None) for d in devices if d.id and _serves(d, use.get("request")))
    return tuple(ids)


def resources_of(
    container: JSON, held: Mapping[str, ClaimInfo], health: DeviceHealth
) -> list[JSON]:
    """Return what the status of a container shows of its devices.

    Args:
        container: of the pod's spec.
        held: the pod's prepared claims by their names within the pod.
        health: of the devices of this node.
    """
    found = []
    for use in (container.get("resources") or {}).get("claims") or []:
        request = use.get("request")
        shown: dict[str, JSON] = {}
        for each in _shown(held[use["name"]], request, health) if use["name"] in held else ():
            shown.setdefault(each["resourceID"], each)
        if shown:
            name = f"claim:{use['name']}/{request}" if request else f"claim:{use['name']}"
            found.append({"name": name, "resources": [*shown.values()]})
    return found


def _shown(claim: ClaimInfo, request: str | None, health: DeviceHealth) -> Iterator[JSON]:
    for driver, devices in claim.devices.items():
        for each in devices:
            if each.device and _serves(each, request):
                name = each.id or f"{driver}/{each.pool}/{each.device}"
                told = health.of(driver, each.pool, each.device)
                yield {"resourceID": name, **told.as_json()}


def _serves(device: CdiDevice, request: str | None) -> bool:
    """Tell whether a device is for a request; names are compared as they are, without parts."""
    return not request or not device.requests or request in device.requests
