"""Measures a controller on a large store: its start, its memory, its answers, its idle work."""

from collections.abc import Sequence

from bench.concurrency import concurrently
from bench.counting import Effort
from bench.figures import Scale
from bench.negotiating import Stage, first_answer_of
from bench.objects import Consumer
from bench.programs import Program
from bench.scheduling import Scheduler
from bench.statistics import Latency

POTENTIAL = 128


def measure(stage: Stage, stored: int) -> Scale:
    """Measure a fresh controller.

    Args:
        stage: with all its nodes published.
        stored: claims that are in the store.
    """
    cold, warm = len(stage.nodes) // POTENTIAL, stage.amount.samples
    with (
        Scheduler(stage.site) as scheduler,
        stage.site.consumers("scale", 1 + cold + warm) as pods,
        stage.controller() as program,
    ):
        first, unknown, known = pods[0], pods[1 : 1 + cold], pods[1 + cold :]
        first_answer = first_answer_of(program, scheduler, first, stage.potential(0, 1))
        program.settle()
        started = program.usage()
        meter = stage.meter(program)
        _ask(stage, scheduler, unknown)
        parsing = meter.effort()
        meter = stage.meter(program)
        ask = _ask(stage, scheduler, known)
        answers = meter.effort()
        events = _touch(stage, program)
        ended = program.usage()
    return Scale(
        nodes=len(stage.nodes),
        claims=stored,
        first_answer=first_answer,
        rss_mib=started.rss_mib,
        peak_rss_mib=ended.peak_rss_mib,
        ask=ask,
        answer_cpu_ms=answers.cpu_ms(warm),
        cold_answer_cpu_ms=parsing.cpu_ms(cold),
        reads=answers.reads(warm),
        event_cpu_ms=events.cpu_ms(stage.amount.events),
    )


def _ask(stage: Stage, scheduler: Scheduler, pods: Sequence[Consumer]) -> Latency:
    """Ask for all nodes in turn, each time for others."""
    return Latency.of(
        scheduler.ask(pod, stage.potential(number * POTENTIAL, POTENTIAL)).seconds
        for number, pod in enumerate(pods)
    )


def _touch(stage: Stage, program: Program) -> Effort:
    """Change node states in a way that is of no interest to a controller."""
    driver, client = stage.site.driver, stage.site.client
    meter = stage.meter(program)

    def touch(number: int) -> None:
        node = stage.nodes[number % len(stage.nodes)]
        # a patch that changes nothing is no event, so that each has to be another
        patch = {"metadata": {"annotations": {"bench": f"{len(stage.nodes)}-{number}"}}}
        client.patch(driver.states, node, patch, namespace=driver.namespace)

    concurrently(touch, range(stage.amount.events), stage.amount.concurrency)
    return meter.effort()
