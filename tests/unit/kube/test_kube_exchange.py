import socket
from unittest.mock import Mock, create_autospec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.exchange import Answer, BrokenExchange, Request, exchange
from tests.support.tables import cases

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nRetry-After: 3\r\n"
LENGTH = HEAD + b'Content-Length: 7\r\n\r\n{"a":1}'
CHUNKS = (
    HEAD + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\nTrailer: t\r\n\r\n'
)


def connection(*pieces: bytes) -> Mock:
    """A socket that brings these, and then the end."""
    made = create_autospec(socket.socket, instance=True, spec_set=True)
    made.recv.side_effect = [*pieces, b""]
    return made


def ask(*pieces: bytes) -> Answer:
    return exchange(connection(*pieces), b"x", 5.0)


@cases(
    ("answer", "status", "data", "reusable"),
    {
        "length": (LENGTH, 200, b'{"a":1}', True),
        "chunks": (CHUNKS, 200, b'{"a":1}', True),
        "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        "refusal": (b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}", 409, b"{}", True),
        "provisional": (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + LENGTH,
            200,
            b'{"a":1}',
            True,
        ),
        "last": (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            *(200, b"{}", False),
        ),
        "old-server": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", False),
        "until-its-end": (b"HTTP/1.1 502 Bad\r\n\r\nno upstream", 502, b"no upstream", False),
        "surplus": (LENGTH + HEAD, 200, b'{"a":1}', False),
    },
)
def test_answer_is_read(answer: bytes, status: int, data: bytes, reusable: bool) -> None:
    found = ask(answer)
    assert (found.status, found.data, found.reusable) == (status, data, reusable)


@given(answer=st.sampled_from([LENGTH, CHUNKS]), cut=st.data())
def test_answer_may_come_in_any_pieces(answer: bytes, cut: st.DataObject) -> None:
    at = sorted(cut.draw(st.sets(st.integers(1, len(answer) - 1))))
    pieces = [answer[start:end] for start, end in zip([0, *at], [*at, None], strict=True)]
    found = ask(*pieces)
    assert (found.status, found.data, found.headers["retry-after"]) == (200, b'{"a":1}', "3")


@cases(
    "answer",
    {
        "nothing": b"",
        "half-a-head": HEAD,
        "half-a-body": LENGTH[:-1],
        "half-a-chunk": CHUNKS[:-20],
        "only-provisional": b"HTTP/1.1 100 Continue\r\n\r\n",
        "another-protocol": b"\x15\x03\x01\x00\x02\x02F",
    },
)
def test_answer_that_is_not_whole_is_none(answer: bytes) -> None:
    with pytest.raises(BrokenExchange):
        ask(*([answer] if answer else []))


def test_answer_to_a_request_that_was_not_read_whole_counts() -> None:
    made = connection(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    made.sendall.side_effect = BrokenPipeError
    assert exchange(made, b"x", 5.0).status == 413


def test_silence_is_limited() -> None:
    made = connection()
    made.recv.side_effect = TimeoutError
    with pytest.raises(TimeoutError):
        exchange(made, b"x", 2.5)
    made.settimeout.assert_called_once_with(2.5)


def test_head_and_body_are_sent_at_once() -> None:
    made = connection(LENGTH)
    exchange(made, b"head and body", 5.0)
    made.sendall.assert_called_once_with(b"head and body")


def test_head_says_what_is_asked() -> None:
    request = Request("PATCH", "/x?y=z", {"Accept": "a/b", "Authorization": "Bearer t"}, b"{}")
    assert request.head("h:1") == (
        b"PATCH /x?y=z HTTP/1.1\r\nHost: h:1\r\nAccept-Encoding: identity\r\nContent-Length: 2\r\n"
        b"Accept: a/b\r\nAuthorization: Bearer t\r\n\r\n"
    )


@cases(
    "unquoted",
    {
        "space": Request("GET", "/a b", {}),
        "letters": Request("GET", "/ä", {}),
        "line": Request("GET", "/x", {"Authorization": "Bearer t\r\nX: y"}),
        "path": Request("GET", "/x\r\nX:y", {}),
    },
)
def test_head_that_would_say_something_else_is_not_made(unquoted: Request) -> None:
    assert unquoted.head("h") is None
