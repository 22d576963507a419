"""SIGKILL of a program at any moment leads to the same end.

A moment is the n-th change of a ResourceClaim or of a NodeAllocationState, so that the cases walk
through every write on the way up and on the way down, however fast the machine is.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from demo.expect import DEMOS, problems
from demo.session import CLAIMS, STATES
from kube.reflector import Reflector
from kube.resources import Resource
from kube.store import Store
from tests.support.embedded import ROOT, Embedded
from tests.support.waiting import until

SPLIT = DEMOS[4]
MOMENTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)


class Killer:
    """Kills a program at the n-th change that it is told of."""

    def __init__(self, cluster: Embedded, program: str, moment: int) -> None:
        self._cluster = cluster
        self._program = program
        self._left = moment
        self._lock = threading.Lock()
        self.killed: int | None = None

    def change(self, _old: object, _new: object) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.killed = self._cluster.kill(self._program)

    def fire(self) -> None:
        """Kill now if the moment has not come."""
        with self._lock:
            if self.killed is None:
                self.killed = self._cluster.kill(self._program)
                self._left = 0


@contextmanager
def watching(cluster: Embedded, resource: Resource, killer: Killer) -> Iterator[None]:
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


def program_of(cluster: Embedded, role: str) -> str:
    """Return the program's name; every pod of these demos is made to run on the first node."""
    return role if role == "controller" else f"{role}-{cluster.config.node_names[0]}"


@pytest.mark.timeout(90)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("role", ["controller", "plugin"])
def test_a_kill_at_any_moment_changes_nothing(cluster: Embedded, role: str, moment: int) -> None:
    spare = cluster.config.node_names[1]
    cordon(cluster, spare, on=True)
    program = program_of(cluster, role)
    killer = Killer(cluster, program, moment)
    try:
        with watching(cluster, CLAIMS, killer), watching(cluster, STATES, killer):
            cluster.session.apply(ROOT / "demo" / f"fake-{SPLIT.name}.yaml")
            cluster.session.running(SPLIT)
            logs = cluster.session.logs(SPLIT)
            assert problems(SPLIT, logs, cluster.session.states()) == []
            cluster.session.delete(SPLIT)
            cluster.session.released([SPLIT])
        killer.fire()
        until("the program runs again", lambda: cluster.pid(program) != killer.killed)
        cluster.session.nodes_ready(2)
        cluster.settled()
    finally:
        cordon(cluster, spare, on=False)


def cordon(cluster: Embedded, node: str, *, on: bool) -> None:
    """Keep new pods away from a node, or no more."""
    cluster.kubectl.run("cordon" if on else "uncordon", node)
