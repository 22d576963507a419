"""Two instances of a driver on one node, while the first is replaced by the second."""

import socket
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE, Contract
from dra.errors import NodeOccupied, SocketUnusable
from dra.kubelet.abandoned import remove_abandoned
from dra.kubelet.protocol import pluginregistration_pb2 as messages
from dra.kubelet.server import UnixServer
from dra.kubelet.wire import Method, service
from dra.places import LONGEST_SOCKET, NodeLock, Place, Places
from testing.kubeletcalls import KubeletCalls
from testing.node import Node
from testing.waiting import until
from tests.unit.testing.conftest import Lamps

OLD = "5f0f2a1c-6a59-4b8e-9c39-0a1b2c3d4e5f"
NEW = "0b9e6a44-9d0c-4a7e-8a57-3f2e1d0c9b8a"


def places(root: Path, instance: str = "", contract: Contract = FAKE) -> Places:
    return Places.of(
        contract, str(root / "cdi"), str(root / "registry"), str(root / "plugins"), instance
    )


def of_node(driver: str, instance: str) -> Places:
    return Places.of(
        Contract(driver, "xx"),
        "/var/run/cdi",
        "/var/lib/kubelet/plugins_registry",
        "/var/lib/kubelet/plugins",
        instance,
    )


@pytest.mark.parametrize(
    ("length", "registration", "plugin"),
    [
        pytest.param(27, f"{'d' * 27}-{OLD}-reg.sock", f"dra-{OLD}.sock", id="uid fits"),
        pytest.param(
            28, f"{'d' * 28}-KLOa5iJiCWg-reg.sock", f"dra-{OLD}.sock", id="digest of the uid"
        ),
        pytest.param(
            53, "dra-4-KAB9itqSlv4ExoMC6pwQ-reg.sock", "dra-KLOa5iJiCWg.sock", id="both digests"
        ),
    ],
)
def test_names_in_the_default_directories(length: int, registration: str, plugin: str) -> None:
    found = of_node("d" * length, OLD)
    assert found.registration_socket.path.name == registration
    assert found.plugin_socket.path.name == plugin


@given(length=st.integers(1, 61), instances=st.sets(st.uuids(), min_size=2, max_size=2))
def test_sockets_of_two_instances_differ_and_fit(length: int, instances: set[UUID]) -> None:
    first, second = (of_node("d" * length, str(each)) for each in instances)
    for one, other in (
        (first.plugin_socket, second.plugin_socket),
        (first.registration_socket, second.registration_socket),
    ):
        assert one != other
        assert len(str(one.path)) <= LONGEST_SOCKET
    assert first.directory == second.directory


def test_path_that_no_name_makes_short_enough_is_told(short_path: Path) -> None:
    with pytest.raises(SocketUnusable, match="Unix sockets take 107"):
        places(short_path / ("d" * 90), OLD).make_usable()


@pytest.mark.parametrize("instance", ["../x", "a/b", ".", "a b", "\0", "é", "-x", "x" * 64])
def test_instance_that_is_no_uid_is_refused(instance: str) -> None:
    with pytest.raises(SocketUnusable, match=r"--rolling-update.*uid of the pod"):
        of_node("driver", instance)


@pytest.fixture
def node(short_path: Path) -> Path:
    (short_path / "registry").mkdir()
    for instance in (OLD, NEW):
        places(short_path, instance).make_usable()
    return short_path


def test_instances_share_the_node_and_keep_others_off(node: Path) -> None:
    directory = places(node).directory
    old, new = NodeLock(directory, shared=True), NodeLock(directory, shared=True)
    with pytest.raises(NodeOccupied, match="another plugin process serves"):
        NodeLock(directory)
    old.release()
    new.release()
    single = NodeLock(directory)
    with pytest.raises(NodeOccupied, match="without --rolling-update"):
        NodeLock(directory, shared=True)
    single.release()


def test_only_the_last_instance_is_alone(node: Path) -> None:
    directory = places(node).directory
    old, new = NodeLock(directory, shared=True), NodeLock(directory, shared=True)
    assert not old.alone()
    # it has not lost its share by asking
    assert not new.alone()
    old.release()
    assert new.alone()
    with pytest.raises(NodeOccupied):
        NodeLock(directory, shared=True)
    new.release()


def test_plugin_without_rolling_updates_is_alone(node: Path) -> None:
    lock = NodeLock(places(node).directory)
    assert lock.alone()
    lock.release()


def server(place: Place, name: str) -> UnixServer:
    answer = Method(messages.InfoRequest, lambda _: messages.PluginInfo(name=name))
    return UnixServer(place, [service("test.Service", {"M": answer})], workers=1)


def ask(place: Place) -> str:
    with KubeletCalls(place.path) as calls:
        info: messages.PluginInfo = calls.call(
            "/test.Service/M", messages.InfoRequest(), messages.PluginInfo
        )
        return info.name


def test_new_instance_serves_before_and_after_the_end_of_the_old_one(node: Path) -> None:
    sockets = {
        name: [places(node, name).plugin_socket, places(node, name).registration_socket]
        for name in (OLD, NEW)
    }
    servers = {name: [server(place, name) for place in found] for name, found in sockets.items()}
    for each in servers[OLD]:
        each.start()
    for each in servers[NEW]:
        each.start()
    assert [ask(place) for name in (OLD, NEW) for place in sockets[name]] == [OLD, OLD, NEW, NEW]
    for each in servers[OLD]:
        each.stop(0)
    assert not any(place.path.exists() for place in sockets[OLD])
    assert [ask(place) for place in sockets[NEW]] == [NEW, NEW]
    for each in servers[NEW]:
        each.stop(0)


def leave_behind(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    return path


@pytest.mark.parametrize("instance", [OLD, ""], ids=["rolling", "before rolling updates"])
def test_what_a_killed_instance_left_is_removed_and_nothing_else(node: Path, instance: str) -> None:
    killed, runs = places(node, instance), places(node, NEW)
    left = [
        leave_behind(place.path) for place in (killed.registration_socket, killed.plugin_socket)
    ]
    other = leave_behind(node / "registry" / "other.example.com-reg.sock")
    file = runs.directory.path / "dra-file.sock"
    file.touch()
    serving = [server(place, NEW) for place in (runs.plugin_socket, runs.registration_socket)]
    for each in serving:
        each.start()
    removed: list[Path] = []
    remove_abandoned(runs, FAKE, removed.append)
    assert removed == left
    assert not any(path.exists() for path in removed)
    assert ask(runs.plugin_socket) == ask(runs.registration_socket) == NEW
    assert other.is_socket()
    assert file.exists()
    for each in serving:
        each.stop(0)


def test_a_program_that_starts_removes_what_a_killed_instance_left(dra_node: Node) -> None:
    where = dra_node.directories
    given = (str(where.cdi), str(where.registry), str(where.plugins))
    killed = Places.of(Lamps.contract, *given, OLD)
    killed.directory.path.mkdir(parents=True)
    left = [
        leave_behind(place.path) for place in (killed.registration_socket, killed.plugin_socket)
    ]
    with dra_node.running(Lamps()):
        until("both are removed", lambda: not any(path.exists() for path in left))
