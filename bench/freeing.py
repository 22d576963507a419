"""Measures how fast a freed device reaches a pod that waits for it."""

from api.objects import JSON, Key, object_key
from bench import objects
from bench.concurrency import timed
from bench.errors import NotSeen
from bench.figures import Freed
from bench.negotiating import Stage
from bench.objects import NAMESPACE, Consumer
from bench.scheduling import Scheduler
from bench.settings import DEVICES
from bench.statistics import Latency
from bench.watching import Watched


def measure(stage: Stage) -> Freed:
    """Fill a node; again and again let a pod wait for it, and free the claim that is oldest."""
    site, count = stage.site, stage.amount.freed
    node = stage.nodes[0]
    states = Watched(site.client, site.driver.states, site.driver.namespace)
    with (
        Scheduler(site) as scheduler,
        states,
        site.consumers("freed", DEVICES + count) as pods,
        stage.controller(),
    ):
        for pod in pods[:DEVICES]:
            scheduler.run(pod, [node])
        turns = zip(pods, pods[DEVICES:], strict=False)
        seen = [_turn(scheduler, states, _key(stage, node), *turn) for turn in turns]
        for pod in pods[count:]:
            scheduler.free(pod)
    return Freed(Latency.of(s[0] for s in seen), Latency.of(s[1] for s in seen))


def _turn(
    scheduler: Scheduler, states: Watched, node: Key, holder: Consumer, waiting: Consumer
) -> tuple[float, float]:
    """Return the seconds from the free device to the answer, and to the allocation."""
    name = node.partition("/")[2]
    refused = scheduler.ask(waiting, [name])
    if refused.unsuitable != [name]:
        raise NotSeen(f"{name} is full, yet the driver finds it good for {waiting.name}")
    freed = states.expect(node, lambda state: state is not None and not _holds(state, holder))
    answered = scheduler.contexts.expect(object_key(NAMESPACE, waiting.name), _is_suitable)
    scheduler.free(holder)
    free_at = freed.wait()[0]
    answered_at, context = answered.wait()
    allocated, _ = timed(lambda: scheduler.allocate(waiting, context or {}, name))
    return answered_at - free_at, answered_at - free_at + allocated


def _key(stage: Stage, node: str) -> Key:
    return object_key(stage.site.driver.namespace, node)


def _holds(state: JSON, consumer: Consumer) -> bool:
    return objects.holds(state, consumer.claim)


def _is_suitable(context: JSON | None) -> bool:
    return context is not None and objects.unsuitable_nodes(context) == []
