"""A plugin killed just before or after any single write is put right by the next start.

The moments are counted by a tripwire: CDI file, checkpoint, NAS, two moments each.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from api.resources import STATES
from dra.claims import ClaimRef
from dra.devicestate.checkpoint import FILE_NAME
from tests.support.build import SYSTEM
from tests.support.effort import tries
from tests.support.pluginrig import NODE, PluginRig
from tests.support.tripwire import Killed

MOMENTS = range(1, 7)
Allocate: TypeAlias = Callable[[PluginRig], tuple[ClaimRef, ClaimRef]]


@pytest.fixture(params=[False, True], ids=["live", "cached"])
def watched(
    rig: PluginRig, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> PluginRig:
    rig.tripwire.install(monkeypatch)
    rig.watching = request.param
    return rig


def killed(rig: PluginRig, moment: int) -> None:
    rig.tripwire.arm(moment)


def split(rig: PluginRig) -> tuple[ClaimRef, ClaimRef]:
    """Allocate devices to two claims, of which the second one splits its own."""
    return rig.allocate("other", 7), rig.allocate("a", 0, split=2)


def shared(rig: PluginRig) -> tuple[ClaimRef, ClaimRef]:
    """Allocate shares of a device to two claims."""
    return rig.allocate("other", 0, share=(0, 2)), rig.allocate("a", 0, share=(1, 2))


each_way = pytest.mark.parametrize("two_claims", [split, shared])


@each_way
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_during_prepare(watched: PluginRig, two_claims: Allocate, moment: int) -> None:
    other, ref = two_claims(watched)
    watched.driver.prepare(other)
    killed(watched, moment)
    with pytest.raises(Killed):
        watched.driver.prepare(ref)
    watched.restart()
    watched.assert_agreed()
    assert other.uid in watched.saved()
    watched.driver.prepare(ref)
    watched.assert_agreed()
    assert set(watched.saved()) == {other.uid, ref.uid}


@pytest.mark.parametrize("moment", range(1, 13))
def test_killed_while_the_cache_is_behind(
    rig: PluginRig, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Files for the former allocation, its refused write, the files' removal, and all anew."""
    rig.tripwire.install(monkeypatch)
    rig.allocate("a", 0)
    rig.see()
    ref = rig.allocate("a", 3)
    killed(rig, moment)
    with pytest.raises(Killed):
        rig.driver.prepare(ref)
    rig.restart()
    rig.assert_agreed()
    rig.driver.prepare(ref)
    rig.assert_agreed()
    assert rig.saved() == {ref.uid: [rig.device(3).id]}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_prepared_for_another_allocation(watched: PluginRig, moment: int) -> None:
    ref = watched.allocate("a", 0)
    watched.driver.prepare(ref)
    watched.allocate("a", 3)
    killed(watched, moment)
    with pytest.raises(Killed):
        watched.driver.prepare(ref)
    watched.restart()
    watched.assert_agreed()
    watched.driver.prepare(ref)
    watched.assert_agreed()
    assert watched.saved() == {ref.uid: [watched.device(3).id]}


@each_way
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_during_unprepare(watched: PluginRig, two_claims: Allocate, moment: int) -> None:
    other, ref = two_claims(watched)
    watched.driver.prepare(other)
    watched.driver.prepare(ref)
    killed(watched, moment)
    with pytest.raises(Killed):
        watched.driver.unprepare(ref)
    watched.restart()
    watched.assert_agreed()
    watched.driver.unprepare(ref)
    watched.assert_agreed()
    assert set(watched.saved()) == {other.uid}


def test_prepare_and_unprepare_have_as_many_moments_as_are_tried(watched: PluginRig) -> None:
    ref = watched.allocate("a", 0)
    calls: list[Callable[[], object]] = [
        lambda: watched.driver.prepare(ref),
        lambda: watched.driver.prepare(watched.allocate("a", 3)),
        lambda: watched.driver.unprepare(ref),
    ]
    for call in calls:
        killed(watched, len(MOMENTS) + 1)
        call()
        assert watched.tripwire.left == 1
        watched.tripwire.disarm()


@pytest.mark.parametrize("moment", range(1, 11))
def test_killed_while_starting(watched: PluginRig, moment: int) -> None:
    """The NAS is gone, a CDI file is missing, another one is stray: much to do."""
    ref = watched.allocate("a", 0)
    watched.driver.prepare(ref)
    for path in list(watched.cdi_root.iterdir()):
        path.rename(path.with_name(path.name.replace(ref.uid, "stray")))
    watched.api.remove(STATES, NODE, SYSTEM)
    watched.boot()
    killed(watched, moment)
    with pytest.raises(Killed):
        watched.recover()
    watched.restart()
    watched.assert_agreed()
    assert set(watched.saved()) == {ref.uid}


def test_killed_between_temporary_file_and_rename(
    rig: PluginRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = rig.allocate("a", 0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: _kill())
        with pytest.raises(Killed):
            rig.driver.prepare(ref)
    assert list(rig.cdi_root.glob("*.tmp"))
    rig.restart()
    assert not list(rig.cdi_root.glob("*.tmp"))
    rig.assert_agreed()


def _kill() -> None:
    raise Killed


class PluginMachine(RuleBasedStateMachine):
    """Any sequence of calls, kills, restarts and deletions by others."""

    home: Path
    patch: pytest.MonkeyPatch

    def __init__(self) -> None:
        super().__init__()
        self.runs = self.patch.context()
        patch = self.runs.__enter__()
        patch.setattr(os, "fsync", lambda _descriptor: None)
        self.rig = PluginRig(Path(tempfile.mkdtemp(dir=self.home)), devices=4)
        self.rig.tripwire.install(patch)
        self.refs = [self._allocate(index) for index in range(4)]
        self.prepared: set[str] = set()

    def teardown(self) -> None:
        self.runs.__exit__(None, None, None)

    @rule(index=st.integers(0, 3), moment=st.none() | st.integers(1, 8))
    def prepare(self, index: int, moment: int | None) -> None:
        ref = self.refs[index]
        self._call(lambda: self.rig.driver.prepare(ref), self.prepared | {ref.uid}, moment)

    @rule(index=st.integers(0, 3), split=st.integers(0, 3))
    def controller_allocates_anew(self, index: int, split: int) -> None:
        if self.refs[index].uid not in self.prepared:
            self.rig.allocate(f"c{index}", index, split=split)

    @rule(yes=st.booleans())
    def watch_works(self, yes: bool) -> None:
        self.rig.watching = yes
        self.rig.see()

    @rule(index=st.integers(0, 3), moment=st.none() | st.integers(1, 8))
    def unprepare(self, index: int, moment: int | None) -> None:
        ref = self.refs[index]
        self._call(lambda: self.rig.driver.unprepare(ref), self.prepared - {ref.uid}, moment)

    @rule(moment=st.none() | st.integers(1, 12))
    def restart(self, moment: int | None) -> None:
        self._call(self.rig.restart, self.prepared, moment)

    @rule()
    def somebody_deletes_the_nas(self) -> None:
        self.rig.api.remove(STATES, NODE, SYSTEM)
        self.rig.see()
        self.rig.node_state.ensure()
        self.rig.publisher.reconcile()
        for index in range(4):
            self._allocate(index)

    @rule(index=st.integers(0, 3))
    def somebody_deletes_a_file_and_the_node_reboots(self, index: int) -> None:
        for path in self.rig.cdi_root.glob(f"*{self.refs[index].uid}*"):
            path.unlink()
        self.rig.restart()

    @rule()
    def somebody_empties_the_checkpoint(self) -> None:
        (self.rig.directory / FILE_NAME).write_bytes(b"")
        self.rig.restart()

    @invariant()
    def three_places_agree(self) -> None:
        self.rig.assert_agreed()
        assert set(self.rig.saved()) == self.prepared

    def _allocate(self, index: int) -> ClaimRef:
        return self.rig.allocate(f"c{index}", index, split=index)

    def _call(self, call: Callable[[], object], after: set[str], moment: int | None) -> None:
        """Do a call that may be killed: then it has been done entirely or not at all."""
        if moment is not None:
            self.rig.tripwire.arm(moment)
        try:
            call()
        except Killed:
            self.rig.restart()
            found = set(self.rig.saved())
            assert found in (self.prepared, after)
            after = found
        self.rig.tripwire.disarm()
        self.prepared = after


def test_random_calls_and_kills_keep_the_three_places_agreed(tmp_path: Path) -> None:
    members = {"home": tmp_path, "patch": pytest.MonkeyPatch}
    run_state_machine_as_test(
        type("Machine", (PluginMachine,), members),
        settings=settings(
            max_examples=tries(15),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
