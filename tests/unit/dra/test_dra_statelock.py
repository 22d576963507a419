"""One change of the node's state at a time, among threads and processes."""

import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from dra.errors import StateBusy
from dra.statelock import FILE_NAME, StateLock
from kube.deadlines import Deadline, limited
from testing.clock import Clock

_HOLDER = """
import sys
from pathlib import Path
from dra.statelock import StateLock
with StateLock(Path(sys.argv[1])):
    print("locked", flush=True)
    input()
"""


def entered(lock: StateLock) -> bool:
    with lock:
        return True


def test_lock_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    lock = StateLock(tmp_path, sleep=lambda _: pytest.fail("nobody has the lock"))
    with holding(tmp_path) as killed:
        killed.kill()
        killed.wait(10)
    assert entered(lock)
    lock.close()


def test_lock_goes_with_an_error_within(tmp_path: Path) -> None:
    lock = StateLock(tmp_path, sleep=lambda _: pytest.fail("nobody has the lock"))
    other = StateLock(tmp_path, sleep=lambda _: pytest.fail("nobody has the lock"))
    with pytest.raises(KeyError), lock:
        raise KeyError
    assert [entered(lock), entered(other)] == [True, True]
    lock.close()
    other.close()


class holding(ExitStack):  # noqa: N801 - reads as a word
    """Another process that holds the lock."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._command = [sys.executable, "-c", _HOLDER, str(directory)]

    def __enter__(self) -> subprocess.Popen[bytes]:  # type: ignore[override]
        process = self.enter_context(
            subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        return process


def test_call_waits_until_its_deadline_and_no_longer(tmp_path: Path) -> None:
    clock = Clock(100.0)
    lock = StateLock(tmp_path, sleep=clock.sleep, clock=lambda: clock.now)
    with holding(tmp_path) as other:
        with (
            limited(Deadline(130.0, lambda: True)),
            pytest.raises(StateBusy, match=f"{FILE_NAME} locked"),
        ):
            lock.__enter__()
        assert 129.0 < clock.now <= 130.0
        other.communicate(b"\n", timeout=10)
    assert entered(lock)
    lock.close()


def test_work_without_a_deadline_waits_for_the_other(tmp_path: Path) -> None:
    waited = threading.Event()
    lock = StateLock(tmp_path, sleep=lambda _: waited.set())
    with holding(tmp_path) as other:
        thread = threading.Thread(target=entered, args=(lock,))
        thread.start()
        assert waited.wait(10)
        other.communicate(b"\n", timeout=10)
        thread.join(10)
        assert not thread.is_alive()
    lock.close()


def test_threads_of_a_process_exclude_each_other(tmp_path: Path) -> None:
    lock, inside, most = StateLock(tmp_path), [], []

    def change() -> None:
        for _ in range(50):
            with lock:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(most), max(most)) == (200, 1)
    lock.close()


def test_other_thread_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    lock, failures = StateLock(tmp_path), []

    def call() -> None:
        with limited(Deadline(0.0, lambda: True)):
            try:
                entered(lock)
            except StateBusy as error:
                failures.append(error)

    with lock:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(10)
    assert len(failures) == 1
    assert entered(lock)
    lock.close()
