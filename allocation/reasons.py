"""Why claims can't be allocated on a node: what refuses each device, and what that leaves.

Each request is looked at by itself, with nothing taken for the others; what would fit then is
refused by what the requests take from each other.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from allocation.problem import Problem
from allocation.published import Candidate, View
from allocation.requests import Ended, Request
from allocation.state import State, Why
from allocation.verdicts import Outcome, Refusal, Rule
from api.texts import counted

_TEXTS = {
    Rule.BINDING_CONDITIONS: "it has binding conditions, but the feature is disabled",
    Rule.CLASS_SELECTOR: "the class does not select it",
    Rule.SELECTOR: "the request does not select it",
    Rule.NODE: "the node can't reach it",
}
_INCOMPLETE = "a pool is not allocated from while slices are missing or there are too many of them"
_OVERBOOKED = "one counter of which too much is allocated blocks all devices of its pool"
_SPELLING = "capacity is found by the name that was published only, unlike in selectors"
_ADMIN = {
    Rule.COUNTERS: "admin access needs free counters and free capacity, too",
    Rule.CAPACITY: "admin access needs free counters and free capacity, too",
    Rule.TAINT: "admin access needs a toleration, too",
}


def refusals(view: View, problem: Problem, state: State) -> tuple[Refusal, ...]:
    """Return the reasons: the one it ended with first, then pools, requests and devices."""
    found: list[Refusal] = list(_pools(view))
    short: list[Refusal] = []
    for index, claim in enumerate(problem.claims):
        for alternatives in claim.requests:
            looked = [_request(problem, state, index, each) for each in alternatives]
            found += (refusal for devices, _ in looked for refusal in devices)
            if all(lacks is not None for _, lacks in looked):
                short += (lacks for _, lacks in looked if lacks is not None)
    if not short:
        short = [_together(view, problem)]
    return (*short, *found)


def _pools(view: View) -> Iterator[Refusal]:
    for pool in view.pools:
        if pool.problem:
            text = f"nothing is allocated from pool {'/'.join(pool.id)}: {pool.problem}"
            oddity = "" if pool.complete else _INCOMPLETE
            yield Refusal(Rule.POOL, view.node.name, text, oddity=oddity)


def _request(
    problem: Problem, state: State, claim: int, request: Request
) -> tuple[list[Refusal], Refusal | None]:
    """Return what refuses devices, and what the request lacks when it is alone."""
    everything = problem.everything.get(request)
    candidates = problem.candidates if everything is None else everything
    looked = [(each, _why(problem, state, claim, request, each)) for each in candidates]
    told = [_device(problem.node, request, each, why) for each, why in looked if why is not None]
    told += _unselected(problem, state, request) if everything is not None else ()
    fitting = sum(why is None for _, why in looked)
    wanted = request.count if everything is None else max(1, len(everything))
    if wanted is None or fitting >= wanted:
        return told, None
    rules = Counter(str(why[0]) for _, why in looked if why is not None)
    parts = ", ".join(f"{number} {rule}" for rule, number in sorted(rules.items()))
    text = (
        f"{request.told}: {wanted} wanted, {fitting} of {len(looked)} devices fit"
        f"{f' ({parts})' if parts else ''}"
    )
    refusal = Refusal(Rule.COUNT, problem.node, text, claim=request.claim, request=request.name)
    return told, refusal


def _unselected(problem: Problem, state: State, request: Request) -> Iterator[Refusal]:
    """Yield why a request for all devices is not for some."""
    known = {each.id for each in problem.everything[request]}
    unused = state.unused()
    for each in problem.candidates:
        if each.id not in known:
            why = _why(problem, unused, 0, request, each)
            if why is not None:
                yield replace(_device(problem.node, request, each, why), unselected=True)


def _why(
    problem: Problem, state: State, claim: int, request: Request, candidate: Candidate
) -> Why | None:
    """Return which rule refuses a device; the search may have ended before it looked at it.

    Who has a device matters only if it is selected. What can't be told here refuses nothing.
    """
    busy = state.busy(candidate, claim, request)
    try:
        rule = problem.selects(request, candidate)
        if rule is not None or busy is not None:
            return busy if rule is None else (rule, _TEXTS[rule])
        lacking = state.lacking(candidate, request)
    except Ended as ended:
        if ended.outcome is Outcome.UNKNOWN:
            return busy
        return busy or (ended.refusal.rule, ended.refusal.text)
    except ValueError as error:
        return Rule.CAPACITY_ERROR, str(error)
    return (Rule.CAPACITY, lacking) if lacking else state.refused(candidate, claim, request)


def _device(node: str, request: Request, candidate: Candidate, why: Why) -> Refusal:
    rule, text = why
    oddity = _ADMIN.get(rule, "") if request.admin else ""
    if rule is Rule.COUNTERS and "overbooked" in text:
        oddity = _OVERBOOKED
    if rule is Rule.CAPACITY and _is_spelled_otherwise(request, candidate):
        oddity = _SPELLING
    return Refusal(rule, node, text, request.claim, request.name, candidate.told, oddity)


def _is_spelled_otherwise(request: Request, candidate: Candidate) -> bool:
    prefix, known = f"{candidate.id[0]}/", candidate.device.get("capacity") or {}
    others = (
        n.removeprefix(prefix) if n.startswith(prefix) else prefix + n for n in request.amounts
    )
    return any(
        name not in known and other in known
        for name, other in zip(request.amounts, others, strict=True)
    )


def _together(view: View, problem: Problem) -> Refusal:
    count = sum(len(claim.requests) for claim in problem.claims)
    names = ", ".join(claim.name for claim in problem.claims)
    devices = counted(len(view.candidates), "device")
    text = (
        f"each of the {count} requests of {names} fits by itself, but not all together on {devices}"
    )
    if count == 1:
        text = f"the request of {names} finds enough one by one, but not together, of {devices}"
    return Refusal(Rule.TOGETHER, view.node.name, text)
