"""An explanation on one screen, or with each device."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from api.texts import listed
from explain.diagnosis import Diagnosis, NodeVerdict, Offer, Overview, RequestVerdict

_NODES: Final = 10
_FACTS: Final = 20
_HELPS: Final = 12
_NAMES: Final = 3


def as_text(found: Diagnosis | Overview, *, verbose: bool = False) -> str:
    """Return it for people.

    Args:
        found: the explanation.
        verbose: with each device.
    """
    if isinstance(found, Overview):
        return "\n".join(_overview(found, verbose=verbose))
    return "\n".join(_lines(found, verbose=verbose))


def _lines(found: Diagnosis, *, verbose: bool) -> Iterator[str]:
    yield f"{found.subject}: {found.summary}"
    yield from (f"  {each}" for each in found.facts)
    if found.quoted:
        yield f"Kubernetes says: {found.quoted}"
    yield from _section(_nodes(found.nodes, verbose=verbose))
    near = miss(found.nearest) if found.nearest else ""
    yield from _section([f"nearest miss: {near}"] if near else [])
    shown = found.helps if verbose else found.helps[:_HELPS]
    helps = [f"  - {each}" for each in shown]
    if len(shown) < len(found.helps):
        helps.append(f"  and {len(found.helps) - len(shown)} more; see them with -v")
    yield from _section(["what would help:", *helps] if helps else [])
    gates = [f"feature gates: {found.gates}"] if found.nodes and found.gates else []
    yield from _section([*gates, *(f"not read: {each}: {each.why}" for each in found.unread)])


def _overview(found: Overview, *, verbose: bool) -> Iterator[str]:
    yield f"{found.subject}: {found.summary}"
    shown = found.facts if verbose else found.facts[:_FACTS]
    yield from (f"  {each}" for each in shown)
    if len(shown) < len(found.facts):
        yield f"  and {len(found.facts) - len(shown)} more; see them with -v"
    yield from _section(_offers(found.offers, verbose=verbose))
    yield from _section(f"not read: {each}: {each.why}" for each in found.unread)


def _offers(offers: Sequence[Offer], *, verbose: bool) -> Iterator[str]:
    if not offers:
        return
    groups: dict[tuple[int, int, int], list[Offer]] = {}
    for each in offers:
        counts = each.devices, len(each.selected), len(each.free)
        groups.setdefault(counts, []).append(each)
    rows = [(_named([each.where for each in found]), key) for key, found in groups.items()]
    width = max(len("WHERE"), *(len(name) for name, _ in rows))
    yield f"{'WHERE'.ljust(width)}  DEVICES  SELECTED  FREE"
    for name, (devices, selected, free) in rows:
        yield f"{name.ljust(width)}  {devices:7}  {selected:8}  {free:4}"
    for each in offers if verbose else ():
        taken = sorted(set(each.selected) - set(each.free))
        yield f"{each.where}: free: {', '.join(each.free) or 'none'}"
        yield from [f"{each.where}: taken: {', '.join(taken)}"] if taken else []


def _section(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines behind an empty one, if there are any."""
    found = list(lines)
    yield from ["", *found] if found else []


def _nodes(nodes: Sequence[NodeVerdict], *, verbose: bool) -> Iterator[str]:
    if nodes:
        yield from _table(nodes)
    if verbose:
        for each in nodes:
            yield from _devices(each)


def _table(nodes: Sequence[NodeVerdict]) -> Iterator[str]:
    """Yield a row for each set of nodes that say the same."""
    groups = alike(nodes)
    rows = [(_named(names), says) for says, names in groups.items()]
    width = max(len("NODE"), *(len(name) for name, _ in rows[:_NODES]))
    yield f"{'NODE'.ljust(width)}  VERDICT"
    for name, says in rows[:_NODES]:
        for index, line in enumerate(says):
            yield f"{(name if not index else '').ljust(width)}  {line}"
    if len(rows) > _NODES:
        yield f"and {sum(len(names) for names in list(groups.values())[_NODES:])} more nodes"


def alike(nodes: Sequence[NodeVerdict]) -> Mapping[tuple[str, ...], Sequence[str]]:
    """Return what nodes say, in lines, each with the names of those that say it."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for each in nodes:
        groups.setdefault(tuple(_says(each)), []).append(each.node)
    return groups


def _named(names: Sequence[str]) -> str:
    return listed(names, _NAMES)


def _says(node: NodeVerdict) -> Iterator[str]:
    if node.fits:
        yield "fits"
    yield from node.place
    yield from (f"claim {each} has its devices elsewhere" for each in node.elsewhere)
    if node.outcome is None:
        if not node.fits and not node.elsewhere:
            yield "has the devices"
        return
    for each in node.requests:
        yield _request(each)
    yield from node.pools
    yield from node.constraints
    if not node.short and not node.constraints and node.message not in node.pools:
        yield node.message


def _request(request: RequestVerdict) -> str:
    wanted = "all" if request.wanted is None else str(request.wanted)
    rules = ", ".join(f"{number} {rule}" for rule, number in sorted(request.rules.items()))
    of = request.looked if request.wanted is not None else request.selected
    fit = f"{request.fitting} of {of} devices fit"
    if not of:
        fit = "there are no devices" if request.wanted is not None else "no device is selected"
    refused = f"; refused: {rules}" if rules else ""
    return f"{request.claim} {request.request}: {wanted} wanted, {fit}{refused}"


def miss(node: NodeVerdict) -> str:
    """Return what a node has of what is asked for, empty if that is not what it lacks."""
    parts = [
        f"{each.fitting} of {_wanted(each)} for request {each.request} of claim {each.claim}"
        for each in node.short
    ]
    return f"{node.node} has {listed(parts, _NAMES)}" if parts else ""


def _wanted(request: RequestVerdict) -> str:
    if request.wanted is not None:
        return str(request.wanted)
    return f"all {request.selected}" if request.selected else "all"


def _devices(node: NodeVerdict) -> Iterator[str]:
    if node.chosen:
        yield f"{node.node}: would give {', '.join(node.chosen)}"
    for request in node.requests:
        if request.refused:
            yield f"{node.node}, {request.claim} {request.request}:"
        for each in request.refused:
            yield f"  {each.device}  {each.rule}: {each.text}"
