"""What would help a pod on the node that lacks least."""

from collections.abc import Iterator
from datetime import datetime

from allocation.verdicts import Outcome, Rule
from api.texts import counted, listed
from explain.diagnosis import DeviceRefusal, NodeVerdict, RequestVerdict

_SHOWN = 4
_HINTS = {
    Rule.CLASS_SELECTOR: "choose a class that selects devices there, or change its selectors",
    Rule.SELECTOR: "change the selector of the request; try one with `fake-dra why-not`",
    Rule.TAINT: "add a toleration to the request, or take the taint away",
    Rule.CONSTRAINT: "relax the constraints of the claim",
    Rule.FEATURE: "turn the feature gate on",
    Rule.BINDING_CONDITIONS: "turn on the feature gate DRADeviceBindingConditions",
    Rule.NODE: "run the pod where the devices can be reached",
    Rule.SAME_CLAIM: "ask for fewer devices",
}


def nearest(nodes: tuple[NodeVerdict, ...]) -> NodeVerdict | None:
    """Return the node that lacks least, if there is any."""
    return min(nodes, key=lambda each: each.distance, default=None)


def advice(node: NodeVerdict, now: datetime) -> Iterator[str]:
    """Yield what would help; all of it together makes the pod fit, as far as it is seen here."""
    yield from (f"on {node.node}: {each}" for each in node.place)
    for claim in node.elsewhere:
        yield (
            f"claim {claim} has devices that {node.node} can't reach: delete the pods that use it, "
            "so that it is allocated anew"
        )
    if node.outcome is Outcome.INVALID:
        yield _invalid(node)
    if node.rule is Rule.TOGETHER:
        yield "ask for less: each request fits by itself, but they take devices from each other"
    for each in node.pools:
        yield f"see to the driver that publishes it: {each}"
    for request in node.requests:
        if request.missing:
            yield from _request(request, now)


def _invalid(node: NodeVerdict) -> str:
    hints = {
        Rule.CLASS: "create the class, or name one that exists",
        Rule.SELECTOR_ERROR: "mend the selector; ask for device.driver first, and has(…) before",
        Rule.POOL: "wait for the driver to publish all slices, or ask for a number of devices",
        Rule.FEATURE: "turn the feature gate on, or do without it",
        Rule.RESULTS: "ask for fewer devices in a claim",
    }
    return hints.get(node.rule or Rule.REQUEST, "mend the claim")


def _request(request: RequestVerdict, now: datetime) -> Iterator[str]:
    """Yield what gives a request the devices that it lacks."""
    held = [each for each in request.refused if each.holders]
    others = [each for each in request.refused if not each.holders]
    for each in sorted(held, key=lambda found: len(found.holders))[: request.missing]:
        yield f"free {each.device.partition('/')[2]}: {_whom(each, now)}"
    if len(held) >= request.missing:
        return
    for rule in dict.fromkeys(each.rule for each in others):
        devices = [each for each in others if each.rule is rule]
        yield f"{_HINTS.get(rule, devices[0].text)} ({counted(len(devices), 'device')})"
    if not request.refused:
        yield f"no devices are there for request {request.request}: see that a driver runs there"


def _whom(refusal: DeviceRefusal, now: datetime) -> str:
    told = listed([each.told(now) for each in refusal.holders], _SHOWN)
    if refusal.rule is Rule.IN_USE:
        return f"held by {told}"
    return f"{refusal.text}; the rest is held by {told}"
