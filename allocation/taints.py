"""Taints of devices, those of DeviceTaintRules among them, and who tolerates them.

Source: k8s.io/dynamic-resource-allocation resourceclaim/devicetoleration.go and, for the rules,
resourceslice/tracker of the scheduler.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from api.objects import JSON

_EVICTING: Final = "NoExecute"
_PREVENTING: Final = frozenset({"NoSchedule", _EVICTING})


def prevents(taints: Iterable[JSON], tolerations: Sequence[JSON]) -> JSON | None:
    """Return the first taint that keeps a request from a device, None if there is none."""
    for taint in taints:
        if taint.get("effect") in _PREVENTING and not is_tolerated(taint, tolerations):
            return taint
    return None


def is_tolerated(taint: JSON, tolerations: Iterable[JSON]) -> bool:
    """Tell whether one of the tolerations matches a taint.

    A toleration without a key matches every key, whatever its operator is: the API's description
    asks for `Exists` then, but nobody checks it.
    """
    return any(_matches(each, taint) for each in tolerations)


def evicts(taints: Iterable[JSON], tolerations: Iterable[JSON]) -> JSON | None:
    """Return the first taint for which Kubernetes evicts the pod of a device, None if it stays.

    Unlike the scheduler, the controller that does so heeds no toleration without effect.
    Source: kubernetes pkg/controller/devicetainteviction, 1.33 to 1.37.
    """
    heeded = [each for each in tolerations if each.get("effect") == _EVICTING]
    for taint in taints:
        if taint.get("effect") == _EVICTING and not is_tolerated(taint, heeded):
            return taint
    return None


def taint_text(taint: JSON) -> str:
    """Return a taint as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"taint {taint['key']}{value}:{taint['effect']}"


def with_rules(slices: Iterable[JSON], rules: Sequence[JSON]) -> Sequence[JSON]:
    """Return slices with the taints of DeviceTaintRules on the devices that these select."""
    selecting = [rule["spec"] for rule in rules if rule["spec"].get("deviceSelector") is not None]
    return [_tainted(each, selecting) for each in slices] if selecting else list(slices)


def _matches(toleration: JSON, taint: JSON) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Equal":
        return bool(toleration.get("value", "") == taint.get("value", ""))
    return bool(operator == "Exists")


def _tainted(resource_slice: JSON, rules: Sequence[JSON]) -> JSON:
    spec = resource_slice["spec"]
    here = [rule for rule in rules if _is_of(rule["deviceSelector"], spec)]
    if not here:
        return resource_slice
    devices = [_with_taints(device, here) for device in spec.get("devices") or ()]
    return {**resource_slice, "spec": {**spec, "devices": devices}} if devices else resource_slice


def _is_of(selector: JSON, spec: JSON) -> bool:
    names = {"driver": spec["driver"], "pool": spec["pool"]["name"]}
    return all(selector.get(key) in (None, name) for key, name in names.items())


def _with_taints(device: JSON, rules: Iterable[JSON]) -> JSON:
    added = [
        rule["taint"]
        for rule in rules
        if rule["deviceSelector"].get("device") in (None, device["name"])
    ]
    return {**device, "taints": [*(device.get("taints") or ()), *added]} if added else device
