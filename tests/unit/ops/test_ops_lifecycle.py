import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ops.lifecycle import Lifecycle


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """Give the process its own signal handlers back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("DEBUG", logger="lifecycle")
    return caplog


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a test blocks a thread on; opened at the end, and the threads joined."""
    made = threading.Event()
    before = set(threading.enumerate())
    yield made
    made.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def blocked_on(gate: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        gate.wait()

    return wait


def pass_time(now: list[float], seconds: float) -> None:
    now[0] += seconds


def raising() -> None:
    raise ValueError("bad")


def test_actions_run_in_reverse_order() -> None:
    life, ran = Lifecycle(), list[str]()
    for name in ("client", "watches", "HTTP server"):
        life.on_stop(name, partial(ran.append, name))
    life.stop.set()
    assert life.wait() == 0
    assert ran == ["HTTP server", "watches", "client"]


def test_actions_run_only_once() -> None:
    life, ran = Lifecycle(), list[int]()
    life.on_stop("count", lambda: ran.append(1))
    life.stop.set()
    assert (life.wait(), life.wait()) == (0, 0)
    assert ran == [1]


def test_an_action_that_fails_does_not_keep_the_others(log: pytest.LogCaptureFixture) -> None:
    life, ran = Lifecycle(), list[str]()
    life.on_stop("first", lambda: ran.append("first"))
    life.on_stop("second", raising)
    life.stop.set()
    assert life.wait() == 0
    assert ran == ["first"]
    assert "Stop action failed" in log.messages


def test_an_action_that_hangs_is_left_behind(
    gate: threading.Event, log: pytest.LogCaptureFixture
) -> None:
    life, ran = Lifecycle(budget=0), threading.Event()
    life.on_stop("after", ran.set)
    life.on_stop("hangs", blocked_on(gate))
    life.stop.set()
    assert life.wait() == 0
    assert ran.wait(10)
    assert "Stop action overran its time, left behind" in log.messages


def test_the_threads_are_joined_after_the_actions() -> None:
    life, order = Lifecycle(), list[str]()
    queue_closed = threading.Event()

    def work() -> None:
        queue_closed.wait()
        order.append("worker")

    def close() -> None:
        order.append("queue")
        queue_closed.set()

    life.spawn("worker", work)
    life.on_stop("queue", close)
    life.stop.set()
    assert life.wait() == 0
    assert order == ["queue", "worker"]


def test_a_thread_that_does_not_end_is_left_behind(
    gate: threading.Event, log: pytest.LogCaptureFixture
) -> None:
    life = Lifecycle(budget=0)
    life.spawn("stuck", blocked_on(gate))
    life.stop.set()
    assert life.wait() == 0
    assert "Thread did not end in time, left behind" in log.messages


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(0), KeyboardInterrupt()])
def test_a_crashed_thread_ends_the_program_with_1(
    error: BaseException, log: pytest.LogCaptureFixture
) -> None:
    life, ran = Lifecycle(), list[int]()

    def crash() -> None:
        raise error

    life.on_stop("clean up", lambda: ran.append(1))
    life.spawn("worker", crash)
    assert life.wait() == 1
    assert ran == [1]
    assert "Crashed, stopping" in log.messages


def test_a_thread_that_just_ends_stops_nothing(log: pytest.LogCaptureFixture) -> None:
    life, done = Lifecycle(), threading.Event()
    life.spawn("short", done.set)
    assert done.wait(10)
    assert not life.stop.is_set()
    life.stop.set()
    assert life.wait() == 0
    assert "Thread ended" in log.messages


def test_a_thread_that_fails_while_stopping_does_not_change_the_exit_code(
    log: pytest.LogCaptureFixture,
) -> None:
    life = Lifecycle()

    def work() -> None:
        life.stop.wait()
        raising()

    life.spawn("worker", work)
    life.stop.set()
    assert life.wait() == 0
    assert "Failed while stopping" in log.messages


@pytest.mark.usefixtures("kept_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_program(number: signal.Signals, gate: threading.Event) -> None:
    life = Lifecycle()
    life.install_signals()
    signal.raise_signal(number)
    assert life.wait() == 0


@pytest.mark.usefixtures("kept_signals")
def test_a_second_signal_changes_nothing(
    gate: threading.Event, log: pytest.LogCaptureFixture
) -> None:
    life, ran = Lifecycle(), list[int]()
    life.on_stop("count", lambda: ran.append(1))
    life.install_signals()
    signal.raise_signal(signal.SIGTERM)
    assert life.stop.wait(10)
    signal.raise_signal(signal.SIGINT)
    assert life.wait() == 0
    for watcher in (t for t in threading.enumerate() if t.name == "signals"):
        watcher.join(10)
    assert ran == [1]
    assert log.messages.count("Signal received") == 1
    assert log.messages.count("Already stopping, signal ignored") == 1


def test_an_error_while_starting_stops_what_was_started() -> None:
    ran: list[str] = []

    def start() -> None:
        with Lifecycle() as life:
            life.on_stop("client", lambda: ran.append("client"))
            raising()

    with pytest.raises(ValueError, match="bad"):
        start()
    assert ran == ["client"]


def test_a_good_start_is_not_stopped() -> None:
    with Lifecycle() as life:
        pass
    assert not life.stop.is_set()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The seconds that each thread was waited for."""
    noted: list[float | None] = []
    join = threading.Thread.join

    def note(thread: threading.Thread, timeout: float | None = None) -> None:
        noted.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", note)
    return noted


def test_an_action_leaves_a_reserve_to_those_that_are_still_to_run(
    given: list[float | None],
) -> None:
    now = [100.0]
    life = Lifecycle(budget=10, clock=lambda: now[0])
    for seconds in (1, 6, 2):
        life.on_stop(f"{seconds} s", partial(pass_time, now, seconds))
    life.stop.set()
    assert life.wait() == 0
    assert given == [9.0, 7.5, 2.0]


def test_of_very_many_actions_each_has_an_equal_part_at_least(
    given: list[float | None], log: pytest.LogCaptureFixture
) -> None:
    now, ran = [100.0], list[int]()
    life = Lifecycle(budget=20, clock=lambda: now[0])
    for number in range(100):
        life.on_stop("count", partial(ran.append, number))
    life.stop.set()
    assert life.wait() == 0
    assert ran == list(reversed(range(100)))
    assert given[:3] == [20 / 100, 20 / 99, 20 / 98]
    assert given[-3:] == [19.0, 19.5, 20.0]
    assert "Stop action overran its time, left behind" not in log.messages
