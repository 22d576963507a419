"""The server's socket exists exactly while it serves, and belongs to it alone."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest

from dra.errors import ClaimNotFound, SocketUnusable
from dra.kubelet.protocol import pluginregistration_pb2 as messages
from dra.kubelet.server import UnixServer, hidden_name
from dra.kubelet.wire import LONGEST_TEXT, Method, service, shorten
from dra.places import LONGEST_SOCKET, Place
from testing.kubeletcalls import KubeletCalls

SERVICE = "test.Service"


def answers(name: str) -> Method[Any]:
    return Method(messages.InfoRequest, lambda _: messages.PluginInfo(name=name))


@contextmanager
def serving(path: Path, method: Method[Any]) -> Iterator[UnixServer]:
    server = UnixServer(
        Place(path, "--flag (env FLAG)"), [service(SERVICE, {"M": method})], workers=2
    )
    server.start()
    try:
        yield server
    finally:
        server.stop(0)


def ask(path: Path) -> str:
    with KubeletCalls(path) as calls:
        name: str = calls.call(f"/{SERVICE}/M", messages.InfoRequest(), messages.PluginInfo).name
        return name


def test_socket_serves_and_is_gone_afterwards(short_path: Path) -> None:
    path = short_path / "plugin.sock"
    with serving(path, answers("a")):
        assert ask(path) == "a"
        assert [p.name for p in short_path.iterdir()] == ["plugin.sock"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(short_path.iterdir()) == []


def test_socket_of_a_killed_process_is_replaced_by_another_file(short_path: Path) -> None:
    path = short_path / "plugin.sock"
    for stale in (path, hidden_name(path)):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(stale))
    before = path.stat().st_ino
    keep = path.with_name("keep")
    os.link(path, keep)
    with serving(path, answers("a")):
        assert ask(path) == "a"
        assert path.stat().st_ino != before
    assert list(short_path.iterdir()) == [keep]


def test_stopping_leaves_the_socket_of_a_successor(short_path: Path) -> None:
    path = short_path / "plugin.sock"
    with serving(path, answers("old")) as old, serving(path, answers("new")):
        old.stop(0)
        assert ask(path) == "new"


def test_stopping_is_fine_when_somebody_removed_the_socket(short_path: Path) -> None:
    path = short_path / "plugin.sock"
    with serving(path, answers("a")):
        path.unlink()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_no_socket_is_left_alone(short_path: Path, make: Any) -> None:
    path = short_path / "plugin.sock"
    make(path)
    with pytest.raises(SocketUnusable, match=r"no socket; remove it, or set --flag \(env FLAG\)"):
        serving(path, answers("a")).__enter__()
    assert path.exists()


def test_missing_directory_is_an_error_with_a_remedy(short_path: Path) -> None:
    with pytest.raises(SocketUnusable, match="--flag"):
        serving(short_path / "none" / "plugin.sock", answers("a")).__enter__()


def test_longest_path_serves_and_a_longer_one_does_not(short_path: Path) -> None:
    room = LONGEST_SOCKET - len(str(short_path)) - 1
    longest = short_path / ("s" * room)
    with serving(longest, answers("a")):
        assert ask(longest) == "a"
    with pytest.raises(SocketUnusable, match="has 108 bytes, Unix sockets take 107"):
        serving(short_path / ("s" * (room + 1)), answers("a")).__enter__()


def test_hidden_name_is_ignored_by_kubelets_and_no_longer() -> None:
    assert hidden_name(Path("/a/plugin.sock")) == Path("/a/.lugin.sock")


def test_call_under_way_ends_before_the_server_stops(short_path: Path) -> None:
    entered, leave = Event(), Event()

    def slow(_: messages.InfoRequest) -> messages.PluginInfo:
        entered.set()
        assert leave.wait(10)
        return messages.PluginInfo(name="late")

    path, found = short_path / "plugin.sock", []
    with serving(path, Method(messages.InfoRequest, slow)) as server:
        caller = Thread(target=lambda: found.append(ask(path)))
        caller.start()
        assert entered.wait(10)
        stopper = Thread(target=server.stop, args=(10,))
        stopper.start()
        leave.set()
        caller.join(10)
        stopper.join(10)
    assert found == ["late"]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        pytest.param(
            ClaimNotFound("x is gone"), grpc.StatusCode.FAILED_PRECONDITION, "x is gone", id="ours"
        ),
        pytest.param(
            ClaimNotFound("x" * 99_999),
            grpc.StatusCode.FAILED_PRECONDITION,
            shorten("x" * 99_999),
            id="long",
        ),
        pytest.param(
            KeyError("secret"),
            grpc.StatusCode.INTERNAL,
            "defect in the plugin; see its log",
            id="defect",
        ),
    ],
)
def test_exceptions_become_statuses(
    short_path: Path, error: Exception, code: grpc.StatusCode, text: str
) -> None:
    def fail(_: messages.InfoRequest) -> messages.PluginInfo:
        raise error

    path = short_path / "plugin.sock"
    with serving(path, Method(messages.InfoRequest, fail)):
        with pytest.raises(grpc.RpcError) as caught:
            ask(path)
        raised: Any = caught.value
        assert (raised.code(), raised.details()) == (code, text)


@pytest.mark.parametrize("path", [f"{SERVICE}/Other", "other.Service/M"])
def test_what_is_not_served_is_unimplemented(short_path: Path, path: str) -> None:
    socket_path = short_path / "plugin.sock"
    with serving(socket_path, answers("a")), KubeletCalls(socket_path) as calls:
        with pytest.raises(grpc.RpcError) as caught:
            calls.send(f"/{path}", b"")
        raised: Any = caught.value
        assert raised.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("length", [0, LONGEST_TEXT, LONGEST_TEXT + 1])
def test_shorten(length: int) -> None:
    short = shorten("x" * length)
    assert len(short) == min(length, LONGEST_TEXT)
    assert short.endswith("...") == (length > LONGEST_TEXT)
