"""A driver that hangs, ends its thread or is called at once for one claim."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from api.objects import ClaimUID
from dra.claims import ClaimRef
from dra.errors import ClaimBusy
from dra.kubelet.claimcalls import CLAIMS, ClaimCalls, Served
from kube import deadlines
from kube.deadlines import Deadline, limited

A, B = (ClaimRef("ns", name, ClaimUID(name)) for name in "ab")


@contextmanager
def call(seconds: float) -> Iterator[None]:
    with limited(Deadline(time.monotonic() + seconds, lambda: True)):
        yield


class Hanging:
    """A driver that hangs for one claim until it is let go."""

    def __init__(self) -> None:
        self.leave = threading.Event()
        self.entered: list[ClaimRef] = []

    def __call__(self, ref: ClaimRef) -> str:
        self.entered.append(ref)
        if ref == A:
            assert self.leave.wait(10)
        return ref.name


@pytest.fixture
def driver() -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.leave.set()


def test_claim_that_hangs_is_an_error_before_the_call_is_over_and_the_others_are_served(
    driver: Hanging,
) -> None:
    with call(0.1):
        hung, other = ClaimCalls().each([A, B], driver)
    assert other.result() == "b"
    with pytest.raises(ClaimBusy, match=r"ResourceClaim ns/a \(uid a\) is still being served"):
        hung.result()


def test_driver_is_not_called_again_for_a_claim_that_hangs(driver: Hanging) -> None:
    calls = ClaimCalls()
    for _ in range(3):
        with call(0.05):
            (hung,) = calls.each([A], driver)
        with pytest.raises(ClaimBusy):
            hung.result()
    assert driver.entered == [A]
    driver.leave.set()
    with call(10):
        assert [each.result() for each in calls.each([A], driver)] == ["a"]


def test_thread_of_a_claim_that_hangs_does_not_keep_the_program(driver: Hanging) -> None:
    before = set(threading.enumerate())
    with call(0.0):
        ClaimCalls().each([A], driver)
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)


def test_call_that_nobody_waits_for_is_over(driver: Hanging) -> None:
    """Its thread is one that the end of the program waits for."""
    gone = threading.Event()
    ended: list[Served[str]] = []

    def work() -> None:
        with limited(Deadline(time.monotonic() + 45, lambda: not gone.is_set())):
            ended.extend(ClaimCalls().each([A], driver))

    calling = threading.Thread(target=work, daemon=True)
    calling.start()
    gone.set()
    calling.join(5)
    assert [each.ref for each in ended] == [A]


def test_claim_is_served_by_one_call_at_a_time() -> None:
    calls, inside, most = ClaimCalls(), [], []

    def serve(ref: ClaimRef) -> str:
        inside.append(ref)
        most.append(len(inside))
        time.sleep(0)
        inside.pop()
        return ref.name

    def caller() -> None:
        for _ in range(20):
            assert [each.result() for each in calls.each([A], serve)] == ["a"]

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(most), max(most)) == (80, 1)


def raises(error: BaseException) -> Callable[[ClaimRef], str]:
    def serve(_: ClaimRef) -> str:
        raise error

    return serve


@pytest.mark.parametrize(
    ("error", "told"),
    [(KeyError("x"), KeyError), (SystemExit(1), RuntimeError), (GeneratorExit(), RuntimeError)],
    ids=["exception", "exit", "generator"],
)
def test_whatever_a_driver_raises_is_the_claims_error(
    error: BaseException, told: type[Exception]
) -> None:
    (served,) = ClaimCalls().each([A], raises(error))
    with pytest.raises(told):
        served.result()


def test_claims_are_served_at_the_same_time_and_all_of_them() -> None:
    refs = [ClaimRef("ns", str(n), ClaimUID(str(n))) for n in range(2 * CLAIMS)]
    together = threading.Barrier(CLAIMS)

    def serve(ref: ClaimRef) -> str:
        together.wait(10)
        return ref.name

    served: list[Served[str]] = ClaimCalls().each(refs, serve)
    assert [each.result() for each in served] == [ref.name for ref in refs]


def test_no_claims_are_no_answers() -> None:
    assert ClaimCalls().each([], lambda ref: ref.name) == []


def test_each_claim_has_the_deadline_of_its_call() -> None:
    with call(10):
        served = ClaimCalls().each([A, B], lambda _: deadlines.current())
        assert [each.result() for each in served] == [deadlines.current()] * 2


def test_call_for_one_claim_of_a_prompt_driver_needs_no_thread() -> None:
    calls, threads = ClaimCalls(prompt=True), []

    def serve(ref: ClaimRef) -> str:
        threads.append(threading.current_thread())
        return ref.name

    with call(10):
        assert [each.result() for each in calls.each([A], serve)] == ["a"]
        assert threads == [threading.current_thread()]
        assert [each.result() for each in calls.each([A, B], serve)] == ["a", "b"]
    assert threading.current_thread() not in threads[1:]
