from pathlib import Path

import pytest

from devcluster.claimsview import Features
from devcluster.cluster import Cluster, connections, features, resource_api
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


@pytest.mark.parametrize(("minor", "version"), [("1.34", "v1.34.2"), ("1.37", "v1.37.2")])
def test_a_structured_cluster_serves_slices_and_pods_that_name_claims_flatly(
    tmp_path: Path, minor: str, version: str
) -> None:
    config = ClusterConfig(tmp_path, kubernetes=minor)
    web = Cluster(config, Lifecycle(), lambda _: None).app.test_client()
    assert web.get("/version").get_json()["gitVersion"] == version
    served = web.get("/apis/resource.k8s.io/v1").get_json()["resources"]
    assert {"resourceslices", "deviceclasses"} < {each["name"] for each in served}
    flat = {"name": "c", "resourceClaimName": "claim"}
    uses = [{"name": "c", "request": "a"}, {"name": "c", "request": "b"}]
    container = {"name": "c", "image": "i", "resources": {"claims": uses}}
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [container], "resourceClaims": [flat]},
    }
    stored = web.post("/api/v1/namespaces/default/pods", json=pod).get_json()
    assert stored["spec"]["resourceClaims"] == [flat]
    assert stored["spec"]["containers"][0]["resources"]["claims"] == uses


def test_gates_of_the_scheduler_are_those_of_the_api_server(tmp_path: Path) -> None:
    off = features(resource_api(ClusterConfig(tmp_path, kubernetes="1.34")))
    on = features(resource_api(ClusterConfig(tmp_path, kubernetes="1.37")))
    assert off.gates.prioritized_list
    assert not off.gates.partitionable_devices
    assert not off.gates.consumable_capacity
    assert not off.taint_rules
    assert not off.extended_resources
    assert on == Features()
