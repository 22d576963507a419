"""The search for devices: the first solution in the order of claims, requests and devices.

It finds what Kubernetes' search finds, which tries everything: what differs in the names of equal
devices only is tried once, and what failed for a request is not tried again from a state that is
the same but for such names. The steps that Kubernetes takes for it are counted all the same.
Source: k8s.io/dynamic-resource-allocation structured/internal/incubating/allocator_incubating.go,
allocateOne.
"""

from collections.abc import Generator, Hashable, Sequence
from enum import Enum
from typing import TypeAlias

from allocation.bounds import Bounds
from allocation.problem import Problem, Slot
from allocation.published import Candidate
from allocation.requests import MAX_RESULTS, Ended, Request, invalid
from allocation.shapes import Shapes
from allocation.state import State
from allocation.verdicts import Outcome, Refusal, Rule


class Found(Enum):
    """What a part of the search ended with."""

    SOLUTION = "solution"
    NOTHING = "nothing"
    TOO_MANY = "more results than a claim can have"


Part: TypeAlias = Generator["Part", Found, Found]
"""A part of the search: it yields parts that it depends on, and is told what they found."""


class Search:
    """One search."""

    def __init__(self, problem: Problem, state: State) -> None:
        """Search with a state of which nothing is taken yet."""
        self._problem = problem
        self._state = state
        self._shapes = Shapes(problem.candidates, state, problem.kind)
        self._bounds = Bounds(problem, self._fits, self._lacking, state.most)
        self._failed: dict[Hashable, tuple[Found, int]] = {}
        self._counts = [0] * len(problem.claims)
        self.steps = 0
        self.upstream = 0
        self.chosen: dict[tuple[int, int], Request] = {}

    def run(self) -> bool:
        """Tell whether there is a solution: its devices are taken in the state then."""
        stack, told = [self._claim(0)], None
        while stack:
            try:
                stack.append(stack[-1].send(told))  # type: ignore[arg-type]
                told = None
            except StopIteration as ended:
                stack.pop()
                told = ended.value
        if told is Found.TOO_MANY:
            node = self._problem.node
            raise invalid(Rule.RESULTS, node, "allocation max size exceeded")
        return told is Found.SOLUTION

    def _step(self) -> None:
        self.steps += 1
        self.upstream += 1
        if self.steps > self._problem.budget:
            text = f"gave up after {self._problem.budget} steps"
            raise Ended(Outcome.GAVE_UP, Refusal(Rule.BUDGET, self._problem.node, text))

    def _claim(self, claim: int) -> Part:
        self._step()
        if claim == len(self._problem.claims):
            return Found.SOLUTION
        found = yield self._request(Slot(claim, 0))
        return Found.NOTHING if claim and found is Found.TOO_MANY else found

    def _request(self, slot: Slot) -> Part:
        requests = self._problem.claims[slot.claim].requests
        if slot.request == len(requests):
            return (yield self._claim(slot.claim + 1))
        if self._failed and (known := self._failed.get(self._key(slot))):
            self.upstream += known[1]
            return known[0]
        before, found = self.upstream, Found.NOTHING
        if steps := self._bounds.hopeless(slot, self.steps):
            self.upstream += steps
        else:
            found = yield self._alternatives(slot, requests[slot.request])
        if found is not Found.SOLUTION:
            self._failed[self._key(slot)] = (found, self.upstream - before)
        return found

    def _key(self, slot: Slot) -> Hashable:
        """Return what decides on what is left, whatever the names of what is taken are."""
        constrained = self._state.constrained(slot.claim)
        count = self._counts[slot.claim]
        return slot.claim, slot.request, count, constrained, self._shapes.all_taken(slot.claim)

    def _alternatives(self, slot: Slot, alternatives: Sequence[Request]) -> Part:
        if not alternatives[0].sub:
            found = yield self._device(slot, alternatives[0])
            if found is Found.SOLUTION:
                self.chosen[slot.claim, slot.request] = alternatives[0]
            return found
        self._step()
        exceeded = True
        for index, request in enumerate(alternatives):
            found = yield self._device(Slot(slot.claim, slot.request, index), request)
            if found is Found.SOLUTION:
                self.chosen[slot.claim, slot.request] = request
                return found
            exceeded = exceeded and found is Found.TOO_MANY
        return Found.TOO_MANY if exceeded else Found.NOTHING

    def _device(self, slot: Slot, request: Request) -> Part:
        self._step()
        everything = self._problem.everything.get(request)
        count = len(everything) if everything is not None else request.count or 0
        if everything is not None and not everything:
            return Found.NOTHING
        if slot.device >= count:
            return (yield self._request(Slot(slot.claim, slot.request + 1)))
        if count - slot.device > MAX_RESULTS - self._counts[slot.claim]:
            return Found.TOO_MANY
        if everything is not None:
            return (yield self._certain(slot, request, everything[slot.device]))
        return (yield self._any(slot, request))

    def _certain(self, slot: Slot, request: Request, candidate: Candidate) -> Part:
        """Take the one device that is next for a request for all."""
        why = self._state.busy(candidate, slot.claim, request)
        why = why or self._state.refused(candidate, slot.claim, request)
        if why is not None and why[0] is Rule.CONSTRAINT:
            raise self._unsatisfiable(request, candidate, why[1])
        if why is not None or self._lacking(request, candidate):
            return Found.NOTHING
        return (yield self._taken(slot, request, candidate, 0))

    def _any(self, slot: Slot, request: Request) -> Part:
        """Take the first device with which the rest can be found."""
        failed: dict[Hashable, int] = {}
        shapes, candidates = self._shapes, self._problem.candidates
        for index in range(slot.start, len(candidates)):
            candidate = candidates[index]
            if not self._fits(slot.claim, request, candidate):
                continue
            if failed and (steps := failed.get(shapes.choice(candidate, slot.claim))):
                self.upstream += steps
                continue
            before = self.upstream
            found = yield self._taken(slot, request, candidate, index + 1)
            if found is not Found.NOTHING:
                return found
            failed[shapes.choice(candidate, slot.claim)] = self.upstream - before
        return Found.NOTHING

    def _fits(self, claim: int, request: Request, candidate: Candidate) -> bool:
        state = self._state
        return (
            state.busy(candidate, claim, request) is None
            and self._problem.selects(request, candidate) is None
            and not self._lacking(request, candidate)
            and state.refused(candidate, claim, request) is None
        )

    def _taken(self, slot: Slot, request: Request, candidate: Candidate, start: int) -> Part:
        """Take a device and find the rest; give it back if that can't be done."""
        self._state.take(candidate, slot.claim, request)
        self._counts[slot.claim] += 1
        found = yield self._device(
            Slot(slot.claim, slot.request, slot.alternative, slot.device + 1, start), request
        )
        if found is not Found.SOLUTION:
            self._counts[slot.claim] -= 1
            self._state.give_back()
        return found

    def _lacking(self, request: Request, candidate: Candidate) -> str:
        try:
            return self._state.lacking(candidate, request)
        except ValueError as error:
            text = f"{request.told}: checking capacity for device {candidate.told}: {error}"
            raise invalid(
                Rule.CAPACITY_ERROR,
                self._problem.node,
                text,
                claim=request.claim,
                request=request.name,
                device=candidate.told,
            ) from error

    def _unsatisfiable(self, request: Request, candidate: Candidate, problem: str) -> Ended:
        text = (
            f"{request.told}: cannot add device {candidate.told} because a claim constraint "
            f"would not be satisfied"
        )
        oddity = "a constraint that all devices can't satisfy ends the attempt on all nodes"
        return invalid(
            Rule.CONSTRAINT,
            self._problem.node,
            text,
            claim=request.claim,
            request=request.name,
            device=candidate.told,
            oddity=f"{oddity}, alternatives that are left included ({problem})",
        )
