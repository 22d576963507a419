from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import Event
from unittest.mock import create_autospec

import pytest

from api.nas import NodeAllocationState
from api.objects import ClaimUID, NodeName
from dra.devicestate.publisher import Change, Precondition, Publisher
from dra.driver import Edits, PreparedClaim, PreparedDevice
from dra.errors import AllocationChanged
from dra.publish.nas import NasPublisher, NodeRecord, differences, shown_devices
from dra.publish.nodestate import Devices
from dra.repairs import Repair
from kube.errors import ConnectFailed

A, B, C = ClaimUID("a"), ClaimUID("b"), ClaimUID("c")
CACHED = Precondition({"fake": {}})


def prepared(uid: ClaimUID) -> PreparedClaim:
    return PreparedClaim(uid, "ns", uid, "", (PreparedDevice("n", f"D-{uid}", Edits()),))


class Nas:
    """A publisher with a record that applies what it gets."""

    def __init__(self) -> None:
        self.entries: dict[ClaimUID, Devices] = {}
        self.calls = count(1)
        self.reports: list[tuple[Repair, str]] = []
        self.record = create_autospec(NodeRecord, instance=True, spec_set=True)
        self.record.current.side_effect = self.current
        self.record.write_prepared.side_effect = self.change
        self.record.write_tested.side_effect = self.replace
        self.made = NasPublisher(self.record, report=lambda *told: self.reports.append(told))
        self.publisher: Publisher = self.made

    def take(self, uid: ClaimUID, precondition: Precondition | None = None) -> Change:
        change = Change(next(self.calls), uid, prepared(uid), precondition)
        self.publisher.submit(change)
        return change

    def drop(self, uid: ClaimUID) -> Change:
        change = Change(next(self.calls), uid)
        self.publisher.submit(change)
        return change

    def has(self, *uids: ClaimUID) -> None:
        """Let the NAS show claims, whoever wrote them."""
        self.entries = devices(*uids)

    def current(self) -> NodeAllocationState:
        return NodeAllocationState(NodeName("n"), "s", prepared=dict(self.entries))

    def change(self, changes: dict[ClaimUID, Devices | None], *, last: bool) -> None:
        both = {**({} if last else self.entries), **changes}
        self.entries = {uid: each for uid, each in both.items() if each is not None}

    def replace(self, all_of_it: dict[ClaimUID, Devices], _allocated: object) -> None:
        self.entries = dict(all_of_it)


@pytest.fixture
def nas() -> Nas:
    return Nas()


def devices(*uids: ClaimUID) -> dict[ClaimUID, Devices]:
    return {uid: shown_devices(prepared(uid)) for uid in uids}


class TestFlush:
    def test_of_what_was_read_live(self, nas: Nas) -> None:
        nas.publisher.flush(nas.take(A))
        nas.record.write_prepared.assert_called_once_with(devices(A), last=False)

    def test_of_the_last_claim_that_goes(self, nas: Nas) -> None:
        nas.has(A)
        nas.publisher.flush(nas.drop(A))
        nas.record.write_prepared.assert_called_once_with({A: None}, last=True)

    def test_of_what_the_nas_shows_writes_nothing(self, nas: Nas) -> None:
        nas.has(A)
        nas.publisher.flush(nas.take(A))
        nas.record.write_prepared.assert_not_called()

    def test_of_what_is_published_writes_nothing(self, nas: Nas) -> None:
        change = nas.take(A)
        nas.publisher.flush(nas.take(B))
        nas.has()
        nas.publisher.flush(change)
        assert nas.record.write_prepared.call_count == 1

    def test_of_an_overtaken_change_publishes_the_newer_one(self, nas: Nas) -> None:
        former = nas.take(A, CACHED)
        newer = nas.drop(A)
        nas.has(A)
        for change in (former, newer):
            nas.publisher.flush(change)
        nas.record.write_tested.assert_not_called()
        nas.record.write_prepared.assert_called_once_with({A: None}, last=True)

    def test_of_what_was_cached_is_tested(self, nas: Nas) -> None:
        certain, change = nas.take(A), nas.take(B, CACHED)
        nas.publisher.flush(change)
        nas.record.write_tested.assert_called_once_with(devices(A, B), {B: CACHED})
        nas.publisher.flush(certain)
        nas.record.write_prepared.assert_not_called()

    def test_of_another_claim_does_not_show_what_has_to_be_tested(self, nas: Nas) -> None:
        change = nas.take(A, CACHED)
        nas.publisher.flush(nas.take(B))
        nas.record.write_prepared.assert_called_once_with(devices(B), last=False)
        nas.publisher.flush(change)
        assert nas.entries == devices(A, B)

    def test_that_is_refused_shows_nothing_then_or_later(self, nas: Nas) -> None:
        change = nas.take(A, CACHED)
        nas.record.write_tested.side_effect = AllocationChanged("former")
        with pytest.raises(AllocationChanged):
            nas.publisher.flush(change)
        nas.publisher.flush(nas.take(B))
        nas.made.reconcile()
        assert nas.entries == devices(B)

    def test_that_is_refused_leaves_a_newer_change_alone(self, nas: Nas) -> None:
        former, newer = nas.take(A, CACHED), nas.take(A, CACHED)
        nas.record.write_tested.side_effect = [ConnectFailed("away"), None]
        with pytest.raises(ConnectFailed):
            nas.publisher.flush(former)
        nas.publisher.flush(newer)
        assert nas.record.write_tested.call_args.args == (devices(A), {A: CACHED})

    def test_that_fails_is_made_good_by_the_next_chance(self, nas: Nas) -> None:
        change = nas.take(A)
        nas.record.write_prepared.side_effect = ConnectFailed("away")
        with pytest.raises(ConnectFailed):
            nas.publisher.flush(change)
        nas.record.write_prepared.side_effect = nas.change
        nas.made.reconcile()
        assert nas.entries == devices(A)


class TestReconcile:
    def test_undoes_what_others_wrote(self, nas: Nas) -> None:
        nas.publisher.flush(nas.take(A))
        nas.has(B)
        nas.made.reconcile()
        assert nas.entries == devices(A)
        text = "preparedDevices was wrong about claim a, b, written"
        assert nas.reports == [(Repair.PREPARED, text)]

    def test_leaves_to_calls_what_is_theirs(self, nas: Nas) -> None:
        changes = [nas.take(A, CACHED), nas.take(B), nas.drop(C)]
        nas.has(C)
        nas.made.reconcile()
        nas.record.write_prepared.assert_not_called()
        assert nas.reports == []
        for change in changes:
            nas.publisher.flush(change)
        assert nas.entries == devices(A, B)


def test_restore_shows_exactly_these_claims(nas: Nas) -> None:
    nas.has(B, C)
    nas.publisher.restore([prepared(A), prepared(B)])
    assert nas.entries == devices(A, B)


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


@pytest.mark.parametrize("precondition", [None, CACHED], ids=["live", "cached"])
def test_calls_that_wait_share_one_write(
    nas: Nas, threads: ThreadPoolExecutor, precondition: Precondition | None
) -> None:
    gate = Gate()
    write = nas.record.write_prepared if precondition is None else nas.record.write_tested
    write.side_effect = gate
    first = nas.take(A, precondition)
    calls: list[Future[None]] = [threads.submit(nas.publisher.flush, first)]
    assert gate.reached.wait(10)
    for n in range(7):
        change = nas.take(ClaimUID(f"other-{n}"), precondition)
        calls.append(threads.submit(nas.publisher.flush, change))
    gate.opened.set()
    for call in calls:
        call.result(10)
    assert write.call_count == 2


def test_differences_are_what_has_to_be_written() -> None:
    kept = prepared(A)
    shown = shown_devices(kept)
    assert differences({B: (), A: shown}, {A: kept}) == {B: None}
    assert differences({}, {A: kept}) == {A: shown}
    assert differences({A: ()}, {A: kept}) == {A: shown}
