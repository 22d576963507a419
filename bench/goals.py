"""What the driver promises, as bounds on figures of one run; pure.

Where it can be, a bound is a ratio to the floor or to a single write of the same run, so that it
means the same on every machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.comparing import Compared, compared
from bench.figures import (
    UNAVOIDABLE_DOWN,
    UNAVOIDABLE_UP,
    Explaining,
    Figures,
    Freed,
    Gathered,
    Negotiation,
    Node,
    Rollout,
    Scale,
)
from bench.statistics import ratio

Sense = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound and what was measured.

    Attributes:
        name: what is bounded, with its unit.
        sense: on which side of the bound it has to be.
        bound: the bound.
        value: measured.
    """

    name: str
    sense: Sense
    bound: float
    value: float

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.bound if self.sense == "at least" else self.value <= self.bound


def goals(figures: Figures) -> list[Goal]:
    """Return every goal that the figures say something about."""
    found: list[Goal] = []
    for negotiation in figures.negotiations:
        found += _negotiation(negotiation)
    if figures.freed is not None:
        found += _freed(figures.freed)
    if figures.gathered is not None:
        found += _gathered(figures.gathered)
    for scale in figures.scales:
        found += _scale(scale)
    if figures.node is not None:
        found += _node(figures.node)
    found += _compared(compared(figures.structured))
    if figures.webhook is not None:
        name = f"webhook, {figures.webhook.rate} reviews a second on one core: p99, ms"
        found.append(Goal(name, "at most", 20, 1000 * figures.webhook.review.p99))
    if figures.explaining is not None:
        found += _explaining(figures.explaining)
    found += _rollouts(figures.rollouts)
    return found


def _negotiation(figures: Negotiation) -> Iterator[Goal]:
    of = f"{figures.potential} potential nodes"
    floor = figures.floor
    yield Goal(f"claims/s up ÷ floor, {of}", "at least", 0.8, ratio(figures.up, floor.up))
    yield Goal(f"claims/s down ÷ floor, {of}", "at least", 0.8, ratio(figures.down, floor.down))
    if figures.writes is not None and figures.reads is not None:
        unavoidable = UNAVOIDABLE_UP + UNAVOIDABLE_DOWN
        made = figures.writes + figures.reads
        yield Goal(f"requests ÷ unavoidable writes, {of}", "at most", 1.1, made / unavoidable)
        yield Goal(f"reads per claim, {of}", "at most", 0.0, figures.reads)
    slowest = ratio(figures.ask.p99, floor.status_write.p50)
    yield Goal(f"unsuitableNodes p99 ÷ status write, {of}", "at most", 3.0, slowest)


def _explaining(figures: Explaining) -> Iterator[Goal]:
    of = f"explain, {figures.nodes} nodes and {figures.claims} claims"
    yield Goal(f"{of}: s", "at most", 5.0, figures.explain.seconds)
    yield Goal(f"{of}: peak RSS, MiB", "at most", 300.0, figures.explain.peak_rss_mib)
    relative = ratio(figures.explain.seconds, figures.get.seconds)
    yield Goal(f"{of}: time ÷ kubectl get", "at most", 2.0, relative)


def _freed(figures: Freed) -> Iterator[Goal]:
    value = 1000 * figures.answered.p99
    yield Goal("freed device to answer p99, ms", "at most", 100.0, value)


def _gathered(figures: Gathered) -> Iterator[Goal]:
    name = f"NAS writes for {figures.claims} claims on one node at the same time"
    yield Goal(name, "at most", 2.0, figures.up)


def _scale(figures: Scale) -> Iterator[Goal]:
    of = f"{figures.nodes} nodes"
    yield Goal(f"CPU of an answer for 128 nodes, ms, {of}", "at most", 5.0, figures.answer_cpu_ms)
    yield Goal(f"controller's peak RSS, MiB, {of}", "at most", 300.0, figures.peak_rss_mib)
    yield Goal(f"first answer after start, s, {of}", "at most", 10.0, figures.first_answer)
    if figures.reads is not None:
        yield Goal(f"reads per answer, {of}", "at most", 0.0, figures.reads)


def _rollouts(found: Sequence[Rollout]) -> Iterator[Goal]:
    seconds = {(each.kind, each.whose): each.seconds for each in found}
    ours = seconds.get(("classic", "ours"), 0.0)
    for (kind, whose), other, bound in (
        (("classic", "ours"), seconds.get(("classic", "former")), 0.5),
        (("structured", "ours"), ours, 1.0),
    ):
        if other and (kind, whose) in seconds:
            to = "the former version" if kind == "classic" else "classic ones"
            value = ratio(seconds[kind, whose], other)
            yield Goal(f"pods with {kind} claims until all run ÷ {to}", "at most", bound, value)


def _compared(found: Sequence[Compared]) -> Iterator[Goal]:
    for each in found:
        if each.bound is not None:
            name = f"{each.name} ÷ {each.to}" if each.to else each.name
            yield Goal(name, "at most", each.bound, each.ratio)


def _node(figures: Node) -> Iterator[Goal]:
    for calls in figures.calls:
        if calls.concurrency == 1:
            value = ratio(calls.prepare.p50, figures.state_write.p50)
            yield Goal("prepare p50 ÷ NAS write", "at most", 2.0, value)
    yield Goal("plugin's peak RSS, MiB", "at most", 60.0, figures.peak_rss_mib)
    yield Goal("plugin's cold start, s", "at most", 1.0, figures.first_answer)
