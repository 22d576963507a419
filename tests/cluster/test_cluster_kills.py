"""SIGKILL of a program at any moment leads to the same end.

A moment is the n-th change of a ResourceClaim or of a NodeAllocationState, so that the cases walk
through every write on the way up and on the way down, however fast the machine is:

    up      1 claim made      2 finalizer on it   3 allocated in the NAS   4 claim allocated
            5 prepared in the NAS
    down    1 claim deleted   2 unprepared        3 deallocation asked for
            4 freed in the NAS                    5 claim not allocated    6 claim gone
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from api.resources import STATES, Resource
from demo.expect import DEMOS, problems
from kube.reflector import Reflector
from kube.store import Store
from testing.waiting import until
from tests.support.anycluster import CONTROLLER, Cluster, plugin_of

SPLIT = DEMOS[4]
PLUGIN = "plugin"
WALKS = (
    # a program's own writes, with the change before the first of them
    (CONTROLLER, 1, 3),
    (PLUGIN, 4, 1),
    (CONTROLLER, 2, 4),
    pytest.param(PLUGIN, 5, 2, marks=pytest.mark.nas),
    (CONTROLLER, 3, 5),
)


class Killer:
    """Kills a program at the n-th change that it is told of."""

    def __init__(self, cluster: Cluster, program: str) -> None:
        self._cluster = cluster
        self._program = program
        self._left = 0
        self._lock = threading.Lock()
        self._killed: object = None

    def change(self, _old: object, _new: object) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._killed = self._cluster.kill(self._program)

    def arm(self, moment: int) -> None:
        """Kill at this change, counted from now."""
        with self._lock:
            self._left = moment
            self._killed = None

    def finish(self) -> None:
        """Wait until the program that was killed runs again.

        Fails when the moment has not come: the numbers above are wrong then.
        """
        with self._lock:
            assert self._killed is not None, f"{self._left} more changes were awaited"
        until("the program runs again", self._runs)

    def _runs(self) -> bool:
        return self._cluster.has_restarted(self._program, self._killed)


@contextmanager
def watching(cluster: Cluster, resource: Resource, killer: Killer) -> Iterator[None]:
    """Tell the killer about every change of a resource's objects."""
    store, stop = Store(), threading.Event()
    reflector = Reflector(cluster.client, resource, store)
    thread = threading.Thread(target=reflector.run, args=(stop,))
    thread.start()
    try:
        assert store.wait_synced(10)
        store.subscribe(killer.change)
        yield
    finally:
        stop.set()
        reflector.stop()
        thread.join(10)


@pytest.mark.embedded
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("role", "up", "down"), WALKS)
def test_kills_on_the_way_up_and_down_change_nothing(
    cluster: Cluster, role: str, up: int, down: int
) -> None:
    node, spare = cluster.nodes
    killer = Killer(cluster, CONTROLLER if role == CONTROLLER else plugin_of(node))
    with ExitStack() as stack:
        stack.enter_context(cluster.cordoned(spare))
        for resource in (cluster.access.claims, STATES):
            stack.enter_context(watching(cluster, resource, killer))

        killer.arm(up)
        cluster.session.apply(cluster.demo(SPLIT.name))
        cluster.session.running(SPLIT)
        killer.finish()
        logs = cluster.session.logs(SPLIT)
        assert problems(SPLIT, logs, cluster.session.states()) == []

        killer.arm(down)
        cluster.session.delete(SPLIT)
        cluster.session.released([SPLIT])
        killer.finish()
        cluster.session.nodes_ready(len(cluster.nodes))
        cluster.settled()
