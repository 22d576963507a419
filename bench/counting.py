"""How much a driver does in a phase: its CPU time, and its requests.

The API server counts everybody's requests, the benchmark its own; the difference is the driver's.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.resources import STATES
from bench import exposition
from bench.exposition import Requests
from bench.programs import Program

COUNTED: Final = frozenset(
    {
        "resourceclaims",
        "podschedulingcontexts",
        "resourceclasses",
        "resourceslices",
        "nodeallocationstates",
        "fakeclaimparameters",
        "deviceclassparameters",
        "pods",
        "nodes",
        "events",
    }
)


class OwnRequests:
    """Counts the requests of the benchmark; a kube.client.RequestObserver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Requests = Counter()

    def __call__(self, verb: str, resource: str, code: int, seconds: float) -> None:  # noqa: ARG002
        """Take note of a request."""
        with self._lock:
            self._made[verb, resource.partition("/")[0], code] += 1

    def made(self) -> Requests:
        """Return what was counted so far."""
        with self._lock:
            return Counter(self._made)


@dataclass(frozen=True, slots=True)
class Effort:
    """What a driver did in a phase.

    Attributes:
        cpu_seconds: CPU time.
        requests: by verb, resource and status; None where nobody counts them.
    """

    cpu_seconds: float
    requests: Requests | None

    def cpu_ms(self, items: int) -> float:
        """Return the CPU time per item in milliseconds."""
        return 1000 * self.cpu_seconds / items

    def writes(self, items: int) -> float | None:
        """Return the writes per item."""
        return None if self.requests is None else exposition.writes(self.requests) / items

    def reads(self, items: int) -> float | None:
        """Return the gets and lists per item."""
        return None if self.requests is None else exposition.reads(self.requests) / items

    def state_writes(self, items: int) -> float | None:
        """Return the writes of node states per item, refused ones included."""
        if self.requests is None:
            return None
        of_states = {key: n for key, n in self.requests.items() if key[1] == STATES.plural}
        return exposition.writes(Counter(of_states)) / items

    def breakdown(self, items: int) -> dict[str, float]:
        """Return the requests per item, by `verb resource status`."""
        return {} if self.requests is None else exposition.per_item(self.requests, items)


class Meter:
    """Measures one program's effort between two moments at which nothing is under way."""

    def __init__(
        self, program: Program, own: OwnRequests, metrics: Callable[[], str] | None
    ) -> None:
        """Begin a phase, once the program is quiet.

        Args:
            program: under test.
            own: what the benchmark itself requests.
            metrics: of the API server, None if it has none.
        """
        self._program = program
        self._own = own
        self._metrics = metrics
        program.settle()
        self._cpu, self._requests = self._now()

    def effort(self) -> Effort:
        """End the phase, once the program is quiet, and return what it did."""
        self._program.settle()
        cpu, requests = self._now()
        if requests is None or self._requests is None:
            return Effort(cpu - self._cpu, None)
        return Effort(cpu - self._cpu, requests - self._requests)

    def _now(self) -> tuple[float, Requests | None]:
        cpu = self._program.usage().cpu_seconds
        if self._metrics is None:
            return cpu, None
        seen = exposition.parse(self._metrics(), COUNTED)
        seen.subtract(self._own.made())
        return cpu, seen
