import pytest

from api.objects import JSON
from api.resources import NODES
from dra.errors import UnknownKubelet
from dra.kubelet.version import KEEP_SECONDS, Kubelet, parse_version
from kube.errors import ConnectFailed
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.pluginrig import NODE, node_object


@pytest.fixture
def api() -> MemoryApi:
    made = MemoryApi()
    made.put(NODES, node_object())
    return made


@pytest.mark.parametrize(
    ("reported", "version"),
    [
        ("v1.27.16", (1, 27)),
        ("v1.30.14-gke.100", (1, 30)),
        ("v1.31.0+k3s1", (1, 31)),
        ("1.31", (1, 31)),
        ("v2.0.0-alpha.1", (2, 0)),
    ],
)
def test_version(reported: str, version: tuple[int, int]) -> None:
    assert parse_version(reported, NODE) == version


@pytest.mark.parametrize("reported", ["", "v", "v1", "one.two", "v1.x"])
def test_no_version(reported: str) -> None:
    with pytest.raises(UnknownKubelet, match="node-1"):
        parse_version(reported, NODE)


def test_node_is_read_once_in_a_while(api: MemoryApi) -> None:
    clock = Clock(1000.0)
    kubelet = Kubelet(api, NODE, clock=clock)
    for _ in range(3):
        kubelet.version()
    assert len(api.calls) == 1
    api.put(NODES, node_object("v1.31.0"))
    clock.now += KEEP_SECONDS + 1
    assert kubelet.version() == (1, 31)


def test_another_kubelet_may_have_another_version(api: MemoryApi) -> None:
    kubelet = Kubelet(api, NODE)
    assert kubelet.version() == (1, 30)
    api.put(NODES, node_object("v1.31.0"))
    kubelet.forget()
    assert kubelet.version() == (1, 31)


@pytest.mark.parametrize("node", [{"status": None}, {"status": {"nodeInfo": None}}, {}])
def test_node_without_information(api: MemoryApi, node: JSON) -> None:
    api.put(NODES, {**node, "metadata": {"name": NODE}})
    with pytest.raises(UnknownKubelet, match="''"):
        Kubelet(api, NODE).version()


def test_missing_node() -> None:
    with pytest.raises(UnknownKubelet, match="does not exist"):
        Kubelet(MemoryApi(), NODE).version()


def test_failure_is_not_kept(api: MemoryApi) -> None:
    kubelet = Kubelet(api, NODE)
    api.fault = lambda *_: ConnectFailed("away")
    with pytest.raises(ConnectFailed):
        kubelet.version()
    api.fault = lambda *_: None
    assert kubelet.version() == (1, 30)
