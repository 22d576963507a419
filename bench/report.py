"""The figures as one text for people and as one JSON object for programs; pure."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

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
from bench.goals import goals
from bench.statistics import Latency, medians, ratio
from bench.tables import Row, markdown

T = TypeVar("T")


def text(figures: Figures) -> str:
    """Return all tables."""
    where = f"{figures.server}, {figures.concurrency} claims at the same time"
    others = f"other programs used {100 * figures.others:.0f} % of the machine"
    parts = [f"measured on {where}; {others}\n"]
    rows = list(_rows(figures))
    parts.append(markdown(("figure", "driver", "reference", "ratio"), rows))
    parts.append(markdown(("goal", "bound", "value", "met"), list(_goals(figures))))
    return "\n".join(parts)


def as_json(figures: Figures) -> str:
    """Return the figures, in seconds and MiB, with the goals."""
    found = [dataclasses.asdict(goal) | {"met": goal.met} for goal in goals(figures)]
    return json.dumps(dataclasses.asdict(figures) | {"goals": found}, indent=1)


def _goals(figures: Figures) -> Iterator[Row]:
    for goal in goals(figures):
        sign = "≥" if goal.sense == "at least" else "≤"
        yield goal.name, f"{sign} {goal.bound:g}", _number(goal.value), "yes" if goal.met else "NO"


def _rows(figures: Figures) -> Iterator[Row]:
    if figures.classic:
        yield from _classic(figures.classic)
    if figures.structured:
        yield _title(f"plugin of the framework, 8 devices; medians of {len(figures.structured)}")
        yield from map(_against, compared(figures.structured))
    yield from _part(figures.webhook, _webhook)
    yield from _part(figures.explaining, _explaining)
    yield from chain.from_iterable(map(_rollout, figures.rollouts))


def _classic(runs: Sequence[Classic]) -> Iterator[Row]:
    """Return the medians of runs; of a former version what ours is compared with."""
    run = medians(runs)
    if len(runs) > 1:
        yield _title(f"medians of {len(runs)} runs, ratios are those of medians")
    for negotiation in run.negotiations:
        if negotiation.variant.whose == "ours":
            yield from _negotiation(negotiation)
    yield from _part(run.freed, _freed)
    yield from _part(run.gathered, _gathered)
    yield from chain.from_iterable(map(_scale, run.scales))
    for node in run.nodes:
        if node.variant.whose == "ours":
            yield from _node(node)
    if found := compared_variants(runs):
        yield _title("compared, ratios are those within a run")
        yield from map(_against, found)


def _part(figures: T | None, rows: Callable[[T], Iterator[Row]]) -> Iterator[Row]:
    """Return the rows of a part, none if it was not measured."""
    return iter(()) if figures is None else rows(figures)


def _webhook(figures: Webhook) -> Iterator[Row]:
    yield _title(f"admission webhook, {figures.rate} requests a second on one core")
    yield _latency("review p50/p99, ms; reference: ping", figures.review, figures.ping)
    yield _alone("CPU per review, ms", figures.cpu_ms)


def _explaining(figures: Explaining) -> Iterator[Row]:
    size = f"{figures.nodes} nodes of {figures.devices} devices, {figures.claims} claims"
    yield _title(f"fake-dra explain pod, {size}; reference: kubectl get -o json")
    explain, get = figures.explain, figures.get
    yield _compared("time, s", explain.seconds, get.seconds)
    yield _compared("CPU, s", explain.cpu_seconds, get.cpu_seconds)
    yield _compared("peak RSS, MiB", explain.peak_rss_mib, get.peak_rss_mib)


def _negotiation(figures: Negotiation) -> Iterator[Row]:
    floor = figures.floor
    variant = figures.variant
    yield _title(f"{figures.potential} potential nodes{variant}")
    yield _latency(
        "unsuitableNodes p50/p99, ms; reference: status write", figures.ask, floor.status_write
    )
    yield _latency("allocation p50/p99, ms", figures.allocate)
    yield _latency("deallocation p50/p99, ms", figures.free)
    yield _compared("claims/s up", figures.up, floor.up)
    yield _compared("claims/s down", figures.down, floor.down)
    yield _compared("writes per claim", figures.writes, variant.unavoidable)
    yield _alone("reads per claim", figures.reads)
    for request, count in figures.requests.items():
        yield _alone(f"- {request}", count)
    yield _compared(
        f"CPU per claim, ms; reference: all {variant.of_floor} writes",
        figures.cpu_ms,
        floor.cpu_ms,
    )
    yield _alone("CPU of the benchmark per claim, ms", figures.bench_cpu_ms)
    yield _alone("first answer after start, s", figures.first_answer)
    yield _alone("peak RSS, MiB", figures.peak_rss_mib)


def _freed(figures: Freed) -> Iterator[Row]:
    yield _title("a pod waits for a device")
    yield _latency("freed device to answer p50/p99, ms", figures.answered)
    yield _latency("freed device to allocation p50/p99, ms", figures.allocated)


def _gathered(figures: Gathered) -> Iterator[Row]:
    yield _title(f"{figures.claims} claims on one node at the same time")
    yield _compared("NAS writes up; reference: one for each", figures.up, figures.claims)
    yield _compared("NAS writes down; reference: one for each", figures.down, figures.claims)


def _scale(figures: Scale) -> Iterator[Row]:
    yield _title(f"{figures.nodes} nodes, {figures.claims} claims")
    yield _latency("unsuitableNodes of 128 p50/p99, ms", figures.ask)
    yield _alone("CPU per answer, ms", figures.answer_cpu_ms)
    yield _alone("CPU per answer about nodes never asked for, ms", figures.cold_answer_cpu_ms)
    yield _alone("reads per answer", figures.reads)
    yield _alone("CPU per NAS event, ms", figures.event_cpu_ms)
    yield _alone("first answer after start, s", figures.first_answer)
    yield _alone("RSS, MiB", figures.rss_mib)
    yield _alone("peak RSS, MiB", figures.peak_rss_mib)


def _node(figures: Node) -> Iterator[Row]:
    yield _title(f"kubelet plugin, 8 devices{figures.variant}")
    for calls in figures.calls:
        at = f"{calls.concurrency} at a time p50/p99, ms; reference: NAS write"
        yield _latency(f"prepare, {at}", calls.prepare, figures.state_write)
        yield _latency(f"unprepare, {at}", calls.unprepare, figures.state_write)
    yield _alone("NAS writes of a prepare", figures.state_writes)
    yield _alone("CPU per call, ms", figures.cpu_ms)
    yield _alone("cold start, s", figures.first_answer)
    yield _alone("peak RSS, MiB", figures.peak_rss_mib)


def _rollout(figures: Rollout) -> Iterator[Row]:
    what = f"{figures.pods} pods with {figures.kind} claims on {figures.nodes} nodes"
    yield _title(f"embedded cluster{' before' if figures.whose == 'former' else ''}, {what}")
    yield _alone("devices of all nodes after start, s", figures.ready)
    yield _alone("CPU of cluster and programs until then, s", figures.ready_cpu)
    yield _alone("until all pods run, s", figures.seconds)
    yield _alone("CPU of cluster and programs meanwhile, s", figures.cpu)


def _against(each: Compared) -> Row:
    if each.other is None:
        return _alone(each.name, each.value)
    name = f"{each.name}; reference: {each.to}"
    return name, _number(each.value), _number(each.other), _number(each.ratio)


def _title(name: str) -> Row:
    return f"**{name}**", "", "", ""


def _latency(name: str, driver: Latency, floor: Latency | None = None) -> Row:
    if floor is None:
        return name, _pair(driver), "", ""
    shares: Sequence[float] = (ratio(driver.p50, floor.p50), ratio(driver.p99, floor.p99))
    return name, _pair(driver), _pair(floor), "/".join(_number(share) for share in shares)


def _compared(name: str, driver: float | None, floor: float) -> Row:
    if driver is None:
        return name, "not counted", _number(floor), ""
    return name, _number(driver), _number(floor), _number(ratio(driver, floor))


def _alone(name: str, driver: float | None) -> Row:
    return name, "not counted" if driver is None else _number(driver), "", ""


def _pair(latency: Latency) -> str:
    return f"{_number(1000 * latency.p50)}/{_number(1000 * latency.p99)}"


def _number(value: float) -> str:
    """Return about three digits: 0.123, 1.23, 12.3, 123."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
