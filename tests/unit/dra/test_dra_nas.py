from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from unittest.mock import create_autospec

import pytest

from api.nas import NodeAllocationState, PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from dra.devicestate.prepared import PreparedClaim
from dra.errors import AllocationChanged
from dra.publish.nas import NodeRecord, Publisher, Snapshot, Unshown, differences

A, B, C = ClaimUID("a"), ClaimUID("b"), ClaimUID("c")
SEEN: JSON = {"fake": {}}


def prepared(uid: ClaimUID) -> PreparedClaim:
    return PreparedClaim(uid, "ns", uid, "", (PreparedDevice(DeviceID(f"D-{uid}")),))


class Claims:
    """What a State tells a publisher, with a record that applies what it gets."""

    def __init__(self) -> None:
        self.claims: dict[ClaimUID, PreparedClaim] = {}
        self.unshown: dict[ClaimUID, Unshown] = {}
        self.record = create_autospec(NodeRecord, instance=True, spec_set=True)
        self.shows()
        self.publisher = Publisher(self.record, self.look, self.shown)

    def take(self, uid: ClaimUID, seen: JSON | None = None) -> None:
        self.claims[uid] = prepared(uid)
        self.unshown[uid] = Unshown(1, seen)

    def shows(self, *uids: ClaimUID) -> None:
        entries = {uid: prepared(uid).devices for uid in uids}
        self.record.current.return_value = NodeAllocationState(NodeName("n"), "s", prepared=entries)

    def look(self) -> Snapshot:
        return Snapshot(dict(self.claims), dict(self.unshown))

    def shown(self, changes: dict[ClaimUID, Unshown]) -> None:
        self.shows(*(uid for uid in self.claims if uid not in self.unshown or uid in changes))
        for uid in changes:
            del self.unshown[uid]


@pytest.fixture
def world() -> Claims:
    return Claims()


def devices(*uids: ClaimUID) -> dict[ClaimUID, object]:
    return {uid: prepared(uid).devices for uid in uids}


class TestShow:
    def test_of_what_was_read_live(self, world: Claims) -> None:
        world.take(A)
        world.publisher.show(A)
        world.record.write_prepared.assert_called_once_with(devices(A), last=False)
        assert world.unshown == {}

    def test_of_the_last_claim_that_goes(self, world: Claims) -> None:
        world.shows(A)
        world.unshown[A] = Unshown(1, None)
        world.publisher.show(A)
        world.record.write_prepared.assert_called_once_with({A: None}, last=True)

    def test_of_what_the_nas_shows_writes_nothing(self, world: Claims) -> None:
        world.shows(A)
        world.take(A)
        world.publisher.show(A)
        world.record.write_prepared.assert_not_called()
        assert world.unshown == {}

    def test_of_what_was_seen_in_the_cache_is_tested(self, world: Claims) -> None:
        world.take(A)
        world.take(B, SEEN)
        world.publisher.show(B)
        world.record.write_tested.assert_called_once_with(devices(A, B), {B: SEEN})
        assert world.unshown == {}

    def test_of_another_claim_does_not_show_what_has_to_be_tested(self, world: Claims) -> None:
        world.take(A, SEEN)
        world.take(B)
        world.publisher.show(B)
        world.record.write_prepared.assert_called_once_with(devices(B), last=False)
        assert list(world.unshown) == [A]

    def test_that_is_refused_shows_nothing(self, world: Claims) -> None:
        world.take(A, SEEN)
        world.record.write_tested.side_effect = AllocationChanged("former")
        with pytest.raises(AllocationChanged):
            world.publisher.show(A)
        assert list(world.unshown) == [A]


class TestMend:
    def test_undoes_what_others_wrote(self, world: Claims) -> None:
        world.claims[A] = prepared(A)
        world.shows(B)
        assert world.publisher.mend() == [A, B]
        changes = {**devices(A), B: None}
        world.record.write_prepared.assert_called_once_with(changes, last=False)

    def test_leaves_to_calls_what_is_theirs(self, world: Claims) -> None:
        world.take(A, SEEN)
        world.take(B)
        world.shows(C)
        world.unshown[C] = Unshown(1, None)
        assert world.publisher.mend() == []
        world.record.write_prepared.assert_not_called()
        assert set(world.unshown) == {A, B, C}


class Gate:
    """Lets the first write wait until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = Event(), Event()

    def __call__(self, *_: object, **__: object) -> None:
        self.reached.set()
        assert self.opened.wait(10)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.parametrize("seen", [None, SEEN], ids=["live", "cached"])
def test_calls_that_wait_share_one_write(
    world: Claims, threads: ThreadPoolExecutor, seen: JSON | None
) -> None:
    gate = Gate()
    write = world.record.write_prepared if seen is None else world.record.write_tested
    write.side_effect = gate
    world.take(A, seen)
    calls: list[Future[None]] = [threads.submit(world.publisher.show, A)]
    assert gate.reached.wait(10)
    others = [ClaimUID(f"other-{n}") for n in range(7)]
    for uid in others:
        world.take(uid, seen)
        calls.append(threads.submit(world.publisher.show, uid))
    gate.opened.set()
    for call in calls:
        call.result(10)
    assert write.call_count == 2
    assert world.unshown == {}


def test_differences_are_what_has_to_be_written() -> None:
    kept = prepared(A)
    assert differences({B: (), A: kept.devices}, {A: kept}) == {B: None}
    assert differences({}, {A: kept}) == {A: kept.devices}
    assert differences({A: ()}, {A: kept}) == {A: kept.devices}
