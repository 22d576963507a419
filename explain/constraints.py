"""What the constraints of claims find among devices that fit otherwise."""

from collections import Counter
from collections.abc import Iterator, Sequence

from allocation.constraints import Attribute, Constraint, looked_up
from allocation.published import Candidate, View
from allocation.requests import claim_name, constraints_of
from allocation.verdicts import Rule
from api.objects import JSON
from api.texts import counted
from explain.diagnosis import RequestVerdict


def values(claims: Sequence[JSON], view: View, requests: Sequence[RequestVerdict]) -> Iterator[str]:
    """Yield for each constraint that can't be met by itself which values there are."""
    for claim in claims:
        asked = [each for each in requests if each.claim == claim_name(claim)]
        for raw in constraints_of(claim):
            constraint = Constraint.of(raw)
            if constraint is not None:
                yield from _unmet(constraint, claim_name(claim), view, asked)


def _unmet(
    constraint: Constraint, claim: str, view: View, requests: Sequence[RequestVerdict]
) -> Iterator[str]:
    concerned = [each for each in requests if _applies(constraint, each.request)]
    devices = _fitting(view, concerned)
    found = Counter(looked_up(constraint.attribute, each.id[0], each.device) for each in devices)
    known = {value: number for value, number in found.items() if value is not None}
    most = len(known) if constraint.distinct else max(known.values(), default=0)
    # of too few devices it is not the constraint that refuses them
    if most < sum(each.wanted or 1 for each in concerned) <= found.total():
        kind = "must differ" if constraint.distinct else "must be the same"
        texts = [_told(value, number) for value, number in found.most_common()]
        yield f"claim {claim}: {constraint.attribute} {kind}: {', '.join(texts)}"


def _told(value: Attribute | None, number: int) -> str:
    return f"{'no value' if value is None else value[1]} ({counted(number, 'device')})"


def _fitting(view: View, requests: Sequence[RequestVerdict]) -> Iterator[Candidate]:
    """Yield the devices that one of the requests could have, were it not for constraints."""
    refused = [
        {device.device for device in each.refused if device.rule is not Rule.CONSTRAINT}
        for each in requests
    ]
    for candidate in view.candidates:
        if any(candidate.told not in each for each in refused):
            yield candidate


def _applies(constraint: Constraint, request: str) -> bool:
    names = {request, request.partition("/")[0]}
    return not constraint.requests or bool(constraint.requests & names)
