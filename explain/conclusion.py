"""What the verdicts of all nodes come to."""

from collections.abc import Iterator, Sequence

from allocation.verdicts import Outcome
from api.texts import counted
from explain.diagnosis import Cause, NodeVerdict
from explain.seen import Seen


def conclusion(
    nodes: Sequence[NodeVerdict], seen: Seen, decide: Sequence[str]
) -> tuple[Cause, bool | None, str]:
    """Return the cause, whether the pod fits, and that in a sentence.

    Args:
        nodes: their verdicts.
        seen: what these are made of.
        decide: plurals of what matters, beside nodes and pods, if it could not be read.
    """
    cause, fits, summary = _seen(nodes)
    hidden = [plural for plural in ("nodes", "pods", *decide) if seen.lacks(plural)]
    if not hidden:
        return cause, fits, summary
    told = f"as far as it can be seen, {summary}; {', '.join(hidden)} can't be read"
    return (Cause.UNKNOWN, None, told) if fits or not nodes else (cause, fits, told)


def _seen(nodes: Sequence[NodeVerdict]) -> tuple[Cause, bool | None, str]:
    if not nodes:
        return Cause.NO_NODES, False, "the cluster shows no nodes"
    reachable = [each for each in nodes if not each.place]
    invalid = next((each for each in reachable if each.outcome is Outcome.INVALID), None)
    if invalid is not None:
        return Cause.INVALID, False, f"kube-scheduler gives up on all nodes: {invalid.message}"
    if fitting := [each for each in nodes if each.fits]:
        what = f"{counted(len(fitting), 'node')}: {fitting[0].node}"
        return Cause.FITS, True, f"it fits now on {what}{', …' if len(fitting) > 1 else ''}"
    unknown = next((each for each in nodes if each.fits is None), None)
    if unknown is not None:
        return Cause.UNKNOWN, None, f"it can't be told here: {unknown.message}"
    return _refused(nodes, reachable)


def _refused(
    nodes: Sequence[NodeVerdict], reachable: Sequence[NodeVerdict]
) -> tuple[Cause, bool, str]:
    if not reachable:
        return Cause.NODES, False, "no node takes the pod, whatever its devices"
    having = [each for each in nodes if each.outcome is None and not each.elsewhere]
    if all(each.elsewhere for each in reachable):
        claims = ", ".join(dict.fromkeys(name for each in reachable for name in each.elsewhere))
        text = f"claim {claims} is allocated, but its devices are on none of the nodes for the pod"
        return Cause.ELSEWHERE, False, text
    if having:
        text = f"{having[0].node} has the devices, but does not take the pod: {having[0].place[0]}"
        return Cause.NODES, False, text
    return Cause.DEVICES, False, "no node has the devices that its claims ask for"


def oddities(nodes: Sequence[NodeVerdict]) -> Iterator[str]:
    """Yield where Kubernetes refuses what one would expect to fit."""
    found = [each.oddity for each in nodes]
    found += [device.oddity for n in nodes for r in n.requests for device in r.refused]
    yield from (f"note: {each}" for each in dict.fromkeys(filter(None, found)))
