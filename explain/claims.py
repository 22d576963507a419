"""Where a claim is in its life, and what keeps it from devices."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from allocation.selectors import Selectors
from api.claims.view import allocation_of, consumers, results_of
from api.humantime import age
from api.objects import JSON, key_of
from api.pods import Pod
from api.texts import listed
from explain.advice import advice, nearest
from explain.conclusion import oddities
from explain.diagnosis import Cause, Diagnosis
from explain.nodeverdict import Wanted
from explain.pods import ground, node_of
from explain.preparing import conditions
from explain.seen import Seen

_SHOWN: Final = 3


def explain_claim(
    raw: JSON,
    pods: Sequence[JSON],
    seen: Seen,
    waits: Callable[[JSON], Diagnosis],
    alone: Callable[[JSON], Diagnosis],
) -> Diagnosis:
    """Say what a claim has, or why it has nothing.

    Args:
        raw: the ResourceClaim.
        pods: those of its namespace, whole.
        seen: the cluster.
        waits: explains a pod.
        alone: explains a claim that no pod waits for.
    """
    using = [each for each in pods if _uses(each, raw)]
    found = _explained(raw, using, waits, alone)
    return replace(
        found,
        subject=f"claim {key_of(raw)}",
        facts=(*_life(raw, using, seen), *found.facts),
        gates=seen.features.source,
        unread=seen.unread,
    )


def _explained(
    raw: JSON,
    using: Sequence[JSON],
    waits: Callable[[JSON], Diagnosis],
    alone: Callable[[JSON], Diagnosis],
) -> Diagnosis:
    if (raw.get("status") or {}).get("allocation"):
        if consumers(raw):
            return Diagnosis("", Cause.ALLOCATED, True, "it is allocated and in use")
        if using:
            text = "it is allocated, but not reserved for a pod yet"
            return Diagnosis("", Cause.NOT_RESERVED, True, text)
        text = "it is allocated, but nobody uses it: a claim that keeps devices from others"
        helps = ("delete the claim, if no pod is to come that uses it",)
        return Diagnosis("", Cause.LEFT, True, text, helps=helps)
    waiting = [each for each in using if not each["spec"].get("nodeName")]
    if not waiting:
        return alone(raw)
    found = waits(waiting[0])
    return replace(found, summary=f"pod {key_of(waiting[0])} waits: {found.summary}")


def alone(raw: JSON, seen: Seen, selectors: Selectors) -> Diagnosis:
    """Explain a claim that no pod waits for."""
    judged, wanted = ground(seen, selectors), Wanted((), (raw,))
    nodes = tuple(judged.verdict(node_of(each), wanted, ()) for each in seen.nodes)
    fits = any(each.fits for each in nodes)
    near = None if fits else nearest(nodes)
    helps = tuple(dict.fromkeys(advice(near, seen.now))) if near else ()
    could = "there are devices for it" if fits else "no node has the devices that it asks for"
    text = f"it is not allocated: no pod waits for it, which is when it would be; {could}"
    facts = tuple(oddities(nodes))
    return Diagnosis("", Cause.UNUSED, fits, text, facts, "", nodes, near, helps)


def _uses(pod: JSON, claim: JSON) -> bool:
    names = {each.claim_name for each in Pod(pod).claims}
    return claim["metadata"]["name"] in names


def _life(claim: JSON, using: Sequence[JSON], seen: Seen) -> Iterator[str]:
    """Yield the stations of its life so far."""
    meta = claim["metadata"]
    references = meta.get("ownerReferences") or ()
    owners = [f"{each['kind'].lower()} {each['name']}" for each in references]
    of = f", by {', '.join(owners)}" if owners else ""
    yield f"created {age(meta.get('creationTimestamp'), seen.now)} ago{of}"
    if meta.get("deletionTimestamp"):
        yield f"being deleted for {age(meta['deletionTimestamp'], seen.now)}"
    if results := results_of(claim):
        at = (allocation_of(claim) or {}).get("allocationTimestamp")
        when = f" {age(at, seen.now)} ago" if at else ""
        names = [f"{each['driver']}/{each['pool']}/{each['device']}" for each in results]
        yield f"allocated{when}: {', '.join(names)}"
    if reserved := consumers(claim):
        yield f"reserved for {listed(reserved, _SHOWN)}"
    elif using:
        yield f"named by {listed([f'pod {key_of(each)}' for each in using], _SHOWN)}"
    yield from conditions(claim)
