"""What the constraints of claims find among devices that fit otherwise."""

from collections import Counter
from collections.abc import Iterator, Sequence

from allocation.constraints import Constraint, looked_up
from allocation.published import Candidate, View
from allocation.requests import claim_name
from api.objects import JSON
from api.texts import counted
from explain.diagnosis import RequestVerdict


def values(claims: Sequence[JSON], view: View, requests: Sequence[RequestVerdict]) -> Iterator[str]:
    """Yield for each constraint which values the devices have that it chooses from."""
    for claim in claims:
        asked = [each for each in requests if each.claim == claim_name(claim)]
        for raw in claim["spec"]["devices"].get("constraints") or ():
            constraint = Constraint.of(raw)
            if constraint is not None:
                yield _told(constraint, claim, list(_fitting(constraint, view, asked)))


def _fitting(
    constraint: Constraint, view: View, requests: Sequence[RequestVerdict]
) -> Iterator[Candidate]:
    concerned = [each for each in requests if _applies(constraint, each.request)]
    refused = [{device.device for device in each.refused} for each in concerned]
    for candidate in view.candidates:
        if any(candidate.told not in each for each in refused):
            yield candidate


def _applies(constraint: Constraint, request: str) -> bool:
    names = {request, request.partition("/")[0]}
    return not constraint.requests or bool(constraint.requests & names)


def _told(constraint: Constraint, claim: JSON, devices: Sequence[Candidate]) -> str:
    found = Counter(looked_up(constraint.attribute, each.id[0], each.device) for each in devices)
    texts = [
        f"{'no value' if value is None else value[1]} ({counted(number, 'device')})"
        for value, number in found.most_common()
    ]
    kind = "must differ" if constraint.distinct else "must be the same"
    return f"claim {claim_name(claim)}: {constraint.attribute} {kind}: {', '.join(texts)}"
