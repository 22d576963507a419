"""What claims ask for: each request with its alternatives, read once for an attempt."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from allocation.gates import Gates
from allocation.verdicts import Outcome, Refusal, Rule
from api.objects import JSON
from api.quantities import quantity

MAX_RESULTS = 32
"""Of a claim."""


class Ended(Exception):
    """The attempt ended before all was tried."""

    def __init__(self, outcome: Outcome, refusal: Refusal) -> None:
        """Say how and why."""
        super().__init__(refusal.text)
        self.outcome = outcome
        self.refusal = refusal


def invalid(rule: Rule, node: str, text: str, **about: Any) -> Ended:
    """Return the end of an attempt on all nodes."""
    return Ended(Outcome.INVALID, Refusal(rule, node, text, **about))


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request without alternatives, or one alternative of one.

    Attributes:
        base: name of the request as the claim has it.
        sub: name of the alternative, empty if there is only one.
        selectors: where an expression comes from, and the expression; those of the class first.
        count: of devices; None for all.
    """

    claim: str
    base: str
    sub: str
    class_: JSON
    selectors: tuple[tuple[str, str], ...]
    count: int | None
    admin: bool
    tolerations: Sequence[JSON]
    amounts: Mapping[str, Fraction]
    texts: Mapping[str, str]
    verdicts: dict[int, Rule | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As results have it."""
        return f"{self.base}/{self.sub}" if self.sub else self.base

    @property
    def told(self) -> str:
        """How Kubernetes names it in errors."""
        return f"claim {self.claim}, request {self.sub or self.base}"


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A claim; each request is the sequence of its alternatives."""

    raw: JSON
    requests: tuple[tuple[Request, ...], ...]

    @property
    def name(self) -> str:
        """`namespace/name`."""
        return claim_name(self.raw)


def claim_name(claim: JSON) -> str:
    """Return `namespace/name` of a claim."""
    meta = claim["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def constraints_of(claim: JSON) -> Sequence[JSON]:
    """Return the constraints of a claim."""
    return claim["spec"]["devices"].get("constraints") or ()


def attributes(claim: JSON) -> Iterator[str]:
    """Yield the attributes that the constraints of a claim compare."""
    for each in constraints_of(claim):
        yield each.get("matchAttribute") or each.get("distinctAttribute") or ""


def expressions(claims: Sequence[JSON], classes: Mapping[str, JSON]) -> Iterator[str]:
    """Yield the expressions of claims and of their classes, as far as they can be read."""
    for claim in claims:
        for request in claim["spec"]["devices"].get("requests") or ():
            for body in (request.get("exactly") or {}, *(request.get("firstAvailable") or ())):
                named = classes.get(body.get("deviceClassName", ""))
                for holder in (body, (named or {}).get("spec") or {}):
                    yield from (expression for _, expression in _selectors("", holder))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads claims as an attempt on a node needs them; what it can't read ends the attempt."""

    classes: Mapping[str, JSON]
    gates: Gates
    node: str

    def alternatives(self, claim: JSON, request: JSON) -> Iterator[Request]:
        """Yield the alternatives of a request, each read only when its turn comes."""
        name, subs = request["name"], request.get("firstAvailable") or []
        exactly = request.get("exactly")
        if not self.gates.prioritized_list and subs:
            raise self._off(claim, f"request {name}: has subrequests", "DRAPrioritizedList")
        if not self.gates.consumable_capacity and not self.gates.stable:
            asked = [("request", name, exactly)] if exactly else []
            asked += [("subrequest", each["name"], each) for each in subs]
            for kind, which, body in asked:
                if body.get("capacity") is not None:
                    told = f"{kind} {which}: has capacity requests"
                    raise self._off(claim, told, "DRAConsumableCapacity")
        for sub in subs:
            yield self._read(claim, name, sub["name"], sub)
        if not subs:
            yield self._read(claim, name, "", exactly or {})

    def _off(self, claim: JSON, what: str, gate: str) -> Ended:
        name = claim_name(claim)
        text = f"claim {name}, {what}, but the {gate} feature is disabled"
        return invalid(Rule.FEATURE, self.node, text, claim=name)

    def _read(self, claim: JSON, base: str, sub: str, body: JSON) -> Request:
        name = claim_name(claim)
        told = f"claim {name}, request {sub or base}"
        about = {"claim": name, "request": f"{base}/{sub}" if sub else base}
        self._check(told, about, body, sub)
        class_name = body["deviceClassName"]
        found = self.classes.get(class_name)
        if found is None:
            text = f"could not retrieve device class {class_name}: it does not exist"
            oddity = "a missing class ends it, though an alternative is left" if sub else ""
            raise invalid(Rule.CLASS, self.node, f"{told}: {text}", oddity=oddity, **about)
        capacity = (body.get("capacity") or {}).get("requests") or {}
        return Request(
            claim=name,
            base=base,
            sub=sub,
            class_=found,
            selectors=(
                *_selectors(f"class {class_name}", found["spec"]),
                *_selectors(f"claim {name}", body),
            ),
            count=None if body.get("allocationMode") == "All" else int(body.get("count", 1)),
            admin=bool(body.get("adminAccess")) and not sub,
            tolerations=body.get("tolerations") or [],
            amounts={key: quantity(value) for key, value in capacity.items()},
            texts={key: str(value) for key, value in capacity.items()},
        )

    def _check(self, told: str, about: Mapping[str, str], body: JSON, sub: str) -> None:
        """End the attempt if something is asked for that can't be dealt with."""
        rule, text = Rule.REQUEST, ""
        if body.get("derivedAttributes"):
            rule = Rule.FEATURE
            text = "cannot handle request with derived attributes, the feature is disabled"
        elif any("cel" not in each for each in body.get("selectors") or ()):
            text = "CEL expression empty (unsupported selector type?)"
        elif not self.gates.admin_access and not sub and body.get("adminAccess") is not None:
            rule, text = Rule.FEATURE, "admin access is requested, but the feature is disabled"
        elif not body.get("deviceClassName"):
            text = "missing device class name (unsupported request type?)"
        elif body.get("allocationMode", "ExactCount") not in ("ExactCount", "All"):
            text = f"unsupported count mode {body['allocationMode']}"
        if text:
            raise invalid(rule, self.node, f"{told}: {text}", **about)


def _selectors(source: str, holder: JSON) -> Iterator[tuple[str, str]]:
    for index, each in enumerate(holder.get("selectors") or ()):
        yield f"{source}: selector #{index}", (each.get("cel") or {}).get("expression", "")
