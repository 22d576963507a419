from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest

from dra.errors import SocketUnusable
from dra.kubelet.protocol import pluginregistration_pb2 as messages
from dra.kubelet.server import UnixServer
from dra.kubelet.sockets import Sockets
from dra.kubelet.wire import Method, service
from dra.places import Place
from dra.repairs import Repair
from testing.kubeletcalls import KubeletCalls
from testing.waiting import until

PATH = Path("/k/plugin.sock")
SERVICE = "test.Service"


def keeping(server: Any) -> tuple[Sockets, Mock]:
    report = Mock()
    return Sockets({PATH: server}, grace=8.0, report=report), report


def serving(path: Path, serve: Any) -> UnixServer:
    quick = Method(messages.InfoRequest, lambda _: messages.PluginInfo(name="quick"))
    handler = service(SERVICE, {"M": Method(messages.InfoRequest, serve), "N": quick})
    server = UnixServer(Place(path, "--flag"), [handler], workers=2)
    server.start()
    return server


def ask(calls: KubeletCalls) -> str:
    name: str = calls.call(f"/{SERVICE}/M", messages.InfoRequest(), messages.PluginInfo).name
    return name


def test_removed_socket_is_made_anew_and_told() -> None:
    server = create_autospec(UnixServer, instance=True, spec_set=True)
    server.mend.side_effect = [False, True, False]
    sockets, report = keeping(server)
    for _ in range(3):
        sockets.look()
    report.assert_called_once_with(Repair.SOCKET_MISSING, f"socket {PATH} was removed, made anew")


def test_socket_that_cannot_be_made_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    server = create_autospec(UnixServer, instance=True, spec_set=True)
    server.mend.side_effect = [SocketUnusable("no directory"), SocketUnusable("no directory"), True]
    sockets, report = keeping(server)
    for _ in range(3):
        sockets.look()
    assert len(caplog.records) == 1
    report.assert_called_once()


def test_run_ends_with_the_program() -> None:
    stop = Event()
    stop.set()
    server = create_autospec(UnixServer, instance=True, spec_set=True)
    keeping(server)[0].run(stop)
    server.mend.assert_not_called()


def test_socket_that_is_there_is_left_alone(short_path: Path) -> None:
    server = serving(short_path / "s.sock", lambda _: messages.PluginInfo(name="a"))
    inode = (short_path / "s.sock").stat().st_ino
    assert not server.mend(0)
    assert (short_path / "s.sock").stat().st_ino == inode
    server.stop(0)


def test_new_socket_serves_and_goes_with_the_server(short_path: Path) -> None:
    path = short_path / "s.sock"
    server = serving(path, lambda _: messages.PluginInfo(name="a"))
    path.unlink()
    assert server.mend(0)
    with KubeletCalls(path) as calls:
        assert ask(calls) == "a"
    server.stop(0)
    assert list(short_path.iterdir()) == []
    assert not server.mend(0)


def test_call_by_the_former_socket_ends(short_path: Path) -> None:
    entered, leave = Event(), Event()

    def slow(_: messages.InfoRequest) -> messages.PluginInfo:
        entered.set()
        assert leave.wait(10)
        return messages.PluginInfo(name="late")

    path, found = short_path / "s.sock", []
    server = serving(path, slow)
    with KubeletCalls(path) as calls:
        caller = Thread(target=lambda: found.append(ask(calls)))
        caller.start()
        assert entered.wait(10)
        path.unlink()
        mender = Thread(target=server.mend, args=(10,))
        mender.start()
        with KubeletCalls(path) as others:
            until("the new socket serves", path.is_socket)
            assert others.call(f"/{SERVICE}/N", messages.InfoRequest(), messages.PluginInfo)
        leave.set()
        for thread in (caller, mender):
            thread.join(10)
    assert found == ["late"]
    server.stop(0)


def test_missing_directory_is_an_error_and_the_next_look_mends(short_path: Path) -> None:
    directory = short_path / "d"
    directory.mkdir()
    path = directory / "s.sock"
    server = serving(path, lambda _: messages.PluginInfo(name="a"))
    path.unlink()
    directory.rmdir()
    with pytest.raises(SocketUnusable, match="--flag"):
        server.mend(0)
    directory.mkdir()
    assert server.mend(0)
    assert path.is_socket()
    server.stop(0)
