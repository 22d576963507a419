"""No GPU is given out twice after a restart with another number of partitions."""

import pytest

from drivers.gpu.driver import GpuDriver
from testing.apiserver import MemoryApi
from testing.node import Node, api_server
from tests.support.beside import free, wipe
from tests.support.gpuclaims import NODE, allocated, result

GATE = "DRAPartitionableDevices"


@pytest.fixture
def gate() -> bool:
    """Whether the API server stores counters."""
    return True


@pytest.fixture
def dra_api_server(gate: bool) -> MemoryApi:
    return api_server(35, on=[GATE] if gate else [], off=[] if gate else [GATE])


@pytest.mark.parametrize("gate", [True, False], ids=["counters", "static"])
@pytest.mark.parametrize("wiped", [False, True], ids=["restarted", "wiped"])
@pytest.mark.parametrize(
    ("before", "after", "device"),
    [
        pytest.param(4, 0, "gpu-0-partition-1", id="no partitions"),
        pytest.param(4, 2, "gpu-0-partition-3", id="larger partitions"),
        pytest.param(0, 4, "gpu-0", id="partitions"),
    ],
)
def test_nothing_of_a_gpu_is_given_out_beside_what_is_allocated(
    dra_node: Node, before: int, after: int, device: str, wiped: bool
) -> None:
    with dra_node.running(GpuDriver(NODE, num_devices=2, gpu_partitions=before)):
        allocated(dra_node, result(device))
    if wiped:
        wipe(dra_node)
    changed = GpuDriver(NODE, num_devices=3, gpu_partitions=after)
    with dra_node.running(changed), dra_node.api.changed:
        assert dra_node.api.changed.wait_for(
            lambda: any(name.startswith("gpu-2") for name in free(dra_node, device)), 15
        )
        found = free(dra_node, device)
    assert any(name.startswith("gpu-1") for name in found)
    whole = {"gpu-0", "gpu-0-full"}
    assert found.isdisjoint(
        whole if after == 2 else whole | {f"gpu-0-partition-{n}" for n in range(4)}
    )
