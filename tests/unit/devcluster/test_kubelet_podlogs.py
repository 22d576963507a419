"""Reading logs: tails, followers, and which run is meant."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.kubelet import podlogs
from devcluster.kubelet.podlogs import choose_run, read_log, tail_offset


def never() -> bool:
    raise AssertionError("not asked")


def read(path: Path, **options: Any) -> bytes:
    chosen = {"tail": None, "follow": False, "ended": never, "wait": never, **options}
    return b"".join(read_log(path, **chosen))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_bytes(b"one\ntwo\nthree\n")
    return path


@pytest.mark.parametrize(
    ("tail", "text"), [(None, b"one\ntwo\nthree\n"), (0, b""), (2, b"two\nthree\n")]
)
def test_the_end_of_a_log(log: Path, tail: int | None, text: bytes) -> None:
    assert read(log, tail=tail) == text


@given(st.lists(st.sampled_from([b"\n", b"a", b"bc"]), max_size=20), st.integers(0, 9))
def test_a_tail_has_so_many_lines(parts: list[bytes], lines: int) -> None:
    data = b"".join(parts)
    whole = data.splitlines(keepends=True)
    expected = b"".join(whole[max(0, len(whole) - lines) :])
    assert data[tail_offset(io.BytesIO(data), lines) :] == expected


def test_a_tail_longer_than_a_block(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podlogs, "_BLOCK", 2)
    assert read(log, tail=2) == b"two\nthree\n"


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "none.log", follow=True) == b""


def test_a_follower_gets_what_comes_and_ends_with_the_container(log: Path) -> None:
    """The last line is written between the question whether it ended and the last read."""
    questions = iter([False, False, True])

    def ended() -> bool:
        answer = next(questions)
        if answer:
            with log.open("ab") as file:
                file.write(b"last\n")
        return answer

    def wait(_seconds: float) -> bool:
        with log.open("ab") as file:
            file.write(b"more\n")
        return False

    assert read(log, tail=1, follow=True, ended=ended, wait=wait) == b"three\nmore\nmore\nlast\n"


def test_a_follower_gets_empty_pieces_while_nothing_is_new(log: Path) -> None:
    waits = iter([False, True])
    pieces = read_log(
        log, tail=0, follow=True, ended=lambda: False, wait=lambda _seconds: next(waits)
    )
    assert list(pieces) == [b"", b""]


@pytest.mark.parametrize(
    ("runs", "state", "previous", "run"),
    [
        ([], "waiting", False, 0),
        ([0], "running", False, 0),
        ([1, 2], "running", False, 2),
        ([1, 2], "running", True, 1),
        ([1, 2], "terminated", True, 1),
        ([1, 2], "waiting", True, 2),
        ([1, 2], "waiting", False, 2),
    ],
)
def test_which_run_is_meant(runs: list[int], state: str, previous: bool, run: int) -> None:
    pod = {"status": {"containerStatuses": [{"name": "main", "state": {state: {}}}]}}
    assert choose_run(pod, "main", runs, previous=previous) == run


def test_an_init_container_has_runs_too() -> None:
    entry = {"name": "init", "state": {"waiting": {}}}
    pod = {"status": {"initContainerStatuses": [entry]}}
    assert choose_run(pod, "init", [0, 1], previous=True) == 1
