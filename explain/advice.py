"""What would help a pod on the node that lacks least."""

import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from allocation.verdicts import Outcome, Rule
from api.texts import counted, listed
from explain.diagnosis import DeviceRefusal, NodeVerdict, RequestVerdict

_SHOWN: Final = 4
_HINTS: Final = {
    Rule.TAINT: "add a toleration to the request, or take the taint away",
    Rule.CONSTRAINT: "relax the constraints of the claim",
    Rule.FEATURE: "turn the feature gate on",
    Rule.BINDING_CONDITIONS: "turn on the feature gate DRADeviceBindingConditions",
    Rule.NODE: "run the pod where the devices can be reached",
    Rule.SAME_CLAIM: "ask for fewer devices",
}
_INVALID: Final = {
    Rule.CLASS: "create the class, or name one that exists",
    Rule.SELECTOR_ERROR: "mend the selector: ask first for device.driver, and has(…) of a key",
    Rule.SELECTOR_SYNTAX: "write the selector as CEL that this version of Kubernetes compiles",
    Rule.POOL: "wait for the driver to publish all slices, or ask for a number of devices",
    Rule.FEATURE: "turn the feature gate on, or do without it",
    Rule.RESULTS: "ask for fewer devices in a claim",
    Rule.CONSTRAINT: "relax the constraint, or ask for a number of devices",
}


def nearest(nodes: tuple[NodeVerdict, ...]) -> NodeVerdict | None:
    """Return the node that lacks least, if there is any."""
    return min(nodes, key=lambda each: each.distance, default=None)


def advice(node: NodeVerdict, now: datetime) -> Iterator[str]:
    """Yield what would help; all of it together makes the pod fit, as far as it is seen here."""
    yield from (f"make {node.node} take the pod: {each}" for each in node.place)
    for claim in node.elsewhere:
        yield (
            f"{node.node} can't reach the devices of claim {claim}: delete what uses it, so that "
            "it is allocated anew"
        )
    if node.outcome is Outcome.INVALID:
        yield _INVALID.get(node.rule or Rule.REQUEST, "mend the claim")
    yield from (f"relax the constraint, or ask for less: {each}" for each in node.constraints)
    for each in node.pools:
        yield f"see to the driver that publishes it: {each}"
    if to_free := _enough(node):
        yield from (_free(each, now) for each in to_free)
        return
    if node.crowded:
        yield from _less(node)
        return
    if node.rule is Rule.TOGETHER:
        yield from _together(node, now)
    for request in node.short:
        yield from _request(request, now, node)


def _enough(node: NodeVerdict) -> list[DeviceRefusal]:
    """Return what has to be freed so that constraints are met, if that does it."""
    refused = {each.device: each for request in node.requests for each in request.obstacles}
    return _held(each for each in refused.values() if each.device in node.enough)


def _together(node: NodeVerdict, now: datetime) -> Iterator[str]:
    """Yield what helps requests that fit by themselves, and take devices from each other."""
    refused = {each.device: each for request in node.requests for each in request.obstacles}
    wanted = sum(each.wanted or each.selected for each in node.requests)
    relaxed = bool(node.constraints) and len(node.requests) == 1
    lack = max(not relaxed, wanted - max(each.fitting for each in node.requests))
    held = _held(refused.values())
    yield from (_free(each, now) for each in held[:lack])
    if len(held) < lack:
        for request in node.requests:
            yield from _hints(request, node)
        yield from _less(node)


def _less(node: NodeVerdict) -> Iterator[str]:
    """Yield what helps requests of which each takes too much for all of them."""
    greedy = [each for each in node.requests if each.wanted is None]
    for each in greedy:
        about = f"request {each.request} of claim {each.claim}"
        yield f"ask for a number of devices instead of all: {about}"
    if not node.constraints and not greedy:
        yield f"ask for less, or have more devices on {node.node}"


def _request(request: RequestVerdict, now: datetime, node: NodeVerdict) -> Iterator[str]:
    """Yield what gives a request the devices that it lacks."""
    obstacles = [each for each in request.obstacles if not _is_relaxed(each, node)]
    missing = request.missing - (len(request.obstacles) - len(obstacles))
    held = _held(obstacles)
    yield from (_free(each, now) for each in held[: max(0, missing)])
    if len(held) < missing:
        yield from _hints(request, node)
    if len(obstacles) < missing and not node.pools:
        yield f"have more devices on {node.node}, for request {request.request}"


def _is_relaxed(refusal: DeviceRefusal, node: NodeVerdict) -> bool:
    """Tell whether a device is not refused any more without the constraints that are named."""
    return bool(node.constraints) and refusal.rule is Rule.CONSTRAINT


def _held(refused: Iterable[DeviceRefusal]) -> list[DeviceRefusal]:
    """Return the devices that somebody holds, those first for which least has to be freed."""
    held = [each for each in refused if each.holders]
    return sorted(held, key=lambda each: (each.rule is not Rule.IN_USE, len(each.holders)))


def _hints(request: RequestVerdict, node: NodeVerdict) -> Iterator[str]:
    """Yield what helps devices that nobody holds."""
    about = f"for {request.claim} {request.request}: " if len(node.requests) > 1 else ""
    others = [e for e in request.obstacles if not (e.holders or _is_relaxed(e, node))]
    for rule in dict.fromkeys(each.rule for each in others):
        devices = [each for each in others if each.rule is rule]
        yield f"{about}{_hint(rule, request, devices[0].text)} ({counted(len(devices), 'device')})"


def _free(refusal: DeviceRefusal, now: datetime) -> str:
    told = listed([each.told(now) for each in refusal.holders], _SHOWN)
    device = refusal.device.partition("/")[2]
    if refusal.rule is Rule.IN_USE:
        return f"free {device}: held by {told}"
    return f"make room for {device}: {refusal.text}; the rest is held by {told}"


def _hint(rule: Rule, request: RequestVerdict, text: str) -> str:
    if rule is Rule.SELECTOR:
        expression = " && ".join(f"({each})" for each in request.selectors)
        if len(request.selectors) == 1:
            expression = request.selectors[0]
        command = f"fake-dra why-not --class {request.device_class} --selector"
        return f"change the selector; try: {command} {shlex.quote(expression)}"
    if rule is Rule.CLASS_SELECTOR:
        return f"choose another class; see fake-dra explain class {request.device_class}"
    return _HINTS.get(rule, text)
