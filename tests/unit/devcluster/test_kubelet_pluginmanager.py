"""Plugins of a node from socket to client, with real sockets."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devcluster.kubelet.devicehealth import DeviceHealth
from devcluster.kubelet.dialect import DIALECTS
from devcluster.kubelet.draclient import ClaimRequest
from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.pluginmanager import PluginManager
from dra.kubelet.protocol import dra_health_pb2 as messages
from testing.waiting import until
from tests.support.fakedriver import Driver, serving, short_directory


@contextmanager
def managing(
    directory: Path, minor: str, health: DeviceHealth | None = None
) -> Iterator[tuple[PluginManager, threading.Event]]:
    registered, stop = threading.Event(), threading.Event()
    manager = PluginManager(
        directory,
        DIALECTS[minor],
        on_registered=lambda _: registered.set(),
        on_health=lambda: None,
        health=health,
        clock=time.monotonic,
    )
    thread = threading.Thread(target=manager.run, args=(stop,))
    thread.start()
    try:
        yield manager, registered
    finally:
        stop.set()
        manager.close()
        thread.join(10)
        manager.close()


@pytest.mark.parametrize("minor", DIALECTS)
@pytest.mark.parametrize("streams", [False, True], ids=["classic", "streams"])
def test_a_plugin_is_found_while_its_socket_is_there(minor: str, streams: bool) -> None:
    structured = DIALECTS[minor].structured
    generations = {"1.31": ["v1alpha4"]}.get(minor, ["v1alpha2", "v1alpha3"])
    driver = Driver(
        name="d",
        streams=streams and not structured,
        generations=["v1", "v1beta1"] if structured else generations,
        versions=["v1.DRAPlugin", "v1beta1.DRAPlugin"] if structured else ["1.0.0"],
    )
    with short_directory() as directory, managing(directory, minor) as (manager, registered):
        assert manager.get("d") is None
        with serving(driver, directory / "d-reg.sock"):
            assert registered.wait(10)
            client = manager.get("d")
            assert client is not None
            assert set(client.prepare([ClaimRequest("ns", "u", "c")])) == {"u"}
            assert manager.names() == ["d"]
            manager.close()
            with pytest.raises(PluginCallFailed):
                client.prepare([ClaimRequest("ns", "u", "c")])
        assert manager.names() == []


@pytest.mark.parametrize("listed", [["v1", "v1beta1"], ["v1beta1", "v1"]])
def test_the_first_service_that_the_plugin_lists_is_called(listed: list[str]) -> None:
    driver = Driver(name="d", generations=listed, versions=[f"{each}.DRAPlugin" for each in listed])
    with (
        short_directory() as directory,
        managing(directory, "1.37") as (manager, registered),
        serving(driver, directory / "d-reg.sock"),
    ):
        assert registered.wait(10)
        client = manager.get("d")
        assert client is not None
        client.prepare([ClaimRequest("ns", "u", "c")])
    assert driver.calls == [(f"{listed[0]} prepare", ["u"])]


@pytest.mark.parametrize("versions", [["1.0.0"], []])
def test_a_plugin_without_a_service_of_this_kubelet_is_told_so(versions: list[str]) -> None:
    driver = Driver(name="d", versions=versions)
    with (
        short_directory() as directory,
        managing(directory, "1.37") as (manager, _),
        serving(driver, directory / "d-reg.sock"),
    ):
        until("the plugin is told", lambda: driver.notified)
    assert driver.notified[0][0] is False
    assert "is supported" in driver.notified[0][1]
    assert manager.names() == []


def test_health_is_known_while_the_plugin_is_there() -> None:
    gone = threading.Event()

    def told() -> Iterator[messages.DeviceHealth]:
        device = messages.DeviceIdentifier(pool_name="p", device_name="d")
        yield messages.DeviceHealth(device=device, health=messages.HEALTHY)
        gone.wait(10)

    versions = ["v1.DRAPlugin", "v1.DRAResourceHealth"]
    driver = Driver(name="d", generations=["v1"], versions=versions, health=told())
    health = DeviceHealth(time.monotonic)

    def state() -> str:
        return health.of("d", "p", "d").state

    with short_directory() as directory, managing(directory, "1.37", health):
        with serving(driver, directory / "d-reg.sock"):
            until("healthy", lambda: state() == "Healthy")
            gone.set()
        until("unknown", lambda: state() == "Unknown")
