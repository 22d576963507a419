"""A machine for hypothesis: anything may happen to the driver in any order, and nothing is lost.

Pods and claims come and go, requests fail, watches stall, programs are killed at any write, nodes
vanish and return, people delete and edit what is not theirs. Whenever all come to rest, nothing
that fsck looks at is wrong; and once all pods and claims are gone, nothing is left.
"""

import tempfile
from collections.abc import Callable
from json import JSONDecodeError
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from api.contract import FAKE
from api.errors import DriverError
from api.invariants import Fault
from api.objects import object_key
from api.resources import DRA_V1ALPHA2, STATES
from kube.errors import KubeError
from ops.communication import Communication
from tests.support.build import NAMESPACE, SYSTEM
from tests.support.damages import FILE_FAULTS
from tests.support.faults import ANSWERS
from tests.support.nodeprogram import NodeProgram
from tests.support.worldrig import WISHES, World

NAMES = st.sampled_from(["a", "b", "c", "d"])
NODES = st.sampled_from(["node-1", "node-2"])
OF_A_LOSS = (Fault.LOST, Fault.NOT_ALLOCATED)
"""What is found of a claim that is still prepared while another has its devices."""

MOMENTS = st.none() | st.integers(1, 8)
ERRORS = st.none() | st.tuples(
    st.sampled_from(range(len(ANSWERS))), st.lists(st.booleans(), min_size=1, max_size=12)
)


class DriverMachine(RuleBasedStateMachine):
    """Steps of everybody; `home` is set by `machine_in`."""

    home: Path

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("os.fsync", lambda _descriptor: None)
        self.world = World(Path(tempfile.mkdtemp(dir=self.home)), self.patch)
        self.states_lost = False

    def teardown(self) -> None:
        try:
            self._rest()
            self.world.drain()
            assert self.world.violations() == [], self.world.violations()
            assert self.world.leaks() == [], self.world.leaks()
        finally:
            self.patch.undo()

    @rule(name=NAMES, wish=st.sampled_from(sorted(WISHES)), node=NODES)
    def pod_with_claim(self, name: str, wish: str, node: str) -> None:
        self.world.submit(name, wish)
        self.world.select(name, node)

    @initialize(wishes=st.lists(st.sampled_from(sorted(WISHES)), max_size=3))
    def pods_that_run(self, wishes: list[str]) -> None:
        for name, wish, node in zip("abc", wishes, ("node-1", "node-2", "node-1"), strict=False):
            self.world.submit(name, wish)
            self.world.select(name, node)
        self.world.settle()

    @rule(name=NAMES, wish=st.sampled_from(sorted(WISHES)), node=NODES, moment=MOMENTS)
    def pod_comes_up(self, name: str, wish: str, node: str, moment: int | None) -> None:
        """The moment may be one of the controller, or one of the plugin afterwards."""
        self.pod_with_claim(name, wish, node)
        self.controller_works(moment, None, stalled=False)
        self.kubelet_prepares(node, moment, None)

    @rule(name=NAMES, moment=MOMENTS)
    def pod_and_claim_go(self, name: str, moment: int | None) -> None:
        self.pod_ends(name, moment, None)
        self.claim_deleted(name)
        self.controller_works(moment, None, stalled=False)

    @rule(name=NAMES)
    def somebody_forces_a_claim_away(self, name: str) -> None:
        self.world.end_pod(name)
        self.world.api.objects.pop((DRA_V1ALPHA2.claims.plural, object_key(NAMESPACE, name)), None)

    @rule(node=NODES, field=st.sampled_from(["allocatedClaims", "preparedDevices"]))
    def somebody_edits_a_nas(self, node: str, field: str) -> None:
        if (STATES.plural, object_key(SYSTEM, node)) in self.world.api.objects:
            self.states_lost = True
            self.world.edit(node, {field: None})

    @rule(name=NAMES)
    def pod_for_a_present_claim(self, name: str) -> None:
        if self.world.find(DRA_V1ALPHA2.claims, name) and name not in self._pods():
            self.world.submit_pod(name)

    @rule(name=NAMES, node=NODES)
    def scheduler_selects(self, name: str, node: str) -> None:
        self.world.select(name, node)

    @rule(moment=MOMENTS, errors=ERRORS, stalled=st.booleans())
    def controller_works(
        self, moment: int | None, errors: tuple[int, list[bool]] | None, stalled: bool
    ) -> None:
        if not stalled:
            self.world.see()
        self._run(self.world.reconcile, self.world.start_controller, moment, errors)

    @rule(node=NODES, moment=MOMENTS, errors=ERRORS)
    def kubelet_prepares(
        self, node: str, moment: int | None, errors: tuple[int, list[bool]] | None
    ) -> None:
        self.world.bind()
        program = self.world.nodes[node]
        for ref in list(program.running.values()) if program.present else []:
            self._run(lambda ref=ref: program.driver.prepare(ref), program.start, moment, errors)

    @rule(name=NAMES, moment=MOMENTS, errors=ERRORS)
    def pod_ends(
        self, name: str, moment: int | None, errors: tuple[int, list[bool]] | None
    ) -> None:
        self._run(lambda: self.world.end_pod(name), self._restart_plugins, moment, errors)

    @rule(name=NAMES)
    def claim_deleted(self, name: str) -> None:
        self.world.delete_claim(name)

    @rule(name=NAMES)
    def deallocation_requested(self, name: str) -> None:
        stored = self.world.find(DRA_V1ALPHA2.claims, name)
        status = (stored or {}).get("status") or {}
        if stored and status.get("allocation") and not status.get("reservedFor"):
            status["deallocationRequested"] = True
            self.world.api.rewrite(stored)

    @rule(node=NODES, moment=MOMENTS)
    def plugin_keeps_its_node(self, node: str, moment: int | None) -> None:
        program = self.world.nodes[node]
        if program.present:
            self._run(program.keep, program.start, moment, None)

    @rule(node=NODES, moment=MOMENTS)
    def plugin_restarts(self, node: str, moment: int | None) -> None:
        program = self.world.nodes[node]
        if program.present:
            self._run(program.start, program.start, moment, None)

    @rule(communication=st.sampled_from(Communication))
    def somebody_switches(self, communication: Communication) -> None:
        self.world.switch(communication)

    @rule()
    def controller_restarts(self) -> None:
        self.world.start_controller()

    @rule(node=NODES)
    def node_deleted(self, node: str) -> None:
        self.states_lost = True
        self.world.delete_node(node)

    @rule(node=NODES)
    def node_returns(self, node: str) -> None:
        self.world.return_node(node)

    @rule(node=NODES)
    def somebody_deletes_a_nas(self, node: str) -> None:
        self.states_lost = True
        self.world.api.objects.pop((STATES.plural, object_key(SYSTEM, node)), None)

    @rule(name=NAMES)
    def somebody_removes_a_finalizer(self, name: str) -> None:
        stored = self.world.find(DRA_V1ALPHA2.claims, name)
        if stored and FAKE.finalizer in (stored["metadata"].get("finalizers") or []):
            stored["metadata"]["finalizers"].remove(FAKE.finalizer)
            self.world.api.rewrite(stored)
            if stored["metadata"].get("deletionTimestamp"):
                del self.world.api.objects[DRA_V1ALPHA2.claims.plural, object_key(NAMESPACE, name)]

    @rule(harm=st.sampled_from(range(len(FILE_FAULTS))), restart=st.booleans())
    def somebody_damages_a_file(self, harm: int, restart: bool) -> None:
        busy = [p for p in self.world.nodes.values() if p.present and p.state.entries()]
        if not busy or self._removed(harm, restart):
            return
        program = busy[-1]
        self._damage(program, FILE_FAULTS[harm][1])
        if restart:
            program.start()

    @rule()
    def all_come_to_rest(self) -> None:
        self._rest()

    def _rest(self) -> None:
        """A claim whose NAS or node was deleted may find its devices taken; that is told."""
        self.world.settle()
        found = self.world.violations()
        lost = {v.claim for v in found if v.kind == Fault.LOST and self.states_lost}
        wrong = [v for v in found if v.kind not in OF_A_LOSS or v.claim not in lost]
        assert wrong == [], wrong

    def _run(
        self,
        work: Callable[[], object],
        restart: Callable[[], object],
        moment: int | None,
        errors: tuple[int, list[bool]] | None,
    ) -> None:
        if moment is not None:
            self.world.tripwire.arm(moment)
        with self.world.failing(_failures(errors)):
            died = self.world.killed(lambda: _patient(work), lambda: None)
        if died:
            restart()

    def _restart_plugins(self) -> None:
        for program in self.world.nodes.values():
            if program.present:
                program.start()

    def _damage(self, program: NodeProgram, harm: Callable[[NodeProgram], object]) -> None:
        try:
            harm(program)
        except (FileNotFoundError, StopIteration, JSONDecodeError):
            return  # somebody was here before

    def _removed(self, harm: int, restart: bool) -> bool:
        """A checkpoint that is removed while no plugin runs is like that of a new machine."""
        return restart and FILE_FAULTS[harm][0] == "checkpoint removed"

    def _pods(self) -> list[str]:
        places = [key for plural, key in self.world.api.objects if plural == "pods"]
        return [key.rpartition("/")[2] for key in places]


def machine_in(home: Path) -> type[DriverMachine]:
    """Return the machine, keeping its files in a directory."""
    return type("Driver", (DriverMachine,), {"home": home})


def _patient(work: Callable[[], object]) -> None:
    try:
        work()
    except DriverError:
        return


def _failures(errors: tuple[int, list[bool]] | None) -> Callable[[], KubeError | None]:
    if errors is None:
        return lambda: None
    kind, pattern = errors
    left = iter(pattern)
    return lambda: ANSWERS[kind][1]() if next(left, False) else None
