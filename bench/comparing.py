"""Compares programs with other drivers, a former version and plain requests; pure.

Each figure is a ratio to something of the same run where it can be; of several runs the medians.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Calls, Classic, Negotiation, Node, Plugin, Structured
from bench.statistics import ratio
from bench.variants import MANY_NODES, Variant

_OURS = Variant()
_REFERENCES = (
    (Variant("former"), _OURS, "the former version"),
    (_OURS, Variant(communication="handle"), "the NAS mode"),
)
"""With what a variant is compared: the reference, the variant, what the reference is called."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure.

    Attributes:
        name: with its unit.
        value: of ours.
        to: what it is compared with; empty for nothing.
        other: the same figure of that.
        ratio: of both; of several runs the median of theirs. The value itself without another.
        bound: of a goal on the ratio; None for no goal.
    """

    name: str
    value: float
    to: str
    other: float | None
    ratio: float
    bound: float | None

    @classmethod
    def of(
        cls,
        name: str,
        value: float,
        bound: float | None = None,
        *,
        to: str = "",
        other: float | None = None,
    ) -> "Compared":
        """Return the figure of one run."""
        return cls(name, value, to, other, value if other is None else ratio(value, other), bound)


def compared(runs: Sequence[Structured]) -> list[Compared]:
    """Return the figures of all runs with plugins of the framework, each once."""
    return _joined(each for run in runs for each in _run(run))


def compared_variants(runs: Sequence[Classic]) -> list[Compared]:
    """Return how variants of a classic driver compare in all runs, each figure once."""
    return _joined(each for run in runs for each in _variants(run))


def _joined(figures: Iterable[Compared]) -> list[Compared]:
    found: dict[tuple[str, str], list[Compared]] = {}
    for each in figures:
        found.setdefault((each.name, each.to), []).append(each)
    return [_medians(each) for each in found.values()]


def _medians(runs: Sequence[Compared]) -> Compared:
    first = runs[0]
    others = [each.other for each in runs if each.other is not None]
    return Compared(
        first.name,
        median(each.value for each in runs),
        first.to,
        median(others) if others else None,
        median(each.ratio for each in runs),
        first.bound,
    )


def _variants(run: Classic) -> Iterator[Compared]:
    negotiations = {(each.variant, each.potential): each for each in run.negotiations}
    nodes = {each.variant: each for each in run.nodes}
    for reference, variant, to in _REFERENCES:
        for (measured, potential), other in negotiations.items():
            if measured == reference and (variant, potential) in negotiations:
                yield _controller(negotiations[variant, potential], other, to)
        if reference in nodes and variant in nodes:
            yield from _plugins(nodes[variant], nodes[reference], to)


def _controller(ours: Negotiation, other: Negotiation, to: str) -> Compared:
    is_former = other.variant.whose == "former"
    bound = 0.6 if is_former and ours.potential >= MANY_NODES else None
    name = f"CPU per claim, {ours.potential} potential nodes, ms"
    return Compared.of(name, ours.cpu_ms, bound, to=to, other=other.cpu_ms)


def _plugins(ours: Node, other: Node, to: str) -> Iterator[Compared]:
    bound = None if other.variant.whose == "former" else 0.6
    for mine, theirs in zip(ours.calls, other.calls, strict=True):
        at = f"{mine.concurrency} at a time, ms"
        for name, limit, value, reference in (
            ("prepare", bound, mine.prepare.p50, theirs.prepare.p50),
            ("unprepare", None, mine.unprepare.p50, theirs.unprepare.p50),
        ):
            yield Compared.of(f"{name} p50, {at}", _ms(value), limit, to=to, other=_ms(reference))
    yield Compared.of("plugin's CPU per call, ms", ours.cpu_ms, to=to, other=other.cpu_ms)


def _run(run: Structured) -> Iterator[Compared]:
    ours = run.ours
    if run.peer is not None:
        yield from _against_peer(ours, run.peer)
    alone = _ms(ours.calls[0].prepare.p50)
    read = _ms(run.unavoidable.p50)
    yield Compared.of(
        "prepare p50, 1 at a time, ms", alone, 1.5, to="a GET and two fsyncs", other=read
    )
    yield Compared.of("reads of a prepare", ours.reads, 1.0)
    yield Compared.of("writes of a prepare", ours.writes, 0.0)
    yield Compared.of("reads of an unprepare", ours.reads_down, 0.0)
    yield Compared.of("socket serving after start, s", ours.start.socket, 0.7)
    yield Compared.of("5,000 devices, s", run.grown, 1.2, to="a plain client", other=run.plain)
    wheres = (("as in a pod", ours, 0.8), ("with a kubeconfig", run.outside, 0.6))
    for (where, plugin, bound), former in zip(wheres, run.former_rss_mib, strict=False):
        yield from _memory(where, plugin, former, bound)


def _against_peer(ours: Plugin, peer: Plugin) -> Iterator[Compared]:
    if peer.fast is not None:
        yield Compared.of(
            "prepare p50, 1 at a time, ms",
            _ms(ours.calls[0].prepare.p50),
            0.8,
            to="the peer with a fast GET",
            other=_ms(peer.fast.p50),
        )
    for pair in zip(ours.calls, peer.calls, strict=True):
        yield from _calls(*pair)
    to = "the peer"
    yield Compared.of("CPU of a call, ms", ours.cpu_ms, 1.5, to=to, other=peer.cpu_ms)
    yield Compared.of("reads of a prepare", ours.reads, to=to, other=peer.reads)
    for name, bound, mine, theirs in (
        ("slices after start, s", 0.8, ours.start.slices, peer.start.slices),
        ("socket serving after start, s", None, ours.start.socket, peer.start.socket),
        ("RSS after start, MiB", 1.1, ours.start.rss_mib, peer.start.rss_mib),
        ("RSS at the end, MiB", 1.1, ours.rss_mib, peer.rss_mib),
    ):
        yield Compared.of(name, mine, bound, to=to, other=theirs)


def _calls(ours: Calls, peer: Calls) -> Iterator[Compared]:
    """Yield calls at a concurrency; one at a time, only the peer's fast ones are a goal."""
    at, to = f"{ours.concurrency} at a time, ms", "the peer"
    bound = None if ours.concurrency == 1 else 0.4
    mine, theirs = _ms(ours.prepare.p50), _ms(peer.prepare.p50)
    yield Compared.of(f"prepare p50, {at}", mine, bound, to=to, other=theirs)
    mine, theirs = _ms(ours.unprepare.p50), _ms(peer.unprepare.p50)
    yield Compared.of(f"unprepare p50, {at}", mine, 1.0, to=to, other=theirs)


def _memory(where: str, ours: Plugin, former: float, bound: float) -> Iterator[Compared]:
    to = "the former version"
    yield Compared.of(
        f"RSS after start {where}, MiB", ours.start.rss_mib, bound, to=to, other=former
    )
    yield Compared.of(f"RSS at the end {where}, MiB", ours.rss_mib)


def _ms(seconds: float) -> float:
    return 1000 * seconds
