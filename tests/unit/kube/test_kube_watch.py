import contextlib
import itertools
import json
import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.errors import ApiError, BrokenAnswer, Gone, ServerError
from kube.watch import LineSplitter, WatchEvent, WatchStream, decode
from tests.support.tables import cases


class Pieces:
    """A ByteStream of given pieces, where an exception stands for a failed read."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = deque(pieces)
        self.aborted = False
        self.closed = False

    def read(self) -> bytes:
        piece = self.pieces.popleft() if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True


class Blocked(Pieces):
    """A ByteStream that says nothing until it is aborted, and fails then."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.released = threading.Event()

    def read(self) -> bytes:
        self.reading.set()
        self.released.wait()
        raise BrokenAnswer("aborted")

    def abort(self) -> None:
        self.released.set()


def line(kind: str, **obj: object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def events(source: Pieces) -> list[WatchEvent]:
    with WatchStream(source, call="watch pods") as stream:
        return list(stream)


names = st.text(st.characters(codec="utf-8"), max_size=8)
kinds = st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"])


@given(st.lists(st.tuples(kinds, names), max_size=8), st.lists(st.integers(0, 400), max_size=30))
def test_any_split_of_the_bytes_gives_the_same_events(
    wanted: list[tuple[str, str]], cuts: list[int]
) -> None:
    whole = b"".join(
        json.dumps({"type": kind, "object": {"name": name}}, ensure_ascii=False).encode() + b"\n"
        for kind, name in wanted
    )
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    assert events(Pieces(*pieces)) == [WatchEvent(kind, {"name": name}) for kind, name in wanted]


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_splitter_loses_and_invents_nothing(pieces: list[bytes]) -> None:
    splitter = LineSplitter()
    found = [each for piece in pieces for each in splitter.feed(piece)]
    complete = b"".join(pieces).split(b"\n")[:-1]
    assert found == [each for each in complete if each.strip()]


def test_empty_lines_and_an_incomplete_last_line_are_no_events() -> None:
    source = Pieces(b"\n\r\n" + line("ADDED", name="a") + b'{"type": "ADDED", "obj')
    assert events(source) == [WatchEvent("ADDED", {"name": "a"})]


@cases(
    ("status", "expected"),
    {
        "gone": ({"code": 410, "reason": "Expired"}, Gone),
        "internal": ({"code": 500}, ServerError),
        "forbidden": ({"code": 403}, ApiError),
        "no-code": ({}, ServerError),
    },
)
def test_error_event_is_raised(status: dict, expected: type[ApiError]) -> None:
    with pytest.raises(expected, match="watch pods"):
        decode(line("ERROR", **status), call="watch pods")


@cases(
    "bad",
    {
        "not-json": b"<html>",
        "list": b"[]",
        "number": b"3",
        "null": b"null",
        "no-object": b'{"type": "ADDED"}',
        "object-is-number": b'{"type": "ADDED", "object": 3}',
        "unknown-type": b'{"type": "SURPRISE", "object": {}}',
        "type-is-list": b'{"type": [], "object": {}}',
        "error-is-number": b'{"type": "ERROR", "object": 3}',
        "code-is-text": b'{"type": "ERROR", "object": {"code": "x"}}',
        "not-text": b"\xff\xfe",
    },
)
def test_anything_else_is_a_broken_answer(bad: bytes) -> None:
    with pytest.raises(BrokenAnswer, match="watch pods"):
        decode(bad, call="watch pods")


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_our_errors(data: bytes) -> None:
    with contextlib.suppress(BrokenAnswer):
        decode(data, call="watch pods")


def test_events_before_a_failure_are_delivered() -> None:
    stream = WatchStream(Pieces(line("ADDED", name="a"), BrokenAnswer("reset")), call="watch pods")
    assert next(stream).object == {"name": "a"}
    with pytest.raises(BrokenAnswer, match="reset"):
        next(stream)


def test_leaving_the_context_frees_the_connection() -> None:
    source = Pieces()
    assert events(source) == []
    assert source.closed


def test_close_drops_what_was_read_already() -> None:
    source = Pieces(line("ADDED", name="a") + line("ADDED", name="b"))
    stream = WatchStream(source, call="watch pods")
    next(stream)
    stream.close()
    assert list(stream) == []
    assert source.aborted


def test_close_ends_a_blocked_iteration_quietly() -> None:
    source, found = Blocked(), []
    stream = WatchStream(source, call="watch pods")
    thread = threading.Thread(target=lambda: found.append(list(stream)))
    thread.start()
    source.reading.wait()
    stream.close()
    thread.join()
    assert found == [[]]
