import pytest

from devcluster.cluster import connections


@pytest.mark.parametrize(
    ("nodes", "threads"),
    [
        pytest.param(1, 1 * 112, id="one-node"),
        pytest.param(50, 50 * 112, id="many-nodes"),
    ],
)
def test_each_pod_and_kubelet_can_keep_a_connection(nodes: int, threads: int) -> None:
    assert threads < connections(nodes) < threads + 64 + 10 * nodes
