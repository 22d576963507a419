"""Measures how many writes of a node's NAS several claims take that come to it at the same time."""

from statistics import median

from bench.concurrency import concurrently
from bench.figures import Gathered
from bench.negotiating import Stage
from bench.scheduling import Scheduler
from bench.settings import DEVICES


def measure(stage: Stage) -> Gathered | None:
    """Fill a node at once and empty it again, several times; None where nobody counts requests."""
    turns, node = stage.amount.gathered, stage.nodes[0]
    up: list[float | None] = []
    down: list[float | None] = []
    with (
        Scheduler(stage.site) as scheduler,
        stage.site.consumers("gathered", DEVICES * turns) as pods,
        stage.controller() as program,
    ):
        for turn in range(turns):
            mine = pods[DEVICES * turn : DEVICES * (turn + 1)]
            answers = [(pod, scheduler.ask(pod, [node]).context) for pod in mine]
            meter = stage.meter(program)
            concurrently(lambda asked: scheduler.allocate(*asked, node), answers, DEVICES)
            up.append(meter.effort().state_writes(1))
            meter = stage.meter(program)
            concurrently(scheduler.free, mine, DEVICES)
            down.append(meter.effort().state_writes(1))
    known = [[count for count in counts if count is not None] for counts in (up, down)]
    return Gathered(DEVICES, *map(median, known)) if all(known) else None
