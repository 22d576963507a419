"""Nothing is given out twice after a restart with other settings, whatever was wiped meanwhile."""

import pytest

from api.objects import JSON
from plugin.structured.inventory import Division
from testing.apiserver import MemoryApi
from testing.node import Node, api_server
from tests.support.beside import free, wipe
from tests.support.fakerig import fake_driver, result, scheduled, store
from tests.support.slicerig import SLICES

GATE = "DRAPartitionableDevices"
FORMER = Division(static=((2, 4),))
ALLOCATED = "fake-7-split2-0"


@pytest.fixture
def gate() -> bool:
    """Whether the API server stores counters."""
    return True


@pytest.fixture
def dra_api_server(gate: bool) -> MemoryApi:
    on, off = ([GATE], []) if gate else ([], [GATE])
    return api_server(35, on=[*on, "DRAConsumableCapacity"], off=off)


def published(node: Node) -> dict[str, JSON]:
    """Return the devices that are published, by name."""
    specs = (each["spec"] for each in node.api.peek(SLICES))
    return {device["name"]: device for spec in specs for device in spec.get("devices") or ()}


@pytest.mark.parametrize("gate", [True, False], ids=["counters", "static"])
@pytest.mark.parametrize("wiped", [False, True], ids=["restarted", "wiped"])
@pytest.mark.parametrize(
    "division",
    [
        pytest.param(Division(static=()), id="other static splits"),
        pytest.param(Division((4,), static=((4, 4),)), id="other splits"),
        pytest.param(Division(()), id="no splits"),
        pytest.param(Division(shared=True), id="shares"),
    ],
)
def test_no_whole_device_is_given_out_beside_its_allocated_part(
    dra_node: Node, division: Division, wiped: bool
) -> None:
    with dra_node.running(fake_driver(8, FORMER)):
        store(dra_node.api, scheduled("a", result(ALLOCATED)))
    if wiped:
        wipe(dra_node)
    with dra_node.running(fake_driver(9, division)), dra_node.api.changed:
        assert dra_node.api.changed.wait_for(
            lambda: any(name.startswith("fake-8") for name in free(dra_node, ALLOCATED)), 15
        )
        found = free(dra_node, ALLOCATED)
    assert "fake-0" in found
    assert "fake-7" not in found


@pytest.mark.parametrize("gate", [True, False], ids=["counters", "static"])
@pytest.mark.parametrize("wiped", [False, True], ids=["restarted", "wiped"])
def test_a_device_of_which_somebody_has_a_share_is_not_given_out_otherwise(
    dra_node: Node, wiped: bool
) -> None:
    """Schedulers take a device for free that is not shared, if claims have but shares of it."""
    share = {"shareID": "5d0a2e1c", "consumedCapacity": {"memory": "1Gi"}}
    with dra_node.running(fake_driver(9, Division(shared=True))):
        store(dra_node.api, scheduled("a", result("fake-7", **share)))
    if wiped:
        wipe(dra_node)
    with dra_node.running(fake_driver(9)), dra_node.api.changed:
        there = dra_node.api.changed.wait_for
        assert there(lambda: "fake-8-split2-0" in published(dra_node), 15)
        found = {k: v for k, v in published(dra_node).items() if k.startswith("fake-7")}
        assert [*found] == ["fake-7"]
        assert found["fake-7"]["allowMultipleAllocations"] is True
