"""Several candidates for one Lease, on a clock that tests turn, without threads.

Requests take time and get lost, before or after they were carried out. While one candidate waits
for an answer time goes on for the others, so that their requests come in between.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from api.objects import JSON, Key
from api.resources import LEASES, Resource
from kube.elector import Elector
from kube.errors import KubeError, ReadTimeout
from kube.leases import Timing, holder_of
from testing.apiserver import MemoryApi

SPACE = "fake-system"
NAME = "lease"

Way = tuple[float, bool, float, bool]
"""Of a request: seconds on the way, whether it gets lost there, and the same for its answer."""

Fate = Callable[[str], Way]
"""Gives the way of a request of a candidate."""

STRAIGHT: Way = (0.0, False, 0.0, False)
CUT: Way = (0.0, True, 0.0, False)


def at_once(_name: str) -> Way:
    """Let every request and answer arrive at once."""
    return STRAIGHT


def cut(_name: str) -> Way:
    """Let no request arrive."""
    return CUT


@dataclass
class Candidate:
    """One elector, and what it told its program; implements kube.elector.Listener."""

    name: str
    world: "World"
    offset: float
    told: list[str] = field(default_factory=list)
    alive: bool = True
    busy: bool = False
    due: float = 0.0

    def __post_init__(self) -> None:
        self.elector = Elector(
            Line(self),
            self,
            namespace=SPACE,
            name=NAME,
            identity=self.name,
            timing=self.world.timing,
            clock=lambda: self.world.now + self.offset,
            wall=lambda: 1e9 + self.world.now - 7 * self.offset,
            rand=self.world.rand.random,
        )

    def started(self) -> None:
        self.told.append("started")
        self.world.leads(self, True)

    def lost(self) -> None:
        self.told.append("lost")
        self.world.leads(self, False)
        self.alive = False

    def standby(self, holder: str) -> None:
        self.told.append(f"standby {holder}")

    def failed(self, error: KubeError) -> None:
        self.told.append(type(error).__name__)

    def attempt(self) -> None:
        """Do what `Elector.run` does once."""
        self.busy = True
        self.elector.attempt()
        self.busy = False
        self.due = self.world.now + self.elector.pause()

    def saw(self, lease: JSON) -> None:
        """Be told by the watch; a Lease that is free wakes up `run`."""
        self.elector.saw(None, lease)
        if not holder_of(lease):
            self.due = self.world.now

    def crash(self) -> None:
        """End without a word."""
        self.alive = False
        self.world.leads(self, False)

    def leave(self) -> None:
        """Stop in order."""
        self.world.leads(self, False)
        self.elector.release()
        self.alive = False


@dataclass
class Line:
    """The way from a candidate to the API server; implements kube.elector.LeaseApi."""

    candidate: Candidate

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        return self._send(lambda api: api.get(resource, name, namespace))

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        return self._send(lambda api: api.create(resource, body, namespace))

    def update(self, resource: Resource, body: JSON, *, subresource: str | None = None) -> JSON:
        return self._send(lambda api: api.update(resource, body, subresource=subresource))

    def _send(self, request: Callable[[MemoryApi], JSON]) -> JSON:
        world = self.candidate.world
        there, lost_there, back, lost_back = world.fate(self.candidate.name)
        world.run(there)
        if lost_there:
            raise ReadTimeout("the request got lost")
        answer: JSON | KubeError
        try:
            answer = request(world.api)
        except KubeError as error:
            answer = error
        world.tell_watches()
        world.run(back)
        if lost_back:
            raise ReadTimeout("the answer got lost")
        if isinstance(answer, KubeError):
            raise answer
        return answer


_Event = tuple[float, Candidate, JSON]
"""When a candidate's watch shows it which Lease."""


class World:
    """The candidates, the API server, and the time.

    Attributes:
        now: true time; no candidate sees it.
        leaders: names of the candidates that believe they lead.
        worst: the most leaders that there were at one time.
        took_over: when which candidate began to lead.
    """

    def __init__(
        self,
        *offsets: float,
        timing: Timing | None = None,
        fate: Fate = at_once,
        lag: Callable[[], float] | None = lambda: 0.0,
        seed: int = 0,
    ) -> None:
        """Make one candidate for each offset of a clock.

        Args:
            offsets: of the candidates' clocks.
            timing: of the election.
            fate: of each request.
            lag: of each event of a watch, in seconds; None without watches.
            seed: of the jitter.
        """
        self.now = 0.0
        self.timing = timing or Timing()
        self.fate = fate
        self.rand = random.Random(seed)
        self.api = MemoryApi()
        self.leaders: set[str] = set()
        self.worst = 0
        self.took_over: list[tuple[float, str]] = []
        self._lag = lag
        self._events: list[_Event] = []
        self._told = ""
        self.candidates: list[Candidate] = []
        for offset in offsets:
            self.join(offset)

    @property
    def lease(self) -> JSON:
        """As stored."""
        return self.api.find(LEASES, NAME, SPACE)

    def join(self, offset: float = 0.0) -> None:
        """Add a candidate that begins now."""
        self.candidates.append(Candidate(f"c{len(self.candidates)}", self, offset, due=self.now))

    def leads(self, candidate: Candidate, leads: bool) -> None:
        """Note what a candidate believes."""
        if leads and candidate.alive:
            self.leaders.add(candidate.name)
            self.took_over.append((self.now, candidate.name))
        else:
            self.leaders.discard(candidate.name)
        self.worst = max(self.worst, len(self.leaders))

    def tell_watches(self) -> None:
        """Send an event to every candidate if the Lease has changed."""
        stored = self.api.objects.get((LEASES.plural, Key(f"{SPACE}/{NAME}")))
        if self._lag is None or stored is None:
            return
        version = stored["metadata"]["resourceVersion"]
        if version != self._told:
            self._told = version
            for candidate in self.candidates:
                self._events.append((self.now + self._lag(), candidate, self.lease))

    def run(self, seconds: float) -> None:
        """Let time pass, and everybody do what is due."""
        end = self.now + seconds
        while (found := self._next(end)) is not None:
            when, act = found
            self.now = max(self.now, when)
            act()
        self.now = max(self.now, end)

    def _next(self, end: float) -> tuple[float, Callable[[], None]] | None:
        due: list[tuple[float, Callable[[], None]]] = []
        for candidate in self.candidates:
            if candidate.alive:
                due += self._of(candidate)
        due += [(event[0], partial(self._deliver, event)) for event in self._events]
        due = [each for each in due if each[0] <= end]
        return min(due, key=lambda each: each[0]) if due else None

    def _of(self, candidate: Candidate) -> list[tuple[float, Callable[[], None]]]:
        found: list[tuple[float, Callable[[], None]]] = []
        left = candidate.elector.seconds_left()
        if left is not None:
            found.append((self.now + left, candidate.elector.check))
        if not candidate.busy:
            found.append((candidate.due, candidate.attempt))
        return found

    def _deliver(self, event: _Event) -> None:
        self._events.remove(event)
        _, candidate, lease = event
        if candidate.alive:
            candidate.saw(lease)
