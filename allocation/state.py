"""What is taken in the course of an attempt, so that it can be given back.

Source: k8s.io/dynamic-resource-allocation structured/internal/incubating/allocator_incubating.go,
allocateDevice.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from allocation import capacity, counters
from allocation.constraints import Constraint
from allocation.gates import Gates
from allocation.inuse import Amounts, DeviceID, InUse
from allocation.pools import PoolID
from allocation.published import Candidate
from allocation.requests import Request
from allocation.taints import prevents, taint_text
from allocation.verdicts import Rule

Why = tuple[Rule, str]
"""Which rule refuses a device, and the numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """A device taken for a request of a claim.

    Attributes:
        share: what a share of the device takes; None if it is taken as a whole.
        charged: whether its counters were taken; another share has paid for them else.
    """

    claim: int
    request: Request
    candidate: Candidate
    share: Amounts | None
    charged: bool


class State:
    """Devices taken, counters left and shares held."""

    def __init__(
        self, in_use: InUse, gates: Gates, constraints: Sequence[list[Constraint]]
    ) -> None:
        """Begin with what allocated claims hold."""
        self._in_use = in_use
        self._gates = gates
        self._constraints = constraints
        self._left: dict[PoolID, dict[counters.Counter, Fraction]] = {}
        self._first: dict[PoolID, dict[counters.Counter, Fraction]] = {}
        self._blocked: dict[PoolID, counters.Counter | None] = {}
        self._needs: dict[tuple[Request, DeviceID], capacity.Need] = {}
        self._drawn: dict[DeviceID, tuple[tuple[counters.Counter, Fraction], ...]] = {}
        self.picks: list[Pick] = []
        self.by_device: dict[DeviceID, list[Pick]] = {}

    def unused(self) -> "State":
        """Return the state if nobody had a device, and there were no constraints."""
        return State(InUse(), self._gates, [[]] * len(self._constraints))

    def is_shared(self, candidate: Candidate) -> bool:
        """Tell whether a device is given away in shares."""
        shared = candidate.device.get("allowMultipleAllocations")
        return self._gates.consumable_capacity and bool(shared)

    def busy(self, candidate: Candidate, claim: int, request: Request) -> Why | None:
        """Return who has the device already, so that the request can't have it."""
        whole = [each for each in self.by_device.get(candidate.id, ()) if each.share is None]
        if request.admin:
            if any(each.claim == claim for each in whole):
                return Rule.SAME_CLAIM, "the claim has it already"
            return None
        if holder := self._in_use.holders.get(candidate.id):
            return Rule.IN_USE, f"in use by claim {holder}"
        if whole:
            return Rule.IN_USE, f"taken for {whole[0].request.told}"
        return None

    def lacking(self, candidate: Candidate, request: Request) -> str:
        """Return which capacity that a request takes is not left; ValueError ends the attempt."""
        if not self._gates.consumable_capacity:
            return ""
        shares = [p.share for p in self.by_device.get(candidate.id, ()) if p.share is not None]
        if known := self._in_use.shared.get(candidate.id):
            shares.append(known)
        return self._need(candidate, request).lacks(shares)

    def _need(self, candidate: Candidate, request: Request) -> capacity.Need:
        key = request, candidate.id
        if key not in self._needs:
            fractional = self._gates.fractional_capacity_range
            self._needs[key] = capacity.need(
                candidate.device, request.amounts, fractional=fractional
            )
        return self._needs[key]

    def refused(self, candidate: Candidate, claim: int, request: Request) -> Why | None:
        """Return which rule keeps a selected device with enough capacity from a request."""
        device = candidate.device
        if (why := self._uncounted(candidate)) is not None:
            return why
        if self._gates.device_taints:
            taint = prevents(device.get("taints") or (), request.tolerations)
            if taint is not None:
                return Rule.TAINT, f"{taint_text(taint)} not tolerated"
        for constraint in self._constraints[claim]:
            if problem := constraint.violated(request, candidate.id[0], device):
                return Rule.CONSTRAINT, problem
        return None

    def take(self, candidate: Candidate, claim: int, request: Request) -> Pick:
        """Take a device that nothing refuses."""
        charged = not self._is_charged(candidate)
        shared = self.is_shared(candidate)
        share = self._need(candidate, request).amounts if shared else None
        pick = Pick(claim, request, candidate, share, charged)
        if charged:
            self._charge(candidate, -1)
        for constraint in self._constraints[claim]:
            constraint.add(request, candidate.id[0], candidate.device)
        self.picks.append(pick)
        self.by_device.setdefault(candidate.id, []).append(pick)
        return pick

    def give_back(self) -> None:
        """Give back what was taken last."""
        pick = self.picks.pop()
        self.by_device[pick.candidate.id].pop()
        for constraint in self._constraints[pick.claim]:
            constraint.remove(pick.request)
        if pick.charged:
            self._charge(pick.candidate, 1)

    def most(self, claim: int, request: Request, candidates: Sequence[Candidate]) -> int:
        """Return how many of these devices the constraints of a claim leave to a request."""
        devices = [(each.id[0], each.device) for each in candidates]
        limits = (each.most(request, devices) for each in self._constraints[claim])
        return min(limits, default=len(devices))

    def constrained(self, claim: int) -> Hashable:
        """Return what the constraints of a claim demand of its next devices."""
        return tuple(each.state for each in self._constraints[claim])

    def available(self, candidate: Candidate) -> dict[counters.Counter, Fraction]:
        """Return what is left of the counters of a device's pool."""
        pool = candidate.pool
        if pool.id not in self._left:
            left = self._left[pool.id] = counters.available(pool, self._in_use)
            self._first[pool.id] = dict(left)
            self._blocked[pool.id] = counters.overbooked(left)
        return self._left[pool.id]

    def at_first(self, candidate: Candidate) -> dict[counters.Counter, Fraction]:
        """Return what was left of the counters of a device's pool before anything was taken."""
        self.available(candidate)
        return self._first[candidate.pool.id]

    def overbooked(self, candidate: Candidate) -> counters.Counter | None:
        """Return the counter that blocks the pool of a device, if one does."""
        self.available(candidate)
        return self._blocked[candidate.pool.id]

    def standing(self, candidate: Candidate) -> Hashable:
        """Return what allocated claims hold of a device."""
        shares = self._in_use.shared.get(candidate.id)
        shared = None if shares is None else tuple(sorted(shares.items()))
        return candidate.id in self._in_use.holders, shared

    def _uncounted(self, candidate: Candidate) -> Why | None:
        if not candidate.device.get("consumesCounters"):
            return None
        if not self._gates.partitionable_devices:
            return Rule.FEATURE, "it consumes counters, but DRAPartitionableDevices is disabled"
        if self._is_charged(candidate):
            return None
        if (counter := self.overbooked(candidate)) is not None:
            left = self.available(candidate)[counter]
            told = f"counter {counter[1]} of {counter[0]} is overbooked: {left} left"
            return Rule.COUNTERS, told
        problem = counters.short(self.available(candidate), self._draws(candidate))
        return (Rule.COUNTERS, problem) if problem else None

    def _is_charged(self, candidate: Candidate) -> bool:
        """Tell whether another share has paid for the counters of a device."""
        return self.is_shared(candidate) and (
            candidate.id in self._in_use.shared
            or any(each.share is not None for each in self.by_device.get(candidate.id, ()))
        )

    def _charge(self, candidate: Candidate, sign: int) -> None:
        if candidate.device.get("consumesCounters"):
            left = self.available(candidate)
            for counter, amount in self._draws(candidate):
                left[counter] += sign * amount

    def _draws(self, candidate: Candidate) -> tuple[tuple[counters.Counter, Fraction], ...]:
        if candidate.id not in self._drawn:
            self._drawn[candidate.id] = tuple(counters.consumption(candidate.device))
        return self._drawn[candidate.id]
