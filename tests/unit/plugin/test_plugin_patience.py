"""What is waited for, how long, and what ends the wait."""

import math
from collections.abc import Callable, Iterator

import pytest

import api.errors
from api.errors import DriverError
from dra.errors import (
    AllocationChanged,
    CdiWriteFailed,
    CheckpointWriteFailed,
    ClaimBusy,
    ClaimNotFound,
    ClaimUidMismatch,
    DeviceInUse,
    DriverFailed,
    InvalidCdiSpec,
    InvalidClaimName,
    InvalidClaimUid,
    InvalidParameters,
    NodeError,
    NodeStateMissing,
    NotAllocated,
    NotAllocatedHere,
    NotForThisNode,
    Passing,
    PluginStopped,
    StateBusy,
    UnknownDevice,
    UnknownKubelet,
    UnsupportedServer,
    WrongDevices,
)
from dra.patience import BRIEF_SECONDS, Patience, longest_wait
from kube import errors
from kube.deadlines import Deadline, limited
from plugin.errors import DeviceGone, NotInNodeState
from testing.clock import Clock

PASSES = (
    errors.TransportError,
    errors.ConnectFailed,
    errors.ReadTimeout,
    errors.WatchSilent,
    errors.BrokenAnswer,
    errors.TlsFailed,
    errors.TooManyRequests,
    errors.ServerError,
    errors.Conflict,
    errors.AlreadyExists,
    errors.NotFound,
    Passing,
    NodeStateMissing,
    NotInNodeState,
    AllocationChanged,
    UnknownKubelet,
)
MAY_PASS = (errors.Unauthorized, errors.Forbidden, ClaimNotFound, NotAllocated, DeviceInUse)
LASTS = (
    api.errors.MalformedState,
    errors.KubeError,
    errors.ConfigError,
    errors.WentBack,
    errors.ApiError,
    errors.Gone,
    errors.Invalid,
    NodeError,
    DriverFailed,
    WrongDevices,
    UnknownDevice,
    NotForThisNode,
    ClaimUidMismatch,
    NotAllocatedHere,
    DeviceGone,
    PluginStopped,
    UnsupportedServer,
    InvalidClaimName,
    InvalidClaimUid,
    InvalidParameters,
    InvalidCdiSpec,
    CdiWriteFailed,
    CheckpointWriteFailed,
    ClaimBusy,
    StateBusy,
    DriverFailed,
    WrongDevices,
)
MODULES = ("api.errors", "kube.errors", "dra.errors", "plugin.errors")
WAITS = {
    **dict.fromkeys(PASSES, math.inf),
    **dict.fromkeys(MAY_PASS, BRIEF_SECONDS),
    **dict.fromkeys(LASTS, 0.0),
}


def made(kind: type[DriverError], retry_after: float | None = None) -> DriverError:
    if issubclass(kind, errors.ApiError):
        return kind(500, "Reason", "away", retry_after=retry_after)
    return kind("away")


@pytest.mark.parametrize("kind", WAITS)
def test_longest_wait(kind: type[DriverError]) -> None:
    assert longest_wait(made(kind)) == WAITS[kind]


def test_every_error_of_a_claim_and_of_the_api_server_is_decided_on() -> None:
    known = {*_subclasses(NodeError), *_subclasses(errors.KubeError), api.errors.MalformedState}
    assert WAITS.keys() == {kind for kind in known if kind.__module__ in MODULES}


def _subclasses(kind: type[DriverError]) -> Iterator[type[DriverError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _subclasses(each)


class Call:
    """A call with so many seconds for it, on a clock that only waiting moves."""

    def __init__(self, seconds: float) -> None:
        self.clock = Clock(1000.0)
        self.begun = self.clock()
        self.seconds = seconds
        self.active = True
        self.ending = False
        self.attempts = 0

    @property
    def taken(self) -> float:
        return self.clock() - self.begun

    def persist(self, attempt: Callable[[], str]) -> str:
        def counted() -> str:
            self.attempts += 1
            return attempt()

        patience = Patience(self._sleep, clock=self.clock, rand=lambda: 1.0)
        with limited(Deadline(self.begun + self.seconds, lambda: self.active)):
            return patience.persist("it", counted)

    def fails(self, kind: type[DriverError], until: float = math.inf) -> Callable[[], str]:
        """Return an attempt that fails until so many seconds are over."""

        def attempt() -> str:
            if self.taken < until:
                raise made(kind)
            return "done"

        return attempt

    def _sleep(self, seconds: float) -> bool:
        self.clock.sleep(seconds)
        return self.ending


@pytest.mark.parametrize("seconds", [44.0, 9.0], ids=["1.28", "1.27"])
@pytest.mark.parametrize("kind", PASSES)
def test_failure_of_a_second_is_waited_for(kind: type[DriverError], seconds: float) -> None:
    call = Call(seconds)
    assert call.persist(call.fails(kind, until=1.0)) == "done"
    assert 1.0 <= call.taken < 2.0
    assert call.clock.sleeps == [0.4, 0.8]


@pytest.mark.parametrize("kind", LASTS)
def test_what_does_not_pass_fails_at_once(kind: type[DriverError]) -> None:
    call = Call(44.0)
    with pytest.raises(kind):
        call.persist(call.fails(kind))
    assert (call.attempts, call.clock.sleeps) == (1, [])


@pytest.mark.parametrize("kind", PASSES)
def test_wait_ends_before_the_deadline(kind: type[DriverError]) -> None:
    call = Call(9.0)
    with pytest.raises(kind):
        call.persist(call.fails(kind))
    assert call.clock.sleeps == [0.4, 0.8, 1.6, 3.0, 3.0]
    assert call.taken < 9.0


@pytest.mark.parametrize("kind", MAY_PASS)
def test_what_may_last_is_waited_for_briefly(kind: type[DriverError]) -> None:
    call = Call(44.0)
    with pytest.raises(kind):
        call.persist(call.fails(kind))
    assert call.clock.sleeps == [0.4, 0.8, 1.6]
    assert call.taken < BRIEF_SECONDS


def test_brief_wait_begins_with_the_failure_that_is_waited_for() -> None:
    """An API server that was away for long may refuse for a moment when it is back."""
    call = Call(44.0)
    away, refused = call.fails(errors.ConnectFailed, 10.0), call.fails(errors.Forbidden, 13.0)
    assert call.persist(lambda: away() and refused()) == "done"
    assert 13.0 <= call.taken < 13.0 + BRIEF_SECONDS


def test_api_server_says_when_to_come_again() -> None:
    call = Call(44.0)

    def attempt() -> str:
        if not call.clock.sleeps:
            raise made(errors.TooManyRequests, retry_after=7.0)
        return "done"

    assert call.persist(attempt) == "done"
    assert call.clock.sleeps == [7.0]


def test_longer_retry_after_than_there_is_time_is_not_waited_for() -> None:
    call = Call(9.0)

    def attempt() -> str:
        raise made(errors.TooManyRequests, retry_after=10.0)

    with pytest.raises(errors.TooManyRequests):
        call.persist(attempt)
    assert call.clock.sleeps == []


def test_program_that_ends_does_not_wait() -> None:
    call = Call(44.0)
    call.ending = True
    with pytest.raises(errors.ConnectFailed):
        call.persist(call.fails(errors.ConnectFailed))
    assert (call.attempts, len(call.clock.sleeps)) == (1, 1)


def test_call_that_is_cancelled_is_not_waited_for() -> None:
    call = Call(44.0)

    def attempt() -> str:
        call.active = call.attempts < 2
        raise made(errors.ConnectFailed)

    with pytest.raises(errors.ConnectFailed):
        call.persist(attempt)
    assert (call.attempts, len(call.clock.sleeps)) == (2, 1)


def test_outside_of_a_call_nothing_is_waited_for() -> None:
    def attempt() -> str:
        raise made(errors.ConnectFailed)

    with pytest.raises(errors.ConnectFailed):
        Patience(lambda _seconds: pytest.fail("it waits")).persist("it", attempt)


def test_defect_is_not_repeated() -> None:
    call = Call(44.0)
    with pytest.raises(ZeroDivisionError):
        call.persist(lambda: str(1 // 0))
    assert call.attempts == 1
