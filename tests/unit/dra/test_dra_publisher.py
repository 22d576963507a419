"""What the state of a node's claims tells a publisher, which need not be a NAS."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.contract import FAKE
from dra.devicestate.checkpoint import FILE_NAME, Checkpoint
from dra.devicestate.publisher import Precondition
from dra.errors import AllocationChanged, CdiWriteFailed
from kube.errors import ConnectFailed
from tests.support.staterig import FAILS, HOLDS, StateRig, claim


@pytest.fixture
def rig(tmp_path: Path) -> StateRig:
    return StateRig(tmp_path)


@pytest.mark.parametrize("precondition", [None, HOLDS], ids=["certain", "precondition"])
def test_a_claim_is_published_from_prepare_to_unprepare(
    rig: StateRig, precondition: Precondition | None
) -> None:
    rig.state.prepare(claim(1), precondition)
    assert rig.memory.claims == {claim(1).uid: claim(1)}
    assert rig.state.find(claim(1).uid) == claim(1)
    rig.state.unprepare(claim(1).uid)
    assert rig.memory.claims == rig.prepared() == {}


def test_a_claim_whose_precondition_fails_is_not_prepared(rig: StateRig) -> None:
    with pytest.raises(AllocationChanged, match="former"):
        rig.state.prepare(claim(1), FAILS)
    assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {}


def test_nothing_is_done_while_nothing_can_be_published(rig: StateRig) -> None:
    rig.memory.away = True
    with pytest.raises(ConnectFailed):
        rig.state.prepare(claim(1))
    assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {}


def test_a_claim_that_no_file_holds_is_not_published(
    rig: StateRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("full")

    monkeypatch.setattr("dra.devicestate.directory.write_atomically", full)
    with pytest.raises(CdiWriteFailed):
        rig.state.prepare(claim(1))
    assert rig.memory.claims == {}


def test_a_start_restores_what_the_checkpoint_has(rig: StateRig) -> None:
    rig.state.prepare(claim(1))
    rig.memory.claims = {claim(2).uid: claim(2)}
    rig.start()
    assert rig.memory.claims == {claim(1).uid: claim(1)}


def test_a_corrupt_checkpoint_is_rebuilt_from_what_is_published(rig: StateRig) -> None:
    rig.state.prepare(claim(1))
    (rig.root / FILE_NAME).write_bytes(b"{")
    rig.start()
    assert rig.prepared() == {claim(1).uid: claim(1)}
    (told,) = rig.reports
    assert "rebuilt with 1 prepared claim" in told


def test_changes_are_told_in_the_order_in_which_they_are_made(
    rig: StateRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)

    def call(number: int) -> None:
        if number % 3:
            rig.state.prepare(claim(number % 4))
        else:
            rig.state.unprepare(claim(number % 4).uid)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(call, range(400)))
    finally:
        sys.setswitchinterval(interval)
    assert rig.memory.told == sorted(rig.memory.told)
    assert rig.memory.claims == rig.prepared()
