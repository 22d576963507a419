"""What the state of a node's claims tells a publisher, which need not be a NAS."""

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.contract import FAKE
from api.devices import PreparedDevice
from api.objects import ClaimUID, DeviceID, NodeName
from dra.devicestate.checkpoint import FILE_NAME, Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.prepared import PreparedClaim
from dra.devicestate.publisher import Change, Precondition, Publisher
from dra.devicestate.state import State
from dra.errors import AllocationChanged, CdiWriteFailed
from kube.errors import ConnectFailed

HOLDS, FAILS = Precondition("holds"), Precondition("fails")


class Memory:
    """A publisher that applies changes in the order in which it is told them."""

    def __init__(self) -> None:
        self.claims: dict[ClaimUID, PreparedClaim] = {}
        self.told: list[int] = []
        self.away = False

    def check(self) -> None:
        if self.away:
            raise ConnectFailed("away")

    def published(self) -> list[PreparedClaim]:
        return list(self.claims.values())

    def restore(self, claims: Iterable[PreparedClaim]) -> None:
        self.claims = {claim.uid: claim for claim in claims}

    def submit(self, change: Change) -> None:
        self.told.append(change.call)
        if change.claim is None:
            self.claims.pop(change.uid, None)
        else:
            self.claims[change.uid] = change.claim

    def flush(self, change: Change) -> None:
        if change.precondition == FAILS:
            self.claims.pop(change.uid)
            raise AllocationChanged("former")


def claim(number: int) -> PreparedClaim:
    device = PreparedDevice(DeviceID(f"FAKE-{number}"))
    return PreparedClaim(ClaimUID(f"uid-{number}"), "ns", f"c{number}", "LABEL", (device,))


class Rig:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.memory = Memory()
        self.reports: list[str] = []
        self.start()

    def start(self) -> None:
        publisher: Publisher = self.memory
        directory = CdiDirectory(self.root / "cdi", NodeName("n"), FAKE)
        self.state = State(
            directory,
            Checkpoint(self.root, FAKE),
            publisher,
            report=lambda _kind, text: self.reports.append(text),
        )
        self.state.recover()

    def prepared(self) -> dict[ClaimUID, PreparedClaim]:
        return {entry.claim.uid: entry.claim for entry in self.state.entries()}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("precondition", [None, HOLDS], ids=["certain", "precondition"])
def test_a_claim_is_published_from_prepare_to_unprepare(
    rig: Rig, precondition: Precondition | None
) -> None:
    rig.state.prepare(claim(1), precondition)
    assert rig.memory.claims == {claim(1).uid: claim(1)}
    assert rig.state.find(claim(1).uid) == claim(1)
    rig.state.unprepare(claim(1).uid)
    assert rig.memory.claims == rig.prepared() == {}


def test_a_claim_whose_precondition_fails_is_not_prepared(rig: Rig) -> None:
    with pytest.raises(AllocationChanged, match="former"):
        rig.state.prepare(claim(1), FAILS)
    assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {}


def test_nothing_is_done_while_nothing_can_be_published(rig: Rig) -> None:
    rig.memory.away = True
    with pytest.raises(ConnectFailed):
        rig.state.prepare(claim(1))
    assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {}


def test_a_claim_that_no_file_holds_is_not_published(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("full")

    monkeypatch.setattr("dra.devicestate.directory.write_atomically", full)
    with pytest.raises(CdiWriteFailed):
        rig.state.prepare(claim(1))
    assert rig.memory.claims == {}


def test_a_start_restores_what_the_checkpoint_has(rig: Rig) -> None:
    rig.state.prepare(claim(1))
    rig.memory.claims = {claim(2).uid: claim(2)}
    rig.start()
    assert rig.memory.claims == {claim(1).uid: claim(1)}


def test_a_corrupt_checkpoint_is_rebuilt_from_what_is_published(rig: Rig) -> None:
    rig.state.prepare(claim(1))
    (rig.root / FILE_NAME).write_bytes(b"{")
    rig.start()
    assert rig.prepared() == {claim(1).uid: claim(1)}
    (told,) = rig.reports
    assert "rebuilt with 1 prepared claim" in told


def test_changes_are_told_in_the_order_in_which_they_are_made(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
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
