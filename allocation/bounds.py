"""What can't be, told without searching: a request that too few devices fit, taken by themselves.

Devices taken for others only make it worse. This is used once a search takes long, and only where
a search can end in nothing but a solution or none: where no selector fails, no claim can have too
many results, and no request for all devices is constrained.
"""

from collections.abc import Callable, Iterator, Sequence
from math import comb

from allocation.problem import Problem, Slot
from allocation.published import Candidate
from allocation.requests import MAX_RESULTS, Claim, Ended, Request

Fits = Callable[[int, Request, Candidate], bool]
"""Tells whether a device can be taken next for a request of a claim."""

Lacks = Callable[[Request, Candidate], str]
"""Returns which capacity a device lacks for a request; ends the attempt if that can't be said."""

Most = Callable[[int, Request, Sequence[Candidate]], int]
"""Returns how many of several devices constraints leave to a request of a claim."""


class Bounds:
    """Bounds of one search."""

    def __init__(self, problem: Problem, fits: Fits, lacks: Lacks, most: Most) -> None:
        """Look at a search as it proceeds."""
        self._problem = problem
        self._fits = fits
        self._lacks = lacks
        self._most = most
        self._harmless: bool | None = None

    def hopeless(self, slot: Slot, steps: int) -> int:
        """Return how many steps Kubernetes takes, about, to find out that there is no solution.

        Args:
            slot: the request that is next.
            steps: that the search has taken.

        Returns:
            0 if there may be a solution.
        """
        if steps < self._problem.patience or not self._is_harmless():
            return 0
        ways = 1
        for claim, alternatives in self._rest(slot):
            found = [self._ways(claim, each) for each in alternatives]
            if not any(found):
                return ways
            ways *= sum(found)
        return 0

    def _rest(self, slot: Slot) -> Iterator[tuple[int, tuple[Request, ...]]]:
        for index in range(slot.claim, len(self._problem.claims)):
            first = slot.request if index == slot.claim else 0
            for alternatives in self._problem.claims[index].requests[first:]:
                yield index, alternatives

    def _ways(self, claim: int, request: Request) -> int:
        """Return in how many ways a request can be served."""
        everything = self._problem.everything.get(request)
        candidates = self._problem.candidates if everything is None else everything
        fitting = [each for each in candidates if self._fits(claim, request, each)]
        if everything is not None:
            return int(0 < len(fitting) == len(everything))
        count = request.count or 0
        return comb(len(fitting), count) if self._most(claim, request, fitting) >= count else 0

    def _is_harmless(self) -> bool:
        if self._harmless is None:
            self._harmless = all(map(self._is_harmless_claim, self._problem.claims))
        return self._harmless

    def _is_harmless_claim(self, claim: Claim) -> bool:
        problem, most = self._problem, 0
        for alternatives in claim.requests:
            every = [problem.everything.get(each) for each in alternatives]
            if any(each is not None for each in every) and claim.raw["spec"]["devices"].get(
                "constraints"
            ):
                return False
            counts = zip(every, alternatives, strict=True)
            most += max(len(e) if e is not None else r.count or 0 for e, r in counts)
        return most <= MAX_RESULTS and all(map(self._is_told, claim.requests))

    def _is_told(self, alternatives: tuple[Request, ...]) -> bool:
        try:
            for request in alternatives:
                for candidate in self._problem.candidates:
                    if self._problem.selects(request, candidate) is None:
                        self._lacks(request, candidate)
        except Ended:
            return False
        return True
