"""Measures how many writes of a node's NAS several claims take that come to it at the same time."""

from statistics import median

from bench.concurrency import concurrently
from bench.counting import Effort
from bench.figures import Gathered
from bench.negotiating import Stage
from bench.scheduling import Scheduler
from bench.settings import DEVICES

_NODE_STATES = "nodeallocationstates"


def measure(stage: Stage) -> Gathered | None:
    """Fill a node at once and empty it again, several times; None where nobody counts requests."""
    turns, node = stage.amount.gathered, stage.nodes[0]
    up: list[float] = []
    down: list[float] = []
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
            up += _writes(meter.effort())
            meter = stage.meter(program)
            concurrently(scheduler.free, mine, DEVICES)
            down += _writes(meter.effort())
    return Gathered(DEVICES, median(up), median(down)) if up else None


def _writes(effort: Effort) -> list[float]:
    """Return the number of writes of node states, refused ones included, if it is known."""
    if effort.requests is None:
        return []
    counted = effort.requests.items()
    return [sum(n for (verb, what, _), n in counted if (verb, what) == ("patch", _NODE_STATES))]
