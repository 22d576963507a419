"""Allocates the claims of a pod on a node, as kube-scheduler 1.37 does.

Pure: whatever it needs is given to it. Source: k8s.io/dynamic-resource-allocation v0.37.2,
structured/internal/incubating/allocator_incubating.go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from allocation import reasons, results
from allocation.constraints import Constraint
from allocation.inuse import InUse
from allocation.kinds import Kind, Relevant, kind
from allocation.pools import Node
from allocation.problem import Problem
from allocation.published import Candidate, Published, View
from allocation.requests import (
    MAX_RESULTS,
    Claim,
    Ended,
    Reader,
    Request,
    attributes,
    claim_name,
    constraints_of,
    expressions,
    invalid,
)
from allocation.search import Search
from allocation.selectors import Selected, Selectors
from allocation.state import State
from allocation.verdicts import Allocation, Effort, Outcome, Refusal, Refusals, Rule
from api.objects import JSON

DEFAULT_BUDGET: Final = 20_000
"""Steps of a search: some seconds."""

_PATIENCE: Final = 50
"""Steps within which it is cheaper to search on, and counted exactly what Kubernetes takes."""


@dataclass(frozen=True, slots=True)
class World:
    """A cluster at one moment.

    Attributes:
        published: ResourceSlices, and what is known of them.
        classes: DeviceClasses by name.
        in_use: what allocated claims hold.
        selectors: compiled expressions.
    """

    published: Published
    classes: Mapping[str, JSON]
    in_use: InUse
    selectors: Selectors


def allocate(
    claims: Sequence[JSON],
    node: Node,
    world: World,
    share_id: Callable[[], str] | None = None,
    budget: int = DEFAULT_BUDGET,
    *,
    hasty: bool = False,
) -> Allocation | Refusals:
    """Return the allocation of each claim on a node, or why there is none.

    Args:
        claims: of one pod, none of them allocated; their order decides, too.
        node: where the pod may run.
        world: what there is.
        share_id: makes a fresh UUID for a share of a device; numbers if it is not given.
        budget: of steps, after which the search is given up.
        hasty: whether to look first what too few devices fit, which is faster where most nodes
            refuse; the effort of Kubernetes is not told then.
    """
    attempt = _Attempt(world, world.published.on(node), 0 if hasty else _PATIENCE)
    try:
        return attempt.run(claims, share_id or map(str, count()).__next__, budget)
    except Ended as ended:
        return Refusals(ended.outcome, (ended.refusal,), attempt.effort)


class _Attempt:
    def __init__(self, world: World, view: View, patience: int) -> None:
        self._world = world
        self._patience = patience
        self._gates = world.published.gates
        self._view = view
        self._node = view.node.name
        self._relevant: Relevant = None
        self.effort = Effort()

    def run(
        self, raw: Sequence[JSON], share_id: Callable[[], str], budget: int
    ) -> Allocation | Refusals:
        if self._gates.unknown:
            text = f"what {', '.join(self._gates.unknown)} changes is not known here"
            raise Ended(Outcome.UNKNOWN, Refusal(Rule.FEATURE, self._node, text))
        everything: dict[Request, Sequence[Candidate]] = {}
        claims, constraints = [], []
        self._relevant = self._names(raw)
        for each in raw:
            claims.append(self._claim(each, everything))
            constraints.append(self._constraints(each))
        state = State(self._world.in_use, self._gates, constraints)
        problem = Problem(
            self._node,
            claims,
            self._view.candidates,
            everything,
            self._selects,
            self._kind,
            budget,
            self._patience,
        )
        search = Search(problem, state)
        try:
            found = search.run()
        finally:
            self.effort = Effort(search.steps, search.upstream)
        if not found:
            told = reasons.refusals(
                self._view, problem, State(self._world.in_use, self._gates, constraints)
            )
            return Refusals(Outcome.REFUSED, told, self.effort)
        return Allocation(self._written(claims, search, state, share_id), self.effort)

    def _claim(self, raw: JSON, everything: dict[Request, Sequence[Candidate]]) -> Claim:
        reader = Reader(self._world.classes, self._gates, self._node)
        requests, total = [], 0
        for request in raw["spec"]["devices"].get("requests") or ():
            alternatives, counts = [], []
            for each in reader.alternatives(raw, request):
                if each.count is None:
                    everything[each] = self._everything(each)
                counts.append(len(everything[each]) if each.count is None else each.count)
                alternatives.append(each)
            if min(counts) > MAX_RESULTS - total:
                raise self._too_many(raw, request["name"], min(counts), total)
            total += min(counts)
            requests.append(tuple(alternatives))
        return Claim(raw, tuple(requests))

    def _names(self, claims: Sequence[JSON]) -> Relevant:
        """Return the attributes that the claims may tell devices apart by."""
        found = {name.rpartition("/")[2] for claim in claims for name in attributes(claim)}
        for expression in expressions(claims, self._world.classes):
            names = self._world.selectors.compiled(expression).text.names
            if names is None:
                return None
            found |= names
        return frozenset(found & self._view.attributes)

    def _too_many(self, claim: JSON, request: str, wanted: int, total: int) -> Ended:
        name = claim_name(claim)
        text = (
            f"claim {name}, request {request}: adding {wanted} devices exceeds the claim limit of "
            f"{MAX_RESULTS}, with {total} already accounted for"
        )
        return invalid(Rule.RESULTS, self._node, text, claim=name, request=request)

    def _constraints(self, claim: JSON) -> list[Constraint]:
        found = []
        for index, raw in enumerate(constraints_of(claim)):
            constraint = Constraint.of(raw)
            if constraint is None or (constraint.distinct and self._gates.stable):
                name = claim_name(claim)
                told = f"constraint #{index}: empty constraint (unsupported constraint type?)"
                raise invalid(Rule.CONSTRAINT, self._node, f"claim {name}, {told}", claim=name)
            found.append(constraint)
        return found

    def _everything(self, request: Request) -> Sequence[Candidate]:
        """Return the devices of a request for all; a pool that can't be used ends the attempt."""
        found: list[Candidate] = []
        for pool in self._view.pools:
            if pool.problem:
                raise self._unusable(request, "/".join(pool.id), complete=pool.complete)
            found += (
                each
                for each in self._view.candidates
                if each.pool is pool and self._selects(request, each) is None
            )
        return [each for each in found if not self._lacking(request, each)]

    def _lacking(self, request: Request, candidate: Candidate) -> str:
        try:
            return State(InUse(), self._gates, ()).lacking(candidate, request)
        except ValueError as error:
            told = f"checking capacity for device {candidate.id[2]}: {error}"
            raise invalid(
                Rule.CAPACITY_ERROR,
                self._node,
                f"{request.told}: {told}",
                claim=request.claim,
                request=request.name,
                device=candidate.told,
            ) from error

    def _unusable(self, request: Request, pool: str, *, complete: bool) -> Ended:
        state = "currently invalid" if complete else "currently being updated"
        text = f"{request.told}: asks for all devices, but resource pool {pool} is {state}"
        oddity = "a request for all ends on any driver's pool that can't be used, on all nodes"
        return invalid(
            Rule.POOL, self._node, text, claim=request.claim, request=request.name, oddity=oddity
        )

    def _selects(self, request: Request, candidate: Candidate) -> Rule | None:
        kind = self._kind(candidate)
        if kind.number not in request.verdicts:
            request.verdicts[kind.number] = self._judged(request, candidate, kind)
        return request.verdicts[kind.number]

    def _kind(self, candidate: Candidate) -> Kind:
        known = candidate.kinds.get(self._relevant)
        if known is None:
            unshared = {"allowMultipleAllocations": False} if self._gates.stable else {}
            known = candidate.kinds[self._relevant] = kind(
                self._world.published.kinds,
                candidate.id[0],
                candidate.device | unshared,
                self._relevant,
                reached=candidate.placed.reached,
            )
        return known

    def _judged(self, request: Request, candidate: Candidate, kind: Kind) -> Rule | None:
        if candidate.device.get("bindingConditions") and not self._gates.binding_conditions:
            return Rule.BINDING_CONDITIONS
        for source, expression in request.selectors:
            selected = self._evaluated(candidate.id[0], kind, expression)
            if selected.holds is None:
                raise self._failed(request, candidate, source, selected)
            if not selected.holds:
                of_class = source.startswith("class ")
                return Rule.CLASS_SELECTOR if of_class else Rule.SELECTOR
        return None if candidate.placed.reached else Rule.NODE

    def _evaluated(self, driver: str, kind: Kind, expression: str) -> Selected:
        if expression not in kind.selected:
            kind.selected[expression] = self._world.selectors.evaluate(
                expression, driver, kind.device
            )
        found: Selected = kind.selected[expression]
        return found

    def _failed(
        self, request: Request, candidate: Candidate, source: str, selected: Selected
    ) -> Ended:
        about: JSON = {"claim": request.claim, "request": request.name, "device": candidate.told}
        if selected.unknown:
            text = f"{source}: {selected.unknown}"
            refusal = Refusal(Rule.UNKNOWN, self._node, text, **about)
            return Ended(Outcome.UNKNOWN, refusal)
        if selected.invalid:
            text = f"{source}: CEL compile error: compilation failed: {selected.error}"
            return invalid(Rule.SELECTOR_SYNTAX, self._node, text, **about)
        text = f"{source} on device {candidate.told}: CEL runtime error: {selected.error}"
        oddity = "a selector that fails on one device ends the attempt on all nodes"
        return invalid(Rule.SELECTOR_ERROR, self._node, text, oddity=oddity, **about)

    def _written(
        self,
        claims: Sequence[Claim],
        search: Search,
        state: State,
        share_id: Callable[[], str],
    ) -> tuple[JSON, ...]:
        found = []
        for index, claim in enumerate(claims):
            picks = [each for each in state.picks if each.claim == index]
            chosen = [search.chosen[index, number] for number in range(len(claim.requests))]
            try:
                found.append(
                    results.allocation(claim, picks, chosen, self._node, self._gates, share_id)
                )
            except ValueError as error:
                text = f"create NodeSelector for claim {claim.raw['metadata']['name']}: {error}"
                raise invalid(Rule.NODE, self._node, text, claim=claim.name) from error
        return tuple(found)
