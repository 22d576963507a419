"""Whose slices a kubelet deletes, and when."""

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from devcluster.apiserver.resourceapi import structured
from devcluster.claimapi import STRUCTURED
from devcluster.kubelet.slicewiping import WIPE_SECONDS, SliceWiping, wipe
from kube.errors import ConnectFailed
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.fakedriver import short_directory
from tests.support.structuredobjects import a_slice

SLICES = STRUCTURED.slices


class Node:
    """The slices of two drivers on two nodes, and the plugin of one on the first."""

    def __init__(self, directory: Path) -> None:
        self.api = MemoryApi(api=structured(37))
        self.clock = Clock(1000.0)
        self.socket = directory / "a.sock"
        self.endpoints: dict[str, Path] = {}
        delete = partial(wipe, self.api, SLICES, "node-1")
        self.wiping = SliceWiping(delete, lambda: self.endpoints, self.clock)
        self._server: socket.socket | None = None

    def publish(self) -> None:
        for driver in ("a", "b"):
            pool = {"name": f"of-{driver}", "generation": 1, "resourceSliceCount": 1}
            for node in ("node-1", "node-2"):
                name = f"{driver}-{node}"
                if name not in self.left():
                    self.api.create(SLICES, a_slice(name, driver=driver, nodeName=node, pool=pool))

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.socket))
        self._server.listen()
        self.endpoints = {"a": self.socket}

    def kill(self) -> None:
        """Leave the file of the socket behind."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def leave(self) -> None:
        self.kill()
        self.endpoints = {}

    def left(self) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.api.all(SLICES))


@pytest.fixture
def node() -> Iterator[Node]:
    with short_directory() as directory:
        made = Node(directory)
        made.publish()
        yield made
        made.kill()


def test_all_slices_of_the_node_go_at_first(node: Node) -> None:
    node.wiping.look()
    assert node.left() == ["a-node-2", "b-node-2"]
    node.publish()
    node.clock.now += 2 * WIPE_SECONDS
    node.wiping.look()
    assert len(node.left()) == 4


def test_what_fails_is_done_later(node: Node) -> None:
    failures = iter([ConnectFailed("away")])
    node.api.fault = lambda *_: next(failures, None)
    node.wiping.look()
    assert len(node.left()) == 4
    node.wiping.look()
    assert node.left() == ["a-node-2", "b-node-2"]


@pytest.mark.parametrize("go", [Node.kill, Node.leave], ids=["killed", "unregistered"])
@pytest.mark.parametrize("back", [False, True], ids=["for-good", "comes-back"])
def test_slices_of_a_plugin_that_is_gone_stay_for_a_time(node: Node, go, *, back: bool) -> None:  # type: ignore[no-untyped-def]
    node.wiping.look()
    node.start()
    node.publish()
    node.wiping.look()
    go(node)
    for _ in range(3):
        node.wiping.look()
        node.clock.now += WIPE_SECONDS / 3 - 1
        assert len(node.left()) == 4
    if back:
        node.start()
        node.wiping.look()
    node.clock.now += 4
    node.wiping.look()
    assert node.left() == [*(["a-node-1"] if back else []), "a-node-2", "b-node-1", "b-node-2"]
