"""What is written as the allocation of a claim: results, configuration, and for which nodes.

The configuration is as of 1.37: an entry for all requests names none.
Source: k8s.io/dynamic-resource-allocation structured/internal/incubating/allocator_incubating.go.
"""

from collections.abc import Callable, Iterable, Sequence

from allocation.capacity import texts
from allocation.gates import Gates
from allocation.requests import Claim, Request
from allocation.state import Pick
from api.objects import JSON
from api.selectors import only_node


def allocation(
    claim: Claim,
    picks: Sequence[Pick],
    chosen: Sequence[Request],
    node: str,
    gates: Gates,
    share_id: Callable[[], str],
) -> JSON:
    """Return the allocation of a claim.

    Args:
        claim: whose it is.
        picks: its devices.
        chosen: the alternative of each request.
        node: that was searched for.
        gates: of the scheduler.
        share_id: makes the identity of a share.

    Raises:
        ValueError: a slice selects nodes in a way that can't be dealt with.
    """
    devices: JSON = {"results": [_result(each, gates, share_id) for each in picks]}
    if config := _config(claim.raw["spec"]["devices"], chosen):
        devices["config"] = config
    found: JSON = {"devices": devices}
    if (selector := _node_selector(picks, node)) is not None:
        found["nodeSelector"] = selector
    return found


def _result(pick: Pick, gates: Gates, share_id: Callable[[], str]) -> JSON:
    driver, pool, name = pick.candidate.id
    device, request = pick.candidate.device, pick.request
    found: JSON = {"request": request.name, "driver": driver, "pool": pool, "device": name}
    if request.admin:
        found["adminAccess"] = True
    if request.tolerations:
        found["tolerations"] = list(request.tolerations)
    if gates.binding_conditions:
        for field in ("bindingConditions", "bindingFailureConditions"):
            if device.get(field):
                found[field] = list(device[field])
    if pick.share is not None:
        found["shareID"] = share_id()
        if pick.share:
            fractional = gates.fractional_capacity_range
            found["consumedCapacity"] = texts(
                device, request.amounts, request.texts, fractional=fractional
            )
    return found


def _config(devices: JSON, chosen: Sequence[Request]) -> list[JSON]:
    of_classes = _of_classes(chosen)
    of_claim = [
        {"source": "FromClaim", **each}
        for each in devices.get("config") or ()
        if not each.get("requests") or any(_is_named(each, request) for request in chosen)
    ]
    return [_for_all(each, chosen) for each in (*of_classes, *of_claim)]


def _of_classes(chosen: Iterable[Request]) -> list[JSON]:
    """Return the configuration of each class once, in the order of their first use."""
    names: dict[str, list[str]] = {}
    classes: dict[str, JSON] = {}
    for request in chosen:
        name = request.class_["metadata"]["name"]
        classes[name] = request.class_
        names.setdefault(name, []).append(request.name)
    return [
        {"source": "FromClass", "requests": names[name], **config}
        for name, found in classes.items()
        for config in found["spec"].get("config") or ()
    ]


def _for_all(config: JSON, chosen: Iterable[Request]) -> JSON:
    if all(_is_named(config, request) for request in chosen):
        return {key: value for key, value in config.items() if key != "requests"}
    return config


def _is_named(config: JSON, request: Request) -> bool:
    return bool({request.base, request.name} & set(config.get("requests") or ()))


def _node_selector(picks: Iterable[Pick], node: str) -> JSON | None:
    """Return the selector of the nodes that can reach all devices, None for every node."""
    term: JSON = {}
    for pick in picks:
        placed = pick.candidate.placed
        holder = placed.device if placed.spec.get("perDeviceNodeSelection") else placed.spec
        if holder.get("nodeName") is not None or placed.device.get("bindsToNode"):
            return only_node(node)
        terms = (holder.get("nodeSelector") or {}).get("nodeSelectorTerms") or []
        if len(terms) > 1:
            raise ValueError(f"unsupported ResourceSlice.NodeSelector with {len(terms)} terms")
        for each in terms:
            _merge(term, each)
    return {"nodeSelectorTerms": [term]} if term else None


def _merge(term: JSON, added: JSON) -> None:
    for field in ("matchFields", "matchExpressions"):
        for requirement in added.get(field) or ():
            known = term.setdefault(field, [])
            if not any(_is_same(each, requirement) for each in known):
                known.append(requirement)


def _is_same(one: JSON, other: JSON) -> bool:
    return (one["key"], one["operator"]) == (other["key"], other["operator"]) and set(
        one.get("values") or ()
    ) == set(other.get("values") or ())
