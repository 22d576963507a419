"""Plugins of a node from socket to client, with real sockets."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devcluster.kubelet.dialect import DIALECTS
from devcluster.kubelet.draclient import ClaimRequest
from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.pluginmanager import PluginManager
from tests.support.fakedriver import Driver, serving, short_directory


@contextmanager
def managing(directory: Path, minor: str) -> Iterator[tuple[PluginManager, threading.Event]]:
    registered, stop = threading.Event(), threading.Event()
    manager = PluginManager(
        directory, DIALECTS[minor], on_registered=registered.set, clock=time.monotonic
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
    generations = ["v1alpha4"] if minor == "1.31" else ["v1alpha2", "v1alpha3"]
    driver = Driver(name="d", streams=streams, generations=generations)
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
