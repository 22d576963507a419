"""What a search looks for, and where it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from allocation.kinds import Kind
from allocation.published import Candidate
from allocation.requests import Claim, Request
from allocation.verdicts import Rule

Selects: TypeAlias = Callable[[Request, Candidate], Rule | None]
"""Returns which rule refuses a device by its kind; ends the attempt if a selector fails."""

KindOf: TypeAlias = Callable[[Candidate], Kind]


@dataclass(frozen=True, slots=True)
class Slot:
    """The next device to find: of a claim, a request, and an alternative of it."""

    claim: int
    request: int
    alternative: int = 0
    device: int = 0
    start: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is searched for.

    Attributes:
        everything: the devices of requests for all.
        kind: of a device, as far as these claims tell devices apart.
        budget: of steps.
        patience: steps after which it is asked what too few devices fit.
    """

    node: str
    claims: Sequence[Claim]
    candidates: Sequence[Candidate]
    everything: dict[Request, Sequence[Candidate]]
    selects: Selects
    kind: KindOf
    budget: int
    patience: int
