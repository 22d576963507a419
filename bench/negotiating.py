"""Measures a controller and the floor for one number of potential nodes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import floor, objects
from bench.concurrency import concurrently
from bench.counting import Meter
from bench.errors import NotSeen
from bench.figures import Floor, Negotiation
from bench.floor import Task
from bench.objects import Consumer
from bench.programs import Program
from bench.scheduling import Scheduler
from bench.settings import Amount, Subject
from bench.site import Site
from bench.statistics import Latency

PROCESSES = 2
"""Of the floor: as many as there are with a driver, which are the benchmark and the controller."""

_COMPLETE_SECONDS = 6.0
"""In the handle mode node states have lost, this long after an allocation, what claims say."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every measurement of a controller needs.

    Attributes:
        site: the API server.
        subject: the programs under test.
        amount: sizes of samples.
        nodes: names of the nodes with a NAS.
    """

    site: Site
    subject: Subject
    amount: Amount
    nodes: Sequence[str]

    def controller(self) -> Program:
        """Return the controller under test, not yet running."""
        subject, log = self.subject, self.subject.logs / "controller.log"
        way = self.site.server.way
        return way.program("the controller", subject.controller, log, subject.environment())

    def potential(self, number: int, count: int) -> list[str]:
        """Return `count` nodes for the claim of a number; neighbours begin with different ones."""
        start = number % len(self.nodes)
        return [self.nodes[(start + index) % len(self.nodes)] for index in range(count)]

    def meter(self, program: Program) -> Meter:
        """Begin to measure a phase."""
        return Meter(program, self.site.own, self.site.server.metrics)


def measure_floor(stage: Stage, potential: int) -> Floor:
    """Measure the floor; the controller must not run."""
    alone = _floor(stage, potential, stage.amount.samples, 1, 1)
    count = stage.amount.claims
    together = _floor(stage, potential, count, PROCESSES, stage.amount.concurrency // PROCESSES)
    return floor.summary(count, alone, together)


def _floor(
    stage: Stage, potential: int, count: int, processes: int, concurrency: int
) -> tuple[floor.Span, floor.Span]:
    with stage.site.consumers("floor", count, objects.FLOOR) as consumers:
        tasks = []
        for number, consumer in enumerate(consumers):
            nodes = stage.potential(number, potential)
            tasks.append(Task(consumer, tuple(nodes), nodes[0]))
        return floor.measure(
            str(stage.site.server.way.kubeconfig),
            stage.site.driver,
            tasks,
            variant=stage.subject.variant,
            processes=processes,
            concurrency=concurrency,
        )


def measure(stage: Stage, potential: int) -> Negotiation:
    """Measure the floor, then a fresh controller: one claim at a time, then all at once."""
    lowest = measure_floor(stage, potential)
    amount = stage.amount
    count = 1 + amount.samples + amount.claims
    with Scheduler(stage.site) as scheduler, stage.site.consumers(f"p{potential}", count) as all_:
        first, singles, rest = all_[0], all_[1 : 1 + amount.samples], all_[1 + amount.samples :]
        with stage.controller() as program:
            first_answer = first_answer_of(program, scheduler, first, stage.potential(0, potential))
            program.settle()
            ask, allocate, free = _singly(stage, scheduler, singles, potential)
            meter = stage.meter(program)
            own_cpu = time.process_time()
            up, down = _together(stage, scheduler, rest, potential)
            own_cpu = time.process_time() - own_cpu
            effort = meter.effort()
            used = program.usage()
    return Negotiation(
        variant=stage.subject.variant,
        potential=potential,
        floor=lowest,
        ask=ask,
        allocate=allocate,
        free=free,
        up=up,
        down=down,
        writes=effort.writes(amount.claims),
        reads=effort.reads(amount.claims),
        requests=effort.breakdown(amount.claims),
        cpu_ms=effort.cpu_ms(amount.claims),
        bench_cpu_ms=1000 * own_cpu / amount.claims,
        first_answer=first_answer,
        peak_rss_mib=used.peak_rss_mib,
    )


def first_answer_of(
    program: Program, scheduler: Scheduler, consumer: Consumer, potential: Sequence[str]
) -> float:
    """Return the seconds from a program's start to its first answer to a pod.

    Raises:
        NotStarted: the program has ended.
        NotSeen: it gives no answer.
    """
    try:
        return scheduler.ask(consumer, potential).seen - program.started
    except NotSeen:
        program.check()
        raise


def _singly(
    stage: Stage, scheduler: Scheduler, consumers: Sequence[Consumer], potential: int
) -> tuple[Latency, Latency, Latency]:
    asked, allocated, freed = [], [], []
    for number, consumer in enumerate(consumers):
        answer, allocation = scheduler.run(consumer, stage.potential(number, potential))
        asked.append(answer)
        allocated.append(allocation)
        freed.append(scheduler.free(consumer))
    return Latency.of(asked), Latency.of(allocated), Latency.of(freed)


def _together(
    stage: Stage, scheduler: Scheduler, consumers: Sequence[Consumer], potential: int
) -> tuple[float, float]:
    """Return claims per second, up and down."""
    concurrency = stage.amount.concurrency
    numbered = list(enumerate(consumers))
    began = time.monotonic()
    concurrently(
        lambda item: scheduler.run(item[1], stage.potential(item[0], potential)),
        numbered,
        concurrency,
    )
    up = time.monotonic() - began
    if stage.subject.handle:
        time.sleep(_COMPLETE_SECONDS)
    began = time.monotonic()
    concurrently(scheduler.free, consumers, concurrency)
    down = time.monotonic() - began
    return len(consumers) / up, len(consumers) / down
