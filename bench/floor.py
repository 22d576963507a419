"""The floor: a plain client that makes the unavoidable writes and nothing else.

The four of a driver (finalizer, NAS, claim status, PodSchedulingContext status) and the two of the
scheduler to allocate; the three of a driver (without NAS the two, if allocations stand in claims)
and the two of the claim controller to free. It watches nothing and decides nothing, so nobody who
has to can be faster on the same machine. As many
processes write as there are when a driver is measured: that, and the benchmark; a single Python
process would be limited by its own lock instead of by the server.
"""

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from threading import Lock

from api.objects import JSON
from api.resources import DRA_V1ALPHA2
from bench import objects
from bench.concurrency import concurrently, timed
from bench.errors import NotSeen
from bench.figures import Floor
from bench.objects import NAMESPACE, Consumer, Driver
from bench.statistics import Latency
from bench.variants import Variant
from kube.client import Client

_START_SECONDS = 60.0
_STATUS, _STATE = "status", "state"


@dataclass(frozen=True, slots=True)
class Task:
    """One claim to allocate and to free.

    Attributes:
        consumer: with a claim of the class FLOOR.
        potential: nodes that the scheduler names.
        node: on which to allocate; no other process writes its NAS.
    """

    consumer: Consumer
    potential: tuple[str, ...]
    node: str


@dataclass(frozen=True, slots=True)
class Span:
    """What one process did in one direction.

    Attributes:
        began: on the monotonic clock.
        ended: likewise.
        cpu_seconds: CPU time of the process.
        writes: how long single writes took, in seconds, by kind.
    """

    began: float
    ended: float
    cpu_seconds: float
    writes: dict[str, list[float]]


class Writer:
    """The writes of one process; thread-safe."""

    def __init__(
        self, client: Client, driver: Driver, tasks: Sequence[Task], variant: Variant
    ) -> None:
        """Read the node states of all tasks."""
        self._frees_in_nas = variant.frees_in_nas
        self._client = client
        self._driver = driver
        nodes = {task.node for task in tasks}
        self._states = {
            node: client.get(driver.states, node, driver.namespace) for node in sorted(nodes)
        }
        self._locks = {node: Lock() for node in nodes}
        self._claims: dict[str, JSON] = {}
        self.writes: defaultdict[str, list[float]] = defaultdict(list)

    def up(self, task: Task) -> None:
        """Negotiate and allocate."""
        client, consumer = self._client, task.consumer
        context = client.create(
            DRA_V1ALPHA2.contexts, objects.scheduling_context(consumer, task.potential)
        )
        answer = objects.answered(context, [])
        seconds, context = timed(
            lambda: client.update(DRA_V1ALPHA2.contexts, answer, subresource="status")
        )
        self.writes[_STATUS].append(seconds)
        client.update(DRA_V1ALPHA2.contexts, objects.selected(context, task.node))
        claim = client.patch(
            DRA_V1ALPHA2.claims,
            consumer.name,
            objects.marked(consumer.claim, self._driver.contract.finalizer),
            namespace=NAMESPACE,
        )
        self._give(task, partial(objects.free_device, key=self._driver.contract.device_key))
        body = objects.allocated(claim, consumer, objects.FLOOR, task.node)
        self._claims[consumer.name] = client.update(DRA_V1ALPHA2.claims, body, subresource="status")

    def down(self, task: Task) -> None:
        """Unreserve, delete, and free."""
        client, name = self._client, task.consumer.name
        body = objects.unreserved(self._claims[name])
        client.update(DRA_V1ALPHA2.claims, body, subresource="status")
        client.delete(DRA_V1ALPHA2.claims, name, NAMESPACE)
        if self._frees_in_nas:
            self._take(task)
        # a deletion does not tell the new resourceVersion, and nobody else writes
        free = {**objects.unguarded(body), "status": {}}
        claim = client.update(DRA_V1ALPHA2.claims, free, subresource="status")
        client.patch(DRA_V1ALPHA2.claims, name, objects.unmarked(claim), namespace=NAMESPACE)

    def tidy(self, task: Task) -> None:
        """Leave nothing of a claim in a NAS, where freeing does not."""
        if not self._frees_in_nas:
            self._take(task)

    def _take(self, task: Task) -> None:
        self._give(task, lambda _state: None)

    def _give(self, task: Task, choose: Callable[[JSON], JSON | None]) -> None:
        driver = self._driver
        with self._locks[task.node]:
            state = self._states[task.node]
            patch = objects.given(
                state, task.consumer.claim, choose(state), driver.contract.device_key
            )
            seconds, self._states[task.node] = timed(
                lambda: self._client.patch(
                    driver.states, task.node, patch, namespace=driver.namespace
                )
            )
        self.writes[_STATE].append(seconds)


def measure(
    kubeconfig: str,
    driver: Driver,
    tasks: Sequence[Task],
    *,
    variant: Variant,
    processes: int,
    concurrency: int,
) -> tuple[Span, Span]:
    """Allocate and free all tasks; return both directions as one span each.

    Args:
        kubeconfig: path.
        driver: whose node states are written.
        tasks: no node may belong to tasks of different processes, which get every n-th task.
        variant: of the driver whose writes are made.
        processes: how many.
        concurrency: of each process.

    Raises:
        NotSeen: a process has failed.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    running = []
    for number in range(processes):
        ours, theirs = context.Pipe(duplex=False)
        share = tasks[number::processes]
        arguments = (kubeconfig, driver, share, variant, concurrency, barrier, theirs)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        running.append((process, ours))
    spans: list[tuple[Span, Span]] = []
    for process, ours in running:
        try:
            spans.append(ours.recv())
        except EOFError as error:
            raise NotSeen("a process of the floor has failed; its error is above") from error
        process.join()
        ours.close()
    return joined([up for up, _ in spans]), joined([down for _, down in spans])


def joined(spans: Sequence[Span]) -> Span:
    """Return spans of several processes as one: from the first beginning to the last end."""
    writes: defaultdict[str, list[float]] = defaultdict(list)
    for span in spans:
        for kind, seconds in span.writes.items():
            writes[kind] += seconds
    return Span(
        began=min(span.began for span in spans),
        ended=max(span.ended for span in spans),
        cpu_seconds=sum(span.cpu_seconds for span in spans),
        writes=dict(writes),
    )


def summary(tasks: int, alone: tuple[Span, Span], together: tuple[Span, Span]) -> Floor:
    """Return the figures of two measurements: one claim at a time, and all `tasks` at once."""
    up, down = together
    single = alone[0].writes
    return Floor(
        up=tasks / (up.ended - up.began),
        down=tasks / (down.ended - down.began),
        status_write=Latency.of(single[_STATUS]),
        state_write=Latency.of(single[_STATE]),
        cpu_ms=1000 * (up.cpu_seconds + down.cpu_seconds) / tasks,
    )


def _work(
    kubeconfig: str,
    driver: Driver,
    tasks: Sequence[Task],
    variant: Variant,
    concurrency: int,
    barrier: Barrier,
    answer: Connection,
) -> None:
    client = Client.from_kubeconfig(kubeconfig, qps=0, burst=1, user_agent="bench-floor")
    writer = Writer(client, driver, tasks, variant)
    up = _span(writer, writer.up, tasks, concurrency, barrier)
    down = _span(writer, writer.down, tasks, concurrency, barrier)
    concurrently(writer.tidy, tasks, concurrency)
    answer.send((up, down))
    answer.close()
    client.close()


def _span(
    writer: Writer,
    action: Callable[[Task], None],
    tasks: Sequence[Task],
    concurrency: int,
    barrier: Barrier,
) -> Span:
    barrier.wait(_START_SECONDS)
    writer.writes.clear()
    began, cpu = time.monotonic(), time.process_time()
    concurrently(action, tasks, concurrency)
    return Span(began, time.monotonic(), time.process_time() - cpu, dict(writer.writes))
