"""What kube-scheduler sees of the fake driver's devices, by minor and feature gate."""

import pytest

from api.objects import JSON
from devcluster.apiserver.resourceapi import structured
from plugin.structured.inventory import Division
from testing.apiserver import MemoryApi
from testing.kubelet import PrepareFailed
from testing.node import Node, api_server
from tests.support.fakerig import CLAIMS, DRIVER, fake_driver, result, scheduled, store, uuid
from tests.support.slicerig import SLICES

GATE = "DRAPartitionableDevices"
WHOLE_FIRST = [f"fake-{index}" for index in range(8)]
STATIC = [*WHOLE_FIRST[:4], *(f"fake-{i}-split2-{j}" for i in range(4, 8) for j in range(2))]


def minors() -> list[object]:
    """Every minor with the gate as it is by itself, and where there is one switched."""
    return [
        *(pytest.param(minor, None, id=f"1.{minor}") for minor in range(32, 38)),
        *(pytest.param(minor, True, id=f"1.{minor} on") for minor in (33, 34, 35)),
        *(pytest.param(minor, False, id=f"1.{minor} off") for minor in (36, 37)),
    ]


def children(index: int) -> list[str]:
    return [f"fake-{index}-split{k}-{j}" for k in (2, 4, 8, 16) for j in range(k)]


def whole_first() -> list[str]:
    return [*WHOLE_FIRST, *(name for index in range(8) for name in children(index))]


def by_parent() -> list[str]:
    """Return devices where each parent needs a slice with its counters, 1.33 and 1.34."""
    return [name for index in range(8) for name in (f"fake-{index}", *children(index))]


def listed(node: Node) -> list[str]:
    """Return the devices in the order of the names of their slices."""
    slices = sorted(node.api.peek(SLICES), key=lambda each: str(each["metadata"]["name"]))
    return [x["name"] for each in slices for x in each["spec"].get("devices") or []]


def published(node: Node, devices: int = 8, division: Division | None = None) -> list[str]:
    with node.running(fake_driver(devices, division)) as (pool,):
        return [each["name"] for each in pool.devices]


@pytest.fixture
def gate() -> bool | None:
    """Whether the gate is switched on or off; None is what it is by itself."""
    return None


@pytest.fixture
def dra_api_server(dra_minor: int, gate: bool | None) -> MemoryApi:
    on, off = [GATE] if gate else [], [GATE] if gate is False else []
    return api_server(dra_minor, on=on, off=off)


@pytest.mark.parametrize(("dra_minor", "gate"), minors())
def test_devices_and_children_are_published_where_counters_are_stored(
    dra_node: Node, dra_minor: int, gate: bool | None
) -> None:
    api = structured(dra_minor)
    counted = GATE in api.gates if gate is None else gate
    names = STATIC if not counted else by_parent() if dra_minor < 35 else whole_first()
    with dra_node.running(fake_driver()), dra_node.api.changed:
        assert dra_node.api.changed.wait_for(lambda: len(listed(dra_node)) == len(names), 15)
        assert listed(dra_node) == names
        for spec in (each["spec"] for each in dra_node.api.peek(SLICES)):
            assert len(spec.get("devices", ())) <= 64
            together = counted and dra_minor < 35
            assert together or not ("devices" in spec and "sharedCounters" in spec)


@pytest.mark.parametrize(("dra_minor", "gate"), [(37, None), (35, None)], ids=["1.37", "1.35"])
@pytest.mark.parametrize("division", [Division(splits=()), Division(shared=True)])
def test_devices_that_are_not_split_need_no_counters(dra_node: Node, division: Division) -> None:
    assert published(dra_node, 3, division) == WHOLE_FIRST[:3]


def test_names_of_slices_begin_with_the_index_which_alone_orders_devices(dra_node: Node) -> None:
    with dra_node.running(fake_driver(3)):
        slices = sorted(dra_node.api.peek(SLICES), key=lambda each: each["metadata"]["name"])
        starts = [each["metadata"]["name"].partition("-")[0] for each in slices]
        assert starts == [f"{index:05x}" for index in range(len(slices))]
        assert [x["name"] for x in slices[0]["spec"]["devices"]][:3] == WHOLE_FIRST[:3]


def test_the_largest_node_is_published(dra_node: Node) -> None:
    with dra_node.running(fake_driver(128)) as (pool,):
        assert len(pool.devices) == 3968
        assert len(pool.counters) == 128
        assert not pool.problem


def versions(node: Node) -> list[str]:
    return [str(each["metadata"]["resourceVersion"]) for each in node.api.peek(SLICES)]


@pytest.mark.parametrize("dra_minor", [32, 37])
def test_a_restart_writes_nothing_and_keeps_claims(dra_node: Node) -> None:
    device = "fake-6-split2-0"
    with dra_node.running(fake_driver()):
        claim = store(dra_node.api, scheduled("a", result(device)))
        before = dra_node.kubelet.prepare(claim)
    slices = versions(dra_node)
    with dra_node.running(fake_driver()):
        assert versions(dra_node) == slices
        assert dra_node.kubelet.edits(claim) == before
        dra_node.kubelet.unprepare(claim)


def is_kept(node: Node, name: str) -> bool:
    """Tell whether a device stays published only because it is allocated."""
    kept = [
        [taint["key"] for taint in device.get("taints", ())]
        for each in node.api.peek(SLICES)
        for device in each["spec"].get("devices") or []
        if device["name"] == name
    ]
    return kept == [[f"{DRIVER}/removed"]]


@pytest.mark.parametrize(
    ("devices", "division", "name"),
    [
        pytest.param(4, None, "fake-7", id="fewer devices"),
        pytest.param(4, None, "fake-7-split8-3", id="child of fewer devices"),
        pytest.param(8, Division((2,)), "fake-0-split16-15", id="other splits"),
        pytest.param(8, Division(()), "fake-0-split2-1", id="no splits"),
    ],
)
def test_an_allocated_device_that_is_offered_no_more_is_prepared_and_kept(
    dra_node: Node, devices: int, division: Division | None, name: str
) -> None:
    claim = store(dra_node.api, scheduled("a", result(name)))
    with dra_node.running(fake_driver()):
        pass
    with dra_node.running(fake_driver(devices, division)):
        with dra_node.api.changed:
            assert dra_node.api.changed.wait_for(lambda: is_kept(dra_node, name), 15)
        assert dra_node.kubelet.prepare(claim).env["FAKE_DEVICE_0"] == uuid(name)
        dra_node.kubelet.unprepare(claim)


def test_a_device_that_is_not_published_is_refused_with_what_helps(dra_node: Node) -> None:
    claim = store(dra_node.api, scheduled("a", result("fake-128")))
    said = "device node-1/fake-128 .* delete the pod so that it gets another one"
    with dra_node.running(fake_driver(4)), pytest.raises(PrepareFailed, match=rf"{said}"):
        dra_node.kubelet.prepare(claim)


def test_a_claim_of_a_device_that_left_is_let_go(dra_node: Node) -> None:
    with dra_node.running(fake_driver()):
        claim: JSON = store(dra_node.api, scheduled("a", result("fake-7")))
        dra_node.kubelet.prepare(claim)
    with dra_node.running(fake_driver(4)):
        dra_node.kubelet.restart()
        assert dra_node.kubelet.prepare(claim).env["FAKE_DEVICE_0"] == uuid("fake-7")
        dra_node.kubelet.unprepare(claim)
        dra_node.api.remove(CLAIMS, "a", "default")
