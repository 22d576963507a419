"""The registration directory: what appears, vanishes, fails and comes back."""

import socket as sockets
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devcluster.kubelet import registrar
from devcluster.kubelet.dialect import DIALECTS
from devcluster.kubelet.draclient import DraClient
from devcluster.kubelet.errors import PluginCallFailed, RegistrationRefused
from devcluster.kubelet.plugins import PluginInfo, PluginRegistry
from devcluster.kubelet.watcher import BACKOFF, RegistrationWatcher, find_sockets
from testing.clock import Clock
from tests.support.fakedriver import Driver, serving, short_directory


class FakePlugins:
    """Registrar and registry in one; refuses what a test says."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.dead = False
        self.refusal = ""
        self.deaf = False

    def get_info(self, socket: Path) -> PluginInfo:
        if self.dead:
            self.log.append(("dead", socket.name))
            raise PluginCallFailed("no answer")
        return PluginInfo("DRAPlugin", socket.stem, socket, ("1.0.0",))

    def notify(self, socket: Path, error: str) -> None:
        self.log.append(("notify", error))
        if self.deaf:
            raise PluginCallFailed("no answer")

    def register(self, info: PluginInfo) -> None:
        if self.refusal:
            raise RegistrationRefused(self.refusal)
        self.log.append(("register", info.name))

    def unregister(self, name: str, endpoint: Path | None = None) -> bool:
        assert endpoint is not None
        assert endpoint.stem == name
        self.log.append(("unregister", name))
        return True


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@pytest.fixture
def plugins() -> FakePlugins:
    return FakePlugins()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def watcher(directory: Path, plugins: FakePlugins, clock: Clock) -> RegistrationWatcher:
    return RegistrationWatcher(directory, plugins, plugins, clock=clock)


def bind(path: Path) -> None:
    """Leave a socket file, as a server does that has gone without cleaning up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sockets.socket(sockets.AF_UNIX)) as server:
        server.bind(str(path))


def test_sockets_are_found_in_subdirectories_but_not_behind_a_dot(directory: Path) -> None:
    for name in ("a.sock", "sub/b.sock", ".hidden.sock", ".cache/c.sock"):
        bind(directory / name)
    (directory / "file").write_text("")
    assert sorted(path.name for path in find_sockets(directory)) == ["a.sock", "b.sock"]


def test_a_directory_that_does_not_exist_has_no_sockets(directory: Path) -> None:
    assert find_sockets(directory / "none") == {}


def test_a_new_socket_is_registered_once(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins
) -> None:
    bind(directory / "a.sock")
    watcher.scan()
    watcher.scan()
    assert plugins.log == [("register", "a"), ("notify", "")]


def test_a_socket_that_vanishes_unregisters_its_plugin(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins
) -> None:
    bind(directory / "a.sock")
    watcher.scan()
    (directory / "a.sock").unlink()
    watcher.scan()
    watcher.scan()
    assert plugins.log[2:] == [("unregister", "a")]


def test_a_socket_made_anew_is_another_one(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins
) -> None:
    bind(directory / "a.sock")
    watcher.scan()
    bind(directory / "b")
    (directory / "b").replace(directory / "a.sock")
    watcher.scan()
    assert plugins.log[2:] == [("unregister", "a"), ("register", "a"), ("notify", "")]


def test_a_socket_whose_mode_changes_is_the_same(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins
) -> None:
    bind(directory / "a.sock")
    watcher.scan()
    (directory / "a.sock").chmod(0o600)
    watcher.scan()
    assert len(plugins.log) == 2


def test_a_plugin_that_does_not_answer_is_asked_ever_more_slowly(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins, clock: Clock
) -> None:
    bind(directory / "a.sock")
    plugins.dead = True
    pauses = []
    for _ in range(10):
        watcher.scan()
        asked = len(plugins.log)
        begin = clock.now
        while len(plugins.log) == asked:
            clock.now += BACKOFF.first
            watcher.scan()
        pauses.append(clock.now - begin)
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-2:] == [BACKOFF.longest, BACKOFF.longest]


def test_a_refused_plugin_is_told_and_tried_again(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins, clock: Clock
) -> None:
    bind(directory / "a.sock")
    plugins.refusal = "too old"
    watcher.scan()
    plugins.refusal = ""
    watcher.scan()
    clock.now += BACKOFF.first
    watcher.scan()
    assert plugins.log == [("notify", "too old"), ("register", "a"), ("notify", "")]


def test_a_refused_socket_that_vanishes_unregisters_nobody(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins
) -> None:
    bind(directory / "a.sock")
    plugins.refusal = "too old"
    watcher.scan()
    (directory / "a.sock").unlink()
    watcher.scan()
    assert plugins.log == [("notify", "too old")]


def test_a_plugin_that_does_not_take_the_outcome_stays_registered(
    watcher: RegistrationWatcher, directory: Path, plugins: FakePlugins, clock: Clock
) -> None:
    bind(directory / "a.sock")
    plugins.deaf = True
    watcher.scan()
    clock.now += BACKOFF.longest
    watcher.scan()
    assert plugins.log == [("register", "a"), ("notify", "")]


def test_run_registers_a_real_plugin_and_tells_who(directory: Path) -> None:
    registry = PluginRegistry(lambda info: DraClient(info.endpoint, DIALECTS["1.30"]))
    registered, stop = threading.Event(), threading.Event()
    names: list[str] = []

    def note(name: str) -> None:
        names.append(name)
        registered.set()

    watcher = RegistrationWatcher(directory, registry, registrar, on_registered=note)
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    with serving(Driver(name="d"), directory / "d-reg.sock") as driver:
        assert registered.wait(10)
        stop.set()
        thread.join(10)
    registry.close()
    assert names == ["d"]
    assert driver.notified == [(True, "")]
