"""The kubelet plugin as a process, over HTTP, where kube-scheduler allocates: killed at any moment.

The kubelet and the API server are those of tests of drivers.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from devcluster.apiserver.storage import Event
from testing.kubelet import PrepareFailed
from testing.node import Node
from testing.waiting import until
from tests.support.fakerig import DRIVER, result, scheduled, store, uuid
from tests.support.pages import free_port, page

DEVICES = 8
PARTS = 31
pytestmark = pytest.mark.embedded


@contextmanager
def plugin(node: Node, *settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the program; it is ended by SIGTERM unless it was killed."""
    places = node.directories
    flags = [
        f"--node-name={node.name}",
        f"--kubeconfig={node.kubeconfig}",
        f"--cdi-root={places.cdi}",
        f"--kubelet-registrar-directory-path={places.registry}",
        f"--kubelet-plugins-directory-path={places.plugins}",
        "--namespace=fake-system",
        "--device-model=M",
        *settings,
    ]
    with subprocess.Popen([sys.executable, "-m", "plugin", *flags]) as process:
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(30)
    assert code in (0, -signal.SIGKILL)


def served(node: Node) -> None:
    """Wait until the plugin is registered and everything published."""
    until(f"driver {DRIVER}", lambda: node.kubelet.look(DRIVER))
    until("all devices", lambda: offered(node) == DEVICES * PARTS)


def offered(node: Node) -> int:
    """Return how many devices a scheduler sees, none while the pool is incomplete."""
    return sum(len(pool.devices) for pool in node.published(DRIVER, 0))


def at_first_change(plural: str, act: Callable[[], object]) -> Callable[[Event], None]:
    """Return a listener that acts at the first change of a resource."""
    acts = iter([act])

    def hear(event: Event) -> None:
        if event.resource[1] == plural:
            next(acts, lambda: None)()

    return hear


@pytest.mark.timeout(120)
def test_killed_while_it_publishes(dra_node: Node) -> None:
    """What the killed ones left is never given out twice, and the last one completes it."""
    seen: set[int] = set()
    dra_node.api.listen(lambda _event: seen.add(offered(dra_node)))
    for _ in range(2):
        with plugin(dra_node) as process:
            dra_node.api.listen(at_first_change("resourceslices", process.kill))
            assert process.wait(30) == -signal.SIGKILL
    with plugin(dra_node):
        served(dra_node)
    assert seen <= {0, DEVICES * PARTS}


def in_checkpoint(node: Node, uid: str) -> bool:
    path = node.directories.plugins / DRIVER / "checkpoint.json"
    return path.exists() and uid in path.read_text()


def in_cdi(node: Node, uid: str) -> bool:
    return bool(list(node.directories.cdi.glob(f"*{uid}*")))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment", [in_checkpoint, in_cdi])
def test_killed_while_it_prepares(dra_node: Node, moment: Callable[[Node, str], bool]) -> None:
    claim = store(dra_node.api, scheduled("a", result("fake-1"), result("fake-2-split4-3")))
    with plugin(dra_node) as process, ThreadPoolExecutor(1) as pool:
        served(dra_node)
        pool.submit(kill_at, process, lambda: moment(dra_node, "uid-a"))
        with suppress(PrepareFailed):
            dra_node.kubelet.prepare(claim)
        process.wait(30)
    with plugin(dra_node):
        served(dra_node)
        dra_node.kubelet.restart()
        found = dra_node.kubelet.prepare(claim).env
        given = [found[f"FAKE_DEVICE_{index}"] for index in range(2)]
        assert given == [uuid("fake-1"), uuid("fake-2-split4-3")]
        dra_node.kubelet.unprepare(claim)
    assert list(dra_node.directories.cdi.iterdir()) == []
    assert list(dra_node.directories.registry.iterdir()) == []


def kill_at(process: "subprocess.Popen[bytes]", come: Callable[[], bool]) -> None:
    while not come():
        pass
    process.kill()


@pytest.mark.parametrize("dra_minor", [32, 35])
def test_without_counters_nothing_overlaps(dra_node: Node) -> None:
    port = free_port()
    with plugin(dra_node, f"--http-endpoint=127.0.0.1:{port}"):
        dra_node.kubelet.register(DRIVER)
        until("ready", lambda: page(port, "/readyz") == (200, "ok"))
        (pool,) = dra_node.published(DRIVER)
        kinds = [each["name"].partition("-split")[1:2] for each in pool.devices]
        assert (kinds.count(("",)), kinds.count(("-split",))) == (4, 8)
