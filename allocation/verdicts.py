"""What comes of an attempt to allocate: allocations, or refusals that say which rule and why.

A refusal names node, claim, request and device as far as they matter. Where Kubernetes refuses what
a reader would expect to fit, `oddity` says so.
"""

from dataclasses import dataclass
from enum import StrEnum

from api.objects import JSON


class Rule(StrEnum):
    """What refuses a device, a request, or all claims together."""

    IN_USE = "in-use"
    SAME_CLAIM = "same-claim"
    BINDING_CONDITIONS = "binding-conditions"
    CLASS_SELECTOR = "class-selector"
    SELECTOR = "selector"
    NODE = "node"
    CAPACITY = "capacity"
    COUNTERS = "counters"
    TAINT = "taint"
    CONSTRAINT = "constraint"
    POOL = "pool"
    COUNT = "count"
    TOGETHER = "together"
    RESULTS = "results"
    FEATURE = "feature"
    CLASS = "class"
    REQUEST = "request"
    SELECTOR_ERROR = "selector-error"
    SELECTOR_SYNTAX = "selector-syntax"
    CAPACITY_ERROR = "capacity-error"
    UNKNOWN = "unknown"
    BUDGET = "budget"


class Outcome(StrEnum):
    """How an attempt ended without allocations.

    REFUSED: this node can't; others may. INVALID: Kubernetes ends the attempt on all nodes.
    UNKNOWN: it can't be told here what Kubernetes does. GAVE_UP: the budget of steps is used up.
    """

    REFUSED = "refused"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    GAVE_UP = "gave-up"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason.

    Attributes:
        claim: `namespace/name`.
        request: its name, `request/subrequest` for an alternative; empty if it is about more.
        device: `driver/pool/device`; empty if it is about more.
        text: what is refused, with the numbers.
        oddity: how Kubernetes differs here from what one expects; empty if it doesn't.
        unselected: whether this is why a request for all devices is not for this one.
    """

    rule: Rule
    node: str
    text: str
    claim: str = ""
    request: str = ""
    device: str = ""
    oddity: str = ""
    unselected: bool = False


@dataclass(frozen=True, slots=True)
class Effort:
    """How much an attempt took.

    Attributes:
        steps: that were taken here.
        upstream: that Kubernetes takes for the same, about; it tries equal devices one by one.
    """

    steps: int = 0
    upstream: int = 0

    @property
    def upstream_gives_up(self) -> bool:
        """Whether Kubernetes would reach its limit of 10 s for a node."""
        return self.upstream > _UPSTREAM_STEPS


_UPSTREAM_STEPS = 10_000_000


@dataclass(frozen=True, slots=True)
class Allocation:
    """What to write as `status.allocation` of each claim, in the order of the claims."""

    claims: tuple[JSON, ...]
    effort: Effort = Effort()


@dataclass(frozen=True, slots=True)
class Refusals:
    """Why the claims can't be allocated on a node; the first refusal is what it ended with."""

    outcome: Outcome
    reasons: tuple[Refusal, ...]
    effort: Effort = Effort()

    @property
    def message(self) -> str:
        """What it ended with."""
        return self.reasons[0].text if self.reasons else ""
