from pathlib import Path

import pytest

from devcluster.cluster import Cluster, connections
from devcluster.config import ClusterConfig
from ops.lifecycle import Lifecycle


@pytest.mark.parametrize(
    ("nodes", "threads"),
    [pytest.param(1, 1 * 112, id="one-node"), pytest.param(50, 50 * 112, id="many-nodes")],
)
def test_each_pod_and_kubelet_can_keep_a_connection(nodes: int, threads: int) -> None:
    assert threads < connections(nodes) < threads + 64 + 10 * nodes


@pytest.mark.parametrize(
    ("kubelets", "version"), [("1.27", "v1.27.16"), ("1.30", "v1.30.14"), ("1.31", "v1.30.14")]
)
def test_the_api_server_is_no_newer_than_what_it_serves(
    tmp_path: Path, kubelets: str, version: str
) -> None:
    config = ClusterConfig(tmp_path, kubernetes=kubelets)
    web = Cluster(config, Lifecycle(), lambda _: None).app.test_client()
    assert web.get("/version").get_json()["gitVersion"] == version
    served = web.get("/apis/resource.k8s.io").get_json()["versions"]
    assert [each["version"] for each in served] == ["v1alpha2"]
