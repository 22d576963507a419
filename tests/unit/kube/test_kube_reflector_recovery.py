"""A reflector on the embedded API server, over sockets: its storage is restored, its watch mute."""

import queue
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.objects import JSON
from api.resources import PODS
from devcluster.apiserver.server import ApiServer
from kube.client import Client
from kube.errors import ConnectFailed, KubeError, WatchSilent, WentBack
from kube.reflector import Reflector
from kube.store import Store
from tests.support.apiserverrig import pod_body
from tests.support.apiserverweb import Logs, client_of, serving
from tests.support.backups import Backup
from tests.support.relay import Relay

SECONDS = 20.0


class Watcher:
    """A reflector that runs, and what it tells."""

    def __init__(self, client: Client, silent_seconds: float = 60.0) -> None:
        self.client = client
        self.store = Store()
        self.names: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.errors: list[KubeError] = []
        self._failed = threading.Condition()
        self.store.subscribe(self._changed)
        self.reflector = Reflector(
            client,
            PODS,
            self.store,
            on_error=self._report,
            silent_seconds=silent_seconds,
            sleep=lambda stop, seconds: stop.wait(min(seconds, 0.05)),
        )

    def _changed(self, old: JSON | None, new: JSON | None) -> None:
        if new is not None:
            self.names.put(new["metadata"]["name"])

    def _report(self, error: KubeError) -> None:
        with self._failed:
            self.errors.append(error)
            self._failed.notify_all()

    def fails_with(self, kind: type[KubeError]) -> None:
        """Wait until such an error was reported."""
        with self._failed:
            assert self._failed.wait_for(lambda: self.told(kind), SECONDS)

    def sees(self, name: str) -> None:
        """Wait until a pod has appeared."""
        while self.names.get(timeout=SECONDS) != name:
            pass

    def known(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.store.list())

    def told(self, kind: type[KubeError]) -> list[str]:
        return [str(error) for error in self.errors if isinstance(error, kind)]


@contextmanager
def behind(address: tuple[str, int], directory: Path, silent: float = 60.0) -> Iterator[Watcher]:
    """Watch with a client of its own."""
    client = client_of("http://{}:{}".format(*address), directory)
    try:
        with watcher(client, silent) as made:
            yield made
    finally:
        client.close()


@contextmanager
def watcher(client: Client, silent_seconds: float = 60.0) -> Iterator[Watcher]:
    made, stop = Watcher(client, silent_seconds), threading.Event()
    thread = threading.Thread(target=made.reflector.run, args=(stop,))
    thread.start()
    try:
        assert made.store.wait_synced(SECONDS)
        yield made
    finally:
        stop.set()
        made.reflector.stop()
        thread.join(SECONDS)


@pytest.fixture
def server() -> ApiServer:
    logs = Logs()
    return ApiServer(logs=logs, commands=logs)


@pytest.fixture
def url(server: ApiServer) -> Iterator[str]:
    with serving(server) as url:
        yield url


@pytest.fixture
def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[Client]:
    made = client_of(url, tmp_path)
    yield made
    made.close()


def create(client: Client, *names: str) -> None:
    for name in names:
        client.create(PODS, pod_body(name), "default")


def test_restored_server_is_listed_anew(server: ApiServer, client: Client) -> None:
    create(client, "kept")
    backup = Backup.of(server._storage)
    with watcher(client) as it:
        create(client, "lost", *(f"p{number}" for number in range(60)))
        it.sees("p59")
        backup.restore(server._storage, PODS)
        create(client, "new")
        it.sees("new")
        assert it.known() == ["kept", "new"]
    (said,) = it.told(WentBack)
    assert f"went back from resourceVersion {backup.revision + 61}" in said


def test_restored_server_that_was_away_and_has_overtaken_us_is_listed_anew(
    server: ApiServer, address: tuple[str, int], client: Client, tmp_path: Path
) -> None:
    create(client, "kept")
    backup = Backup.of(server._storage)
    with closing(Relay(address)) as before, behind(before.address, tmp_path) as it:
        create(client, "lost")
        it.sees("lost")
        before.close()
        it.fails_with(ConnectFailed)
        backup.restore(server._storage)
        create(client, "a", "b", "new")
        with closing(Relay(address, port=before.address[1])):
            it.sees("new")
            assert it.known() == ["a", "b", "kept", "new"]
            assert it.told(WentBack) == []


def test_watch_over_a_forgotten_connection_is_renewed_without_a_list(
    address: tuple[str, int], client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists: list[object] = []
    real = Client.list
    monkeypatch.setattr(Client, "list", lambda *a, **k: lists.append(a) or real(*a, **k))
    with closing(Relay(address)) as relay, behind(relay.address, tmp_path, silent=0.5) as it:
        create(client, "before")
        it.sees("before")
        relay.forget()
        create(client, "behind")
        it.sees("behind")
        assert it.told(WatchSilent) == []
    assert len(lists) == 1
