"""What the page is told of claims, pods, classes and nodes, as JSON. Pure.

Short, since a large cluster has many: what a field is not worth saying of is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

from allocation.inuse import DeviceID, device_id
from api.claims.versions import read_claim
from api.claims.view import consumers, results_of
from api.conditions import holds
from api.objects import JSON, is_deleting, key_of
from api.pods import Pod
from api.selectors import named_nodes
from explain.preparing import conditions
from explain.requested import class_names, of_class
from explain.stages import scheduler_says
from ui.caches import claims_named
from ui.cards import Card, Part, State
from ui.timeline import ENDED, Station, readiness

Device: TypeAlias = tuple[str, str, str]
"""Driver, pool and name."""

_UNHEALTHY: Final = "Unhealthy"


class ClaimState(StrEnum):
    """Where a claim is in its life."""

    PENDING = "pending"
    RESERVED = "reserved"
    IN_USE = "in use"
    LEFT = "left"
    DELETING = "deleting"
    RELEASED = "released"


def claim_state(claim: JSON, pods: Sequence[JSON]) -> ClaimState:
    """Return where a claim is in its life; LEFT has devices, and nobody uses or will use it.

    Args:
        claim: the ResourceClaim.
        pods: those that name it.
    """
    if is_deleting(claim):
        return ClaimState.DELETING
    if not (claim.get("status") or {}).get("allocation"):
        return ClaimState.PENDING
    if consumers(claim):
        return ClaimState.IN_USE
    alive = [each for each in pods if (each.get("status") or {}).get("phase") not in ENDED]
    return ClaimState.RESERVED if alive else ClaimState.LEFT


def claim_entry(
    claim: JSON,
    state: ClaimState,
    pods: Sequence[JSON],
    line: Sequence[Station],
    devices: Sequence[Device],
) -> JSON:
    """Return a claim.

    Args:
        claim: the ResourceClaim.
        state: of it.
        pods: those that name it.
        line: its stations.
        devices: driver, pool and name of each that it has.
    """
    allocation = read_claim(claim).allocation
    names = [pod_of(each) for each in consumers(claim)]
    return _short(
        state=state,
        classes=list(dict.fromkeys(name for _, name in class_names(claim))),
        devices=[list(each) for each in devices],
        nodes=list(named_nodes(allocation.nodes)) if allocation else [],
        pods=list(dict.fromkeys([*names, *map(key_of, pods)])),
        line=stations(line),
        notes=list(conditions(claim)),
    )


def stations(line: Sequence[Station]) -> list[list[str | int]]:
    """Return a claim's stations: name, time, and 1 if it is that of a look."""
    return [[each.name, each.at, *([1] if each.seen else [])] for each in line]


def pod_of(consumer: str) -> str:
    """Return `namespace/name` of a consumer such as `pod default/x`."""
    return consumer.partition(" ")[2]


def results(claim: JSON, request: str = "") -> list[Device]:
    """Return the devices that a claim names itself, for one request if it is given."""
    return [
        device_id(each)
        for each in results_of(claim)
        if request in ("", str(each.get("request")).partition("/")[0])
    ]


def pod_entry(pod: JSON) -> JSON:
    """Return a pod with claims."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    phase = str(status.get("phase", ""))
    return _short(
        phase=phase,
        node=spec.get("nodeName", ""),
        waits=waits(pod),
        why=scheduler_says(pod) or _container_says(pod),
        claims=claims_named(pod),
        at=pod["metadata"].get("creationTimestamp", ""),
        deleting=is_deleting(pod),
    )


def waits(pod: JSON) -> bool:
    """Tell whether a pod waits for a node, or for its devices there."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in (*ENDED, "Running") and not is_deleting(pod)


def _container_says(pod: JSON) -> str:
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting:
            return f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    return ""


def unhealthy(pod: JSON, claim: JSON) -> Iterator[DeviceID]:
    """Yield the devices of a claim of which a pod's kubelet says that they are not healthy."""
    own = {e.name for e in Pod(pod).claims if e.claim_name == claim["metadata"]["name"]}
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        for entry in container.get("allocatedResourcesStatus") or ():
            name, _, request = str(entry.get("name")).removeprefix("claim:").partition("/")
            given = results(claim, request) if name in own else []
            for each in entry.get("resources") or ():
                if each.get("health") == _UNHEALTHY:
                    yield from _meant(str(each.get("resourceID")), given)


def _meant(told: str, given: list[Device]) -> list[Device]:
    """Return which devices a kubelet means: it names them by the first CDI id, if they have one.

    Source: kubernetes pkg/kubelet/cm/dra/manager.go, UpdateAllocatedResourcesStatus.
    """
    exact = [each for each in given if "/".join(each) == told]
    ends = [e for e in given if re.search(rf"(?<![a-z0-9]){re.escape(e[2])}$", told)]
    return exact or (given if len(given) == 1 else ends)


def failing(claim: JSON) -> Iterator[DeviceID]:
    """Yield the devices of which a driver says that they are not ready."""
    for device, _ in readiness(claim, "False"):
        yield str(device.get("driver")), str(device.get("pool")), str(device.get("device"))


def class_entry(raw: JSON, *, structured: bool) -> JSON:
    """Return a class; one without selectors has every device of every driver, if structured."""
    expressions = of_class(raw) if structured else []
    spec = raw.get("spec") or {}
    return _short(
        selectors=expressions,
        any=structured and not expressions,
        driver=raw.get("driverName", ""),
        resource=spec.get("extendedResourceName", ""),
    )


def node_entry(node: JSON | None, pools: Sequence[JSON], notes: Sequence[str]) -> JSON:
    """Return a node, or another place that devices can be reached from.

    Args:
        node: the Node; None for another place, or if nodes may not be read.
        pools: what `pool_entry` has made.
        notes: what else is the matter.
    """
    spec = (node or {}).get("spec") or {}
    told = [*notes]
    if node is not None and not holds(node, "Ready"):
        told.append("the node is not Ready")
    if spec.get("unschedulable"):
        told.append("the node is cordoned")
    return _short(pools=pools, notes=told, taints=list(map(taint_text, spec.get("taints") or ())))


def pool_entry(driver: str, pool: str, problem: str, cards: Sequence[Card]) -> JSON:
    """Return a pool, or the part of it that is in one place."""
    return _short(driver=driver, pool=pool, problem=problem, cards=list(map(_card, cards)))


def taint_text(taint: JSON) -> str:
    """Return a taint as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def _card(card: Card) -> JSON:
    whole = len(card.parts) == 1 and card.parts[0] == Part(card.name, State.FREE)
    parts = [] if whole else [_part(each) for each in card.parts]
    return _short(n=card.name, k=card.devices if card.devices > 1 else 0, p=parts)


def _part(part: Part) -> JSON:
    found = _short(
        n=part.device,
        s=part.state if part.state is not State.FREE else "",
        x=round(part.start, 4),
        c=list(part.claims),
        i=int(part.ill),
    )
    return {**found, "w": round(part.size, 4)} if part.size != 1 else found


def _short(**fields: Any) -> JSON:
    return {name: value for name, value in fields.items() if value}


def text(entry: Mapping[str, Any]) -> str:
    """Return an entry as one line."""
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
