"""The whole plugin in this process, on a MemoryApi and real sockets."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import create_autospec

import pytest

from api.contract import FAKE
from api.names import STATUS_NOT_READY, STATUS_READY
from api.nas import PreparedDevice, new_nas
from api.objects import ClaimUID
from api.resources import DRA_V1ALPHA2, NODES, STATES
from dra.devicestate.cdi import claim_file, common_file
from dra.devicestate.checkpoint import FILE_NAME
from dra.errors import CannotServe, NodeUnknown, SocketUnusable
from dra.patience import Patience
from dra.places import Places
from dra.startup import persist
from dra.wiring import Surroundings, Telemetry
from kube.errors import ConfigError, ConnectFailed, KubeError
from kube.events import EventRecorder
from ops.lifecycle import Lifecycle
from ops.metrics import Metrics
from plugin.classic.startup import readiness_checks, start
from plugin.classic.wiring import Site, build
from plugin.devices import FakeDeviceSource
from plugin.fakes import Fakes
from testing.apiserver import MemoryApi
from testing.kubeletcalls import KubeletCalls
from tests.support.build import NAMESPACE, SYSTEM, allocated, claim
from tests.support.pluginrig import NODE, node_object

SECONDS = 10.0


class Node:
    """A node whose plugin can be started and stopped."""

    def __init__(self, root: Path) -> None:
        self.api = MemoryApi()
        self.api.put(NODES, node_object())
        registrar = root / "registry"
        registrar.mkdir()
        self.places = Places.of(FAKE, str(root / "cdi"), str(registrar), str(root / "plugins"))
        self.statuses: list[str] = []
        self.told = Event()
        self.api.fault = self._note_status
        self.boot()

    def boot(self) -> None:
        self.places.make_usable()
        client: Any = self.api
        self.metrics = Metrics()
        self.events = create_autospec(EventRecorder, instance=True, spec_set=True)
        self.life = Lifecycle(budget=SECONDS)
        patience = Patience(self.life.stop.wait)
        around = Surroundings(client, self.events, self.metrics, NODE, self.places, patience)
        site = Site(FAKE, SYSTEM, FakeDeviceSource(FAKE, NODE, 2, "M"))
        self.plugin = build(around, site, Telemetry.over(around))

    def start(self) -> None:
        start(self.life, self.plugin)

    def stop(self) -> int:
        self.life.stop.set()
        return self.life.wait()

    def wait_status(self, status: str) -> None:
        """Wait until the last status that was written is this one."""
        while not self.statuses or self.statuses[-1] != status:
            assert self.told.wait(SECONDS), self.statuses
            self.told.clear()

    def sockets(self) -> list[bool]:
        places = (self.places.plugin_socket, self.places.registration_socket)
        return [place.path.is_socket() for place in places]

    def _note_status(self, verb: str, plural: str, body: Any) -> KubeError | None:
        if verb == "patch" and "status" in body:
            self.statuses.append(body["status"])
            self.told.set()
        return None


@pytest.fixture
def node(short_path: Path) -> Iterator[Node]:
    made = Node(short_path)
    yield made
    made.stop()


def test_node_is_ready_once_its_sockets_serve(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    assert node.sockets() == [True, True]
    with KubeletCalls(node.places.registration_socket.path) as calls:
        endpoint = calls.get_info().endpoint
    assert endpoint == str(node.places.plugin_socket.path)
    with KubeletCalls(Path(endpoint)) as calls:
        assert calls.prepare() == {}
    nas = node.api.find(STATES, NODE, SYSTEM)
    assert len(nas["spec"]["allocatableDevice"]) == 2
    assert nas["metadata"]["ownerReferences"][0]["uid"] == "uid-node"


def test_stop_takes_the_sockets_away_before_the_node_is_not_ready(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    seen: list[list[bool]] = []
    note = node.api.fault
    node.api.fault = lambda *call: seen.append(node.sockets()) or note(*call)
    assert node.stop() == 0
    assert node.statuses[-1] == STATUS_NOT_READY
    assert seen[-1] == [False, False]


def test_heartbeats_begin_and_the_last_one_promises_none(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    node.plugin.heartbeats.beat()
    heartbeat = node.api.find(STATES, NODE, SYSTEM)["heartbeat"]
    assert heartbeat["durationSeconds"] == 150
    node.stop()
    stopped = node.api.find(STATES, NODE, SYSTEM)
    assert stopped["status"] == STATUS_NOT_READY
    assert list(stopped["heartbeat"]) == ["renewTime"]
    assert stopped["heartbeat"]["renewTime"] > heartbeat["renewTime"]


def test_readiness_waits_for_watch_and_registration(node: Node) -> None:
    checks = readiness_checks(node.plugin)
    assert all(check() for check in checks.values())
    node.start()
    assert node.plugin.cache.wait_synced(SECONDS)
    assert checks["watch"]() is None
    with KubeletCalls(node.places.registration_socket.path) as calls:
        calls.notify()
    assert checks["registration"]() is None


def test_refused_node_is_not_ready_and_the_plugin_goes_on(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    with KubeletCalls(node.places.registration_socket.path) as calls:
        calls.notify("already registered")
        node.wait_status(STATUS_NOT_READY)
        calls.notify()
        node.wait_status(STATUS_READY)
    assert not node.life.stop.is_set()


def test_status_that_a_killed_plugin_left_is_taken_back_first(node: Node) -> None:
    node.api.put(STATES, {**new_nas(NODE, SYSTEM, "uid-node"), "status": STATUS_READY})
    node.start()
    node.wait_status(STATUS_READY)
    assert node.statuses[0] == STATUS_NOT_READY


def test_nas_that_somebody_deleted_comes_back_ready(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    assert node.plugin.cache.wait_synced(SECONDS)
    node.statuses.clear()
    stored = node.api.find(STATES, NODE, SYSTEM)
    node.api.remove(STATES, NODE, SYSTEM)
    stored["metadata"]["resourceVersion"] = node.api.version()
    node.plugin.cache.remove(stored)
    node.wait_status(STATUS_READY)
    assert len(node.api.find(STATES, NODE, SYSTEM)["spec"]["allocatableDevice"]) == 2


def test_restart_makes_both_sockets_anew(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    path = node.places.registration_socket.path
    keep = path.with_name("keep")
    os.link(path, keep)
    node.stop()
    assert node.sockets() == [False, False]
    node.boot()
    node.start()
    node.wait_status(STATUS_READY)
    assert path.stat().st_ino != keep.stat().st_ino


def test_stop_without_claims_leaves_nothing_on_the_node(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    assert [p.name for p in node.places.cdi_root.path.iterdir()] == [common_file(FAKE)]
    node.stop()
    assert list(node.places.cdi_root.path.iterdir()) == []
    assert not node.places.directory.path.exists()
    node.boot()
    node.start()
    node.wait_status(STATUS_READY)
    assert [p.name for p in node.places.cdi_root.path.iterdir()] == [common_file(FAKE)]


def test_stop_with_a_claim_leaves_its_files(node: Node) -> None:
    node.start()
    node.wait_status(STATUS_READY)
    device = PreparedDevice(FakeDeviceSource(FAKE, NODE, 2, "M").devices()[0].id, None)
    node.api.put(DRA_V1ALPHA2.claims, allocated(claim("a")))
    prepared = Fakes(FAKE, NODE).claim(ClaimUID("uid-a"), NAMESPACE, "a", "label", [device])
    node.plugin.plugin.state.prepare(prepared)
    before = files(node)
    node.stop()
    assert files(node) == before
    assert set(before) == {common_file(FAKE), claim_file(FAKE, prepared.uid), FILE_NAME}
    node.boot()
    node.start()
    assert node.plugin.plugin.state.find(prepared.uid) == prepared


def test_stop_before_the_node_was_recovered_leaves_what_an_earlier_process_left(
    node: Node,
) -> None:
    node.api.remove(NODES, NODE)
    Fakes(FAKE, NODE).checkpoint(node.places.directory.path).save([])
    before = files(node)
    starting = Thread(target=node.start)
    starting.start()
    assert node.plugin.cache.wait_synced(SECONDS)
    node.stop()
    starting.join(SECONDS)
    assert files(node) == before
    assert set(before) == {FILE_NAME}


def files(node: Node) -> dict[str, bytes]:
    """What is on the node, but for sockets."""
    places = (node.places.cdi_root.path, node.places.directory.path)
    return {p.name: p.read_bytes() for place in places for p in place.iterdir() if p.is_file()}


def test_nothing_serves_while_the_node_is_unknown(node: Node) -> None:
    node.api.remove(NODES, NODE)
    starting = Thread(target=node.start)
    starting.start()
    try:
        assert node.plugin.cache.wait_synced(SECONDS)
        assert node.sockets() == [False, False]
    finally:
        assert node.stop() == 0
        starting.join(SECONDS)
    assert node.sockets() == [False, False]


def test_socket_that_cannot_be_made_is_an_error(node: Node) -> None:
    node.places.registration_socket.path.mkdir()
    with pytest.raises(SocketUnusable):
        node.start()


def test_rebuilt_checkpoint_is_told_on_the_node_object(node: Node) -> None:
    (node.places.directory.path / FILE_NAME).write_bytes(b"")
    node.start()
    ((about, reason, text),) = [call.args for call in node.events.warning.call_args_list]
    assert (about["kind"], about["metadata"]["name"], reason) == ("Node", NODE, "CheckpointRebuilt")
    assert FILE_NAME in text


class Pauses(Event):
    """A stop event that counts the pauses instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return False


def failing(*errors: BaseException) -> Callable[[], None]:
    left = iter(errors)

    def action() -> None:
        for error in left:
            raise error

    return action


def test_persist_pauses_ever_longer(caplog: pytest.LogCaptureFixture) -> None:
    stop = Pauses()
    errors = [ConnectFailed("away") for _ in range(7)]
    assert persist(failing(*errors), stop)
    assert stop.seconds == [0.5, 1, 2, 4, 8, 15, 15]


def test_persist_logs_each_reason_once(caplog: pytest.LogCaptureFixture) -> None:
    errors = [ConnectFailed("a"), ConnectFailed("a"), NodeUnknown("b"), NodeUnknown("b")]
    assert persist(failing(*errors), Pauses())
    assert [r.keys["err"] for r in caplog.records] == ["a", "b"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [CannotServe("x"), ConfigError("x")])
def test_persist_gives_up_on_what_does_not_pass(error: Exception) -> None:
    with pytest.raises(type(error)):
        persist(failing(error), Pauses())


def test_persist_ends_when_the_program_stops() -> None:
    stop = Event()
    stop.set()
    assert not persist(failing(), stop)


def test_sockets_that_somebody_removed_come_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet lets go of a plugin whose registration socket vanishes."""
    monkeypatch.setattr("dra.kubelet.sockets.PERIOD_SECONDS", 600.0)
    node.start()
    node.wait_status(STATUS_READY)
    for place in (node.places.registration_socket, node.places.plugin_socket):
        place.path.unlink()
    node.plugin.plugin.sockets.look()
    assert node.sockets() == [True, True]
    with KubeletCalls(node.places.registration_socket.path) as calls:
        endpoint = calls.get_info().endpoint
    with KubeletCalls(Path(endpoint)) as calls:
        assert calls.prepare() == {}
    told = [call.args[1] for call in node.events.warning.call_args_list]
    assert told == ["SocketMissing", "SocketMissing"]
    assert node.stop() == 0
    assert node.sockets() == [False, False]
