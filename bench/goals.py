"""What the driver promises, as bounds on figures; pure.

Where it can be, a bound is a ratio to the floor or to a single write of the same run, so that it
means the same on every machine. Of several runs the median counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import median
from typing import Literal

from bench.comparing import Compared, compared, compared_variants
from bench.figures import (
    Classic,
    Explaining,
    Figures,
    Freed,
    Gathered,
    Negotiation,
    Node,
    Rollout,
    Scale,
    Webhook,
)
from bench.statistics import ratio
from bench.variants import MANY_NODES, Variant

Sense = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound and what was measured.

    Attributes:
        name: what is bounded, with its unit.
        sense: on which side of the bound it has to be.
        bound: the bound.
        value: measured; of several runs the median.
        values: those of the runs.
    """

    name: str
    sense: Sense
    bound: float
    value: float
    values: tuple[float, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.bound if self.sense == "at least" else self.value <= self.bound


def goals(figures: Figures) -> list[Goal]:
    """Return every goal that the figures say something about."""
    found = chain(
        *map(_classic, figures.classic),
        *(_compared(compared([run])) for run in figures.structured),
        () if figures.webhook is None else _webhook(figures.webhook),
        () if figures.explaining is None else _explaining(figures.explaining),
        _rollouts(figures.rollouts),
    )
    return _joined(found)


def _joined(runs: Iterable[Goal]) -> list[Goal]:
    """Return the goals of several runs, each once."""
    found: dict[str, list[Goal]] = {}
    for each in runs:
        found.setdefault(each.name, []).append(each)
    values = {name: tuple(each.value for each in same) for name, same in found.items()}
    return [
        replace(same[0], value=median(values[name]), values=values[name])
        for name, same in found.items()
    ]


def _classic(run: Classic) -> Iterator[Goal]:
    for negotiation in run.negotiations:
        if negotiation.variant.whose == "ours":
            yield from _negotiation(negotiation)
    if run.freed is not None:
        yield from _freed(run.freed)
    if run.gathered is not None:
        yield from _gathered(run.gathered)
    for scale in run.scales:
        yield from _scale(scale)
    for node in run.nodes:
        if node.variant.whose == "ours":
            yield from _node(node)
    yield from _compared(compared_variants([run]))


def _negotiation(figures: Negotiation) -> Iterator[Goal]:
    of = f"{figures.potential} potential nodes{figures.variant}"
    floor = figures.floor
    up = 0.85 if figures.potential >= MANY_NODES else 0.95
    yield Goal(f"claims/s up ÷ floor, {of}", "at least", up, ratio(figures.up, floor.up))
    yield Goal(f"claims/s down ÷ floor, {of}", "at least", 0.95, ratio(figures.down, floor.down))
    if figures.writes is not None and figures.reads is not None and figures.variant == Variant():
        made = ratio(figures.writes + figures.reads, figures.variant.unavoidable)
        yield Goal(f"requests ÷ unavoidable writes, {of}", "at most", 1.1, made)
        yield Goal(f"reads per claim, {of}", "at most", 0.0, figures.reads)
    slowest = ratio(figures.ask.p99, floor.status_write.p50)
    yield Goal(f"unsuitableNodes p99 ÷ status write, {of}", "at most", 2.5, slowest)


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
    yield Goal(f"CPU of an answer for 128 nodes, ms, {of}", "at most", 3.0, figures.answer_cpu_ms)
    yield Goal(f"controller's peak RSS, MiB, {of}", "at most", 200.0, figures.peak_rss_mib)
    yield Goal(f"first answer after start, s, {of}", "at most", 4.0, figures.first_answer)
    yield Goal(f"CPU of a NAS change, ms, {of}", "at most", 0.3, figures.event_cpu_ms)
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
    if figures.variant.frees_in_nas:
        for calls in figures.calls:
            value = ratio(calls.prepare.p50, figures.state_write.p50)
            bound = 1.5 if calls.concurrency == 1 else 3.0
            yield Goal(
                f"prepare p50 ÷ NAS write, {calls.concurrency} at a time", "at most", bound, value
            )
    elif figures.state_writes is not None:
        name = f"NAS writes of a prepare{figures.variant}"
        yield Goal(name, "at most", 0.0, figures.state_writes)
    of = str(figures.variant)
    yield Goal(f"plugin's peak RSS, MiB{of}", "at most", 60.0, figures.peak_rss_mib)
    yield Goal(f"plugin's cold start, s{of}", "at most", 1.0, figures.first_answer)


def _webhook(figures: Webhook) -> Iterator[Goal]:
    name = f"webhook, {figures.rate} reviews a second on one core: p99, ms"
    yield Goal(name, "at most", 20, 1000 * figures.review.p99)
