"""Many calls at the same time; each thread starts at a barrier, and none waits for a clock."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from api.resources import DRA_V1ALPHA2
from dra.claims import ClaimRef
from dra.errors import DeviceInUse
from tests.support.build import allocated, claim
from tests.support.pluginrig import PluginRig

THREADS = 8
T = TypeVar("T")


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run each call on a thread of its own, all at once; return what they return."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.fixture(params=[False, True], ids=["live", "cached"])
def rig(rig: PluginRig, request: pytest.FixtureRequest) -> PluginRig:
    rig.watching = request.param
    return rig


@pytest.fixture
def refs(rig: PluginRig) -> list[ClaimRef]:
    return [rig.allocate(f"c{i}", i, split=i) for i in range(THREADS)]


def test_same_claim(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0, split=3)
    answers = together([lambda: rig.driver.prepare(ref)] * THREADS)
    assert len(set(answers)) == 1
    rig.assert_agreed()
    together([lambda: rig.driver.unprepare(ref)] * THREADS)
    assert rig.saved() == rig.injected() == rig.shown() == {}


def test_different_claims(rig: PluginRig, refs: list[ClaimRef]) -> None:
    together([lambda ref=ref: rig.driver.prepare(ref) for ref in refs])  # type: ignore[misc]
    rig.assert_agreed()
    assert set(rig.saved()) == {ref.uid for ref in refs}


def test_prepare_beside_unprepare(rig: PluginRig, refs: list[ClaimRef]) -> None:
    leaving, coming = refs[::2], refs[1::2]
    for ref in leaving:
        rig.driver.prepare(ref)
    calls: list[Callable[[], object]] = []
    calls += [lambda ref=ref: rig.driver.unprepare(ref) for ref in leaving]  # type: ignore[misc]
    calls += [lambda ref=ref: rig.driver.prepare(ref) for ref in coming]  # type: ignore[misc]
    together(calls)
    rig.assert_agreed()
    assert set(rig.saved()) == {ref.uid for ref in coming}


def test_prepare_against_unprepare_of_the_same_claim_is_one_or_the_other(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    calls: list[Callable[[], object]] = [lambda: rig.driver.prepare(ref)] * 4
    together([*calls, *[lambda: rig.driver.unprepare(ref)] * 4])
    rig.assert_agreed()


def test_calls_beside_sync_and_garbage_collection(rig: PluginRig, refs: list[ClaimRef]) -> None:
    stale = refs[0]
    rig.driver.prepare(stale)
    rig.api.put(DRA_V1ALPHA2.claims, claim("c0"))
    calls: list[Callable[[], object]] = []
    calls += [lambda ref=ref: rig.driver.prepare(ref) for ref in refs[1:6]]  # type: ignore[misc]
    together([*calls, rig.collect, rig.publisher.reconcile, rig.state.entries])
    rig.assert_agreed()
    assert set(rig.saved()) == {ref.uid for ref in refs[1:6]}


def test_one_device_goes_to_one_of_many_claims(rig: PluginRig) -> None:
    refs = []
    for i in range(THREADS):
        rig.api.put(DRA_V1ALPHA2.claims, allocated(claim(f"c{i}")))
        refs.append(rig.allocate(f"c{i}", 0))

    def attempt(ref: ClaimRef) -> bool:
        try:
            rig.driver.prepare(ref)
        except DeviceInUse:
            return False
        return True

    found = together([lambda ref=ref: attempt(ref) for ref in refs])  # type: ignore[misc]
    assert sorted(found) == [False] * (THREADS - 1) + [True]
    rig.assert_agreed()


def test_restart_after_concurrent_calls_finds_them_all(tmp_path: Path) -> None:
    rig = PluginRig(tmp_path)
    refs = [rig.allocate(f"c{i}", i) for i in range(THREADS)]
    answers = together([lambda ref=ref: rig.driver.prepare(ref) for ref in refs])  # type: ignore[misc]
    rig.restart()
    assert [rig.driver.prepare(ref) for ref in refs] == answers
