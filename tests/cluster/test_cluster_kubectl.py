"""What users type: the real kubectl against the embedded API server."""

import json
import os
from collections.abc import Iterator
from itertools import groupby

import pytest

from demo.describe import section
from demo.expect import DEMOS
from testing.waiting import until
from tests.support.anycluster import Cluster
from tests.support.kubectl import KubectlFailed
from tests.support.manifests import IMAGE

TEST5 = DEMOS[4]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def split_demo(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster on which fake-test5 runs."""
    cluster.kubectl.run("apply", "-f", str(cluster.demo(TEST5.name)))
    cluster.session.running(TEST5)
    yield cluster
    cluster.kubectl.run("delete", "-f", str(cluster.demo(TEST5.name)))


def holder(cluster: Cluster) -> str:
    """Return the node that has given something."""
    (node,) = [state.node for state in cluster.session.states() if state.holders]
    return node


@pytest.mark.nas
def test_describe_nas_has_the_keys_that_users_know(split_demo: Cluster) -> None:
    kubectl = split_demo.kubectl
    shown = kubectl.run("describe", "-n", "fake-system", f"nas/{holder(split_demo)}")
    keys = [line.split(":")[0].strip() for line in shown.splitlines()]
    for key in (
        "API Version",
        "Kind",
        "Owner References",
        "Allocatable Device",
        "Allocated Claims",
        "Claim Info",
        "Prepared Devices",
        "Parent UUID",
        "Uuid",
        "Split",
        "Status",
    ):
        assert key in keys
    assert shown.count("Parent UUID:") == 8


def test_the_walkthrough_prints_what_kubectl_prints(split_demo: Cluster) -> None:
    node = holder(split_demo)
    shown = split_demo.kubectl.run("describe", "-n", "fake-system", f"nas/{node}")
    (obj,) = [o for o in split_demo.session.state_objects() if o["metadata"]["name"] == node]
    lines = [line.rstrip() for line in shown.splitlines()]
    ours = section(obj, "spec").splitlines()
    start = lines.index("Spec:")
    assert lines[start : start + len(ours)] == ours


@pytest.mark.nas
def test_get_nas_has_printer_columns(split_demo: Cluster) -> None:
    table = split_demo.kubectl.run("get", "nas", "-n", "fake-system").splitlines()
    assert table[0].split() == ["NAME", "STATUS", "DEVICES", "FREE", "USED", "HEARTBEAT", "AGE"]
    rows = {row.split()[0]: row.split()[1:5] for row in table[1:]}
    node = holder(split_demo)
    assert rows.pop(node) == ["Ready", "8", "4", "4"]
    assert list(rows.values()) == [["Ready", "8", "8", "0"]] * (len(split_demo.nodes) - 1)


def test_get_pods_and_claims_as_tables(split_demo: Cluster) -> None:
    pods = split_demo.kubectl.run("get", "pods", "-n", "test5").splitlines()
    assert pods[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert pods[1].split()[:4] == ["pod0", "1/1", "Running", "0"]
    claims = split_demo.kubectl.run("get", "resourceclaims", "-n", "test5").splitlines()
    assert "allocated,reserved" in claims[1]


def test_describe_a_pod_and_its_events(split_demo: Cluster) -> None:
    shown = split_demo.kubectl.run("describe", "-n", "test5", "pod/pod0")
    assert "Successfully assigned test5/pod0" in shown
    told = [line.split()[1] for line in shown.partition("Events:")[2].splitlines()[3:]]
    # images are there already, or not even asked for
    in_turn = [reason for reason, _ in groupby(told) if not reason.startswith("Pull")]
    assert in_turn == ["FailedScheduling", "Scheduled", "Created", "Started"]
    events = split_demo.kubectl.run("events", "-n", "test5", "--for", "pod/pod0")
    assert "Scheduled" in events


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nas.spec.allocatedClaims", "FIELD: allocatedClaims <map"),
        ("fakeclaimparameters.spec.count", "FIELD: count <integer>"),
        ("resourceclaim.status.reservedFor", "FIELD: reservedFor <[]"),
        ("pod.spec.containers", "FIELD: containers"),
    ],
)
def test_explain(shared_cluster: Cluster, path: str, told: str) -> None:
    assert told in shared_cluster.kubectl.run("explain", path)


def test_api_resources_lists_short_names(shared_cluster: Cluster) -> None:
    lines = shared_cluster.kubectl.run("api-resources").splitlines()
    rows = {line.split()[0]: line for line in lines}
    for name in ("nodeallocationstates", "fakeclaimparameters", "resourceclaims", "pods"):
        assert name in rows


@pytest.mark.embedded
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="no other worker runs")
def test_one_worker_has_the_cluster(
    shared_cluster: Cluster, request: pytest.FixtureRequest
) -> None:
    # the group, as pytest-xdist tells it; without it each worker starts the cluster
    assert request.node.nodeid.endswith("@cluster")


def test_apply_changes_a_field_and_keeps_others(cluster: Cluster) -> None:
    def manifest(data: dict[str, str]) -> str:
        meta = {"name": "applied", "namespace": "default"}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    kubectl = cluster.kubectl
    kubectl.apply(manifest({"a": "1", "b": "1"}))
    patch = json.dumps({"data": {"foreign": "1"}})
    kubectl.run("patch", "configmap", "applied", "--type=merge", "-p", patch)
    assert "configured" in kubectl.apply(manifest({"a": "2"}))
    assert kubectl.get("configmap", "applied")["data"] == {"a": "2", "foreign": "1"}
    kubectl.run("delete", "configmap", "applied")


@pytest.mark.parametrize("verb", ["apply", "create"])
def test_a_kind_that_the_cluster_lacks_has_no_matches(shared_cluster: Cluster, verb: str) -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    with pytest.raises(KubectlFailed, match=r'no matches for kind "Widget" in version "example\.'):
        shared_cluster.kubectl.run(verb, "--filename=-", input=json.dumps(widget))


def test_explain_reads_the_second_version_of_openapi_too(shared_cluster: Cluster) -> None:
    told = shared_cluster.kubectl.run("explain", "--output=plaintext-openapiv2", "pod.spec")
    lines = [line.split() for line in told.splitlines()]
    assert ["RESOURCE:", "spec", "<Object>"] in lines
    assert ["nodeName", "<string>"] in lines


@pytest.mark.parametrize("demo", [1, 3, 5])
def test_diff_right_after_apply_shows_nothing(cluster: Cluster, demo: int) -> None:
    path = str(cluster.demo(f"test{demo}"))
    cluster.kubectl.run("apply", "-f", path)
    try:
        assert cluster.kubectl.run("diff", "-f", path) == ""
    finally:
        cluster.kubectl.run("delete", "-f", path)


def test_diff_shows_what_apply_would_change(cluster: Cluster) -> None:
    def manifest(value: str) -> str:
        meta = {"name": "differs", "namespace": "default"}
        data = {"key": value}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    cluster.kubectl.apply(manifest("old"))
    with pytest.raises(KubectlFailed, match=r"(?s)ended with 1.*-  key: old.*\+  key: new"):
        cluster.kubectl.run("diff", "--filename=-", input=manifest("new"))
    assert cluster.kubectl.get("configmap", "differs")["data"] == {"key": "old"}
    cluster.kubectl.run("delete", "configmap", "differs")


@pytest.mark.embedded
def test_debug_says_that_there_are_no_ephemeral_containers(split_demo: Cluster) -> None:
    with pytest.raises(KubectlFailed, match="ephemeral containers are disabled for this cluster"):
        split_demo.kubectl.run("debug", "-n", TEST5.name, "pod0", f"--image={IMAGE}")


def test_invalid_parameters_are_refused_with_the_field(cluster: Cluster) -> None:
    meta = {"name": "bad", "namespace": "default"}
    obj = {
        "apiVersion": "fake.resource.3-shake.com/v1alpha1",
        "kind": "FakeClaimParameters",
        "metadata": meta,
        "spec": {"count": 129},
    }
    with pytest.raises(AssertionError, match=r"spec\.count.*less than or equal to 128"):
        cluster.kubectl.apply(json.dumps(obj))


def test_logs_follow_until_the_container_ends(cluster: Cluster) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "short", "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "command": ["sh", "-c", "echo one; sleep 1; echo two"],
                }
            ],
        },
    }
    cluster.kubectl.apply(json.dumps(pod))
    until(
        "the pod has started",
        lambda: cluster.kubectl.get("pod", "short")["status"]["phase"] in ("Running", "Succeeded"),
    )
    assert cluster.kubectl.run("logs", "-f", "short") == "one\ntwo\n"
    cluster.kubectl.run("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/short")
    cluster.kubectl.run("delete", "pod", "short")
