"""Drivers with side effects: what is known of them whenever their process ends."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.contract import FAKE
from api.objects import ClaimUID
from dra.devicestate.checkpoint import FILE_NAME, Checkpoint
from dra.devicestate.publisher import Publisher
from dra.devicestate.state import State
from dra.driver import Edits, PreparedClaim, PreparedDevice, Result
from dra.errors import DeviceInUse, InvalidCdiSpec, PluginStopped
from dra.publish.nothing import Nothing
from tests.support.staterig import StateRig, begun, claim
from tests.support.tripwire import Killed, Tripwire


@pytest.fixture
def rig(tmp_path: Path) -> StateRig:
    return StateRig(tmp_path)


class TestWriteAhead:
    def test_a_killed_driver_is_known_to_have_begun(self, rig: StateRig) -> None:
        assert rig.state.begin(begun(1, "pod")) == begun(1, "pod")
        rig.start()
        (entry,) = rig.state.entries()
        assert (entry.claim, entry.prepared) == (begun(1, "pod"), False)
        assert rig.state.entry(claim(1).uid) == entry
        assert rig.state.find(claim(1).uid) is None
        assert rig.memory.claims == {}
        assert rig.reports == []

    def test_the_disk_is_waited_for_where_a_power_cut_would_lose_what_a_driver_did(
        self, rig: StateRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[int] = []
        monkeypatch.setattr("os.fsync", waits.append)
        rig.state.begin(begun(1))
        assert len(waits) == 2, "the file and its name"
        rig.state.prepare(claim(1))
        assert len(waits) == 3, "the file; without its name the claim is being prepared"
        rig.state.unprepare(claim(1).uid)
        assert len(waits) == 4, "likewise; the claim is unprepared once more"

    def test_a_driver_without_side_effects_waits_for_the_disk_once(
        self, rig: StateRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[int] = []
        monkeypatch.setattr("os.fsync", waits.append)
        rig.state.write_ahead = False
        rig.state.begin(begun(1))
        rig.state.prepare(claim(1))
        assert len(waits) == 1, "the file; without its name the kubelet's next call prepares it"

    def test_a_repeated_call_gets_the_consumers_of_the_first_one(self, rig: StateRig) -> None:
        rig.state.begin(begun(1, "first"))
        assert rig.state.begin(begun(1, "second")) == begun(1, "first")

    def test_a_prepared_claim_stays_prepared_when_it_begins_again(self, rig: StateRig) -> None:
        prepared = replace(begun(1, "pod"), devices=claim(1).devices)
        rig.state.prepare(replace(rig.state.begin(begun(1, "pod")), devices=claim(1).devices))
        assert rig.state.begin(begun(1, "other")) == prepared
        rig.start()
        assert rig.state.find(claim(1).uid) == prepared
        assert rig.memory.claims == {claim(1).uid: prepared}

    def test_what_the_driver_has_undone_begins_anew(self, rig: StateRig) -> None:
        former = replace(rig.state.begin(begun(1, "first")), devices=claim(1).devices)
        rig.state.prepare(former)
        wanted = replace(begun(1, "second"), results=begun(1, device="d7").results)
        assert rig.state.begin(wanted, undone=former) == wanted
        assert list(rig.directory.claims()) == []
        assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {claim(1).uid: wanted}

    def test_a_claim_that_only_began_holds_its_devices(self, rig: StateRig) -> None:
        rig.state.begin(begun(1))
        with pytest.raises(DeviceInUse, match=r"device d1 of .*c2"):
            rig.state.begin(begun(2, device="d1"))
        assert [entry.claim for entry in rig.state.entries()] == [begun(1)]

    def test_unprepare_and_discard_forget_a_claim_that_only_began(self, rig: StateRig) -> None:
        rig.state.begin(begun(1))
        rig.state.begin(begun(2))
        (entry,) = (each for each in rig.state.entries() if each.claim == begun(2))
        rig.state.unprepare(claim(1).uid)
        assert rig.state.discard(entry)
        assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {}

    def test_discard_spares_a_claim_that_was_prepared_meanwhile(self, rig: StateRig) -> None:
        rig.state.begin(begun(1))
        (entry,) = rig.state.entries()
        rig.state.prepare(claim(1))
        assert not rig.state.discard(entry)
        assert rig.state.find(claim(1).uid) == claim(1)

    def test_nothing_begins_after_the_end(self, rig: StateRig) -> None:
        rig.state.leave()
        with pytest.raises(PluginStopped):
            rig.state.begin(begun(1))

    def test_edits_that_runtimes_refuse_change_nothing(self, rig: StateRig) -> None:
        rig.state.begin(begun(1))
        wrong = PreparedDevice("pool", "d1", Edits({"A": "\0"}))
        with pytest.raises(InvalidCdiSpec, match="has env"):
            rig.state.prepare(replace(begun(1), devices=(wrong,)))
        assert rig.prepared() == Checkpoint(rig.root, FAKE).load() == {claim(1).uid: begun(1)}
        assert list((rig.root / "cdi").glob("*")) == []


class TestKills:
    """At each moment before and after a write, and before and after what the driver does."""

    @pytest.fixture
    def tripwire(self, monkeypatch: pytest.MonkeyPatch) -> Tripwire:
        self.begun: set[ClaimUID] = set()
        made = Tripwire()
        made.install(monkeypatch)
        return made

    def up(self, rig: StateRig, tripwire: Tripwire, number: int) -> None:
        made = rig.state.begin(begun(number))
        tripwire.moment()
        self.begun.add(made.uid)
        tripwire.moment()
        rig.state.prepare(replace(made, devices=claim(number).devices))

    def down(self, rig: StateRig, tripwire: Tripwire, number: int) -> None:
        tripwire.moment()
        self.begun.discard(claim(number).uid)
        tripwire.moment()
        rig.state.unprepare(claim(number).uid)

    def check(self, rig: StateRig) -> None:
        """Start anew: every entry is known to the driver, and what is prepared has its files."""
        rig.start()
        entries = rig.state.entries()
        assert self.begun <= {entry.claim.uid for entry in entries}
        shown = {entry.claim.uid: entry.claim for entry in entries if entry.prepared}
        assert rig.memory.claims == shown
        assert {found.uid for found in rig.directory.claims()} == shown.keys()

    @pytest.mark.parametrize("moment", range(1, 9))
    def test_prepare(self, rig: StateRig, tripwire: Tripwire, moment: int) -> None:
        self.up(rig, tripwire, 1)
        tripwire.arm(moment)
        with pytest.raises(Killed):
            self.up(rig, tripwire, 2)
        self.check(rig)
        self.up(rig, tripwire, 2)
        self.check(rig)
        for number in (1, 2):
            self.down(rig, tripwire, number)
        assert (rig.prepared(), self.begun) == ({}, set())
        assert list((rig.root / "cdi").iterdir()) == []

    @pytest.mark.parametrize("moment", range(1, 7))
    @pytest.mark.parametrize("only_begun", [False, True], ids=["prepared", "preparing"])
    def test_unprepare(
        self, rig: StateRig, tripwire: Tripwire, moment: int, only_begun: bool
    ) -> None:
        if only_begun:
            rig.state.begin(begun(1))
            self.begun.add(claim(1).uid)
        else:
            self.up(rig, tripwire, 1)
        tripwire.arm(moment)
        with pytest.raises(Killed):
            self.down(rig, tripwire, 1)
        self.check(rig)
        self.down(rig, tripwire, 1)
        self.check(rig)
        assert (rig.prepared(), self.begun) == ({}, set())

    def test_calls_have_as_many_moments_as_are_tried(
        self, rig: StateRig, tripwire: Tripwire
    ) -> None:
        for call, moments in ((self.up, 8), (self.down, 6)):
            tripwire.arm(moments + 1)
            call(rig, tripwire, 1)
            assert tripwire.left == 1
            tripwire.disarm()


def test_an_emptied_cdi_directory_is_filled_without_the_driver(rig: StateRig) -> None:
    rig.state.prepare(claim(1))
    (path,) = (rig.root / "cdi").iterdir()
    before = path.read_bytes()
    path.unlink()
    rig.start()
    assert path.read_bytes() == before


def test_a_publisher_that_publishes_nothing(rig: StateRig) -> None:
    publisher: Publisher = Nothing(rig.directory)
    state = rig.process(publisher)
    state.recover()
    state.prepare(claim(1))
    again = rig.process(publisher)
    again.recover()
    assert again.find(claim(1).uid) == claim(1)


def test_containers_keep_their_devices_when_nobody_else_knows_them(rig: StateRig) -> None:
    """The kubelet does not prepare again what it knows to be prepared."""
    publisher: Publisher = Nothing(rig.directory)
    rig.process(publisher).prepare(claim(1))
    (path,) = (rig.root / "cdi").iterdir()
    before = path.read_bytes()
    (rig.root / FILE_NAME).write_bytes(b"{")
    state = rig.process(publisher)
    state.recover()
    assert path.read_bytes() == before
    (device,) = claim(1).devices
    assert state.begin(begun(1)) == replace(begun(1), devices=(replace(device, pool=""),))
    state.prepare(replace(begun(1), devices=claim(1).devices))
    assert path.read_bytes() == before
    state.unprepare(claim(1).uid)
    assert list((rig.root / "cdi").iterdir()) == []


HELD = "d1 of .* is prepared for"


@pytest.mark.parametrize(
    ("one", "other", "free"),
    [
        pytest.param({}, {}, False, id="both"),
        pytest.param({"share_id": "a"}, {"share_id": "b"}, True, id="two shares"),
        pytest.param({"share_id": "a"}, {}, False, id="share, then all"),
        pytest.param({}, {"share_id": "a"}, False, id="all, then share"),
        pytest.param({"admin": True}, {}, True, id="admin, then all"),
        pytest.param({}, {"admin": True}, True, id="all, then admin"),
        pytest.param({}, {"pool": "other"}, True, id="another pool"),
    ],
)
@pytest.mark.parametrize("prepared", [False, True], ids=["preparing", "prepared"])
def test_a_device_of_another_claim(
    rig: StateRig, one: dict[str, Any], other: dict[str, Any], free: bool, prepared: bool
) -> None:
    def asked(number: int, given: dict[str, Any]) -> PreparedClaim:
        result = replace(Result("r", "pool", "d1"), **given)
        return replace(begun(number), results=(result,))

    first = rig.state.begin(asked(1, one))
    if prepared:
        (result,) = first.results
        device = PreparedDevice.of(result, Edits({"A": "1"}))
        rig.state.prepare(replace(first, devices=(device,)))
    with nullcontext() if free else pytest.raises(DeviceInUse, match=HELD):
        rig.state.begin(asked(2, other))


class TestTwoProcesses:
    @pytest.fixture
    def states(self, rig: StateRig) -> list[State]:
        """Return those of two processes which have one directory."""
        self.inside = 0
        made = [rig.process(Nothing(rig.directory), self.guard) for _ in range(2)]
        for state in made:
            state.recover()
        return made

    def guard(self) -> AbstractContextManager[None]:
        @contextmanager
        def entered() -> Iterator[None]:
            assert self.inside == 0
            self.inside += 1
            try:
                yield
            finally:
                self.inside -= 1

        return entered()

    def test_each_knows_what_the_other_prepared(self, rig: StateRig, states: list[State]) -> None:
        one, other = states
        one.begin(begun(1))
        one.prepare(replace(begun(1), devices=claim(1).devices))
        assert other.begin(begun(1)).devices == claim(1).devices
        other.prepare(claim(2))
        one.unprepare(claim(1).uid)
        other.mend_files()
        assert [each.claim for each in other.entries()] == [claim(2)]
        assert Checkpoint(rig.root, FAKE).load() == {claim(2).uid: claim(2)}
        assert len(list((rig.root / "cdi").iterdir())) == 1
        assert rig.reports == []

    def test_an_entry_is_what_the_other_wrote_last(self, states: list[State]) -> None:
        """Of it the driver is told when it has to undo what it did in the other process."""
        one, other = states
        one.begin(begun(1))
        entry = other.entry(begun(1).uid)
        assert entry is not None
        assert entry.claim == begun(1)
        assert other.find(begun(1).uid) is None
        one.prepare(claim(1))
        assert other.find(claim(1).uid) == claim(1)
        other.unprepare(claim(1).uid)
        assert one.entry(claim(1).uid) is None

    def test_discard_knows_that_the_other_prepared_again(self, states: list[State]) -> None:
        one, other = states
        one.begin(begun(1))
        (entry,) = one.entries()
        other.prepare(claim(1))
        assert not one.discard(entry)
        assert one.find(claim(1).uid) == claim(1)

    def test_the_one_that_ends_leaves_the_files_to_the_other(
        self, rig: StateRig, states: list[State]
    ) -> None:
        one, other = states
        other.prepare(claim(1))
        other.unprepare(claim(1).uid)
        one.leave()
        assert (rig.root / FILE_NAME).exists()
        with pytest.raises(PluginStopped):
            one.begin(begun(1))
        other.prepare(claim(1))

    @pytest.mark.parametrize("content", [b"{", None], ids=["damaged", "removed"])
    def test_a_file_that_is_lost_is_written_anew(
        self, rig: StateRig, states: list[State], content: bytes | None
    ) -> None:
        one, _ = states
        one.prepare(claim(1))
        (rig.root / FILE_NAME).unlink()
        if content is not None:
            (rig.root / FILE_NAME).write_bytes(content)
        one.mend_files()
        assert Checkpoint(rig.root, FAKE).load() == {claim(1).uid: claim(1)}
        assert len(rig.reports) == 1
