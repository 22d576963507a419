"""What Kubernetes' own node tests ask of a structured driver: cases 99 to 123.

The numbers are those of docs/compatibility.md; health and shares are in test_structured_health.py.
Case 110 and those after it have claims of two drivers: the file driver, and one that does what the
test says.
Source: kubernetes test/e2e_node/dra_test.go v1.37.2.
"""

import signal
from contextlib import suppress

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.e2e.cluster import kubelet
from tests.support.controlleddriver import ENV
from tests.support.controlledplugin import CLASS, ControlledPlugin, stays
from tests.support.filecluster import CLASS as FILE_CLASS
from tests.support.filecluster import RETRY_SECONDS, FileCluster, claim, ending
from tests.support.kubectl import KubectlFailed
from tests.support.structuredcluster import NODE, pod

GONE_SECONDS = 60.0
"""The kubelet takes slices away 30 s after a plugin's last connection went."""

AWAY = pytest.mark.since(34, "kubelets do not notice that a plugin is away")

pytestmark = [pytest.mark.raised, pytest.mark.timeout(400)]


def ends(files: FileCluster, *classes: str, seconds: int = 0) -> None:
    """Apply a pod that ends, with a claim `c`."""
    both = classes or (CLASS,)
    shown = pod("pod", "c", command=f'test -n "${ENV}" && sleep {seconds}', restart="Never")
    named = ending("pod", ["c"], seconds)
    files.apply(claim("c", *both), named if FILE_CLASS in both else shown)


def again(files: FileCluster) -> None:
    """Have the kubelet try again at once, as it does when a pod changes; else it takes 90 s."""
    with suppress(KubectlFailed):
        files.kubectl.run("annotate", "pod/pod", "changed=yes")


def succeeds(files: FileCluster) -> None:
    """Wait until the pod has succeeded, now that nothing fails any more."""
    again(files)
    files.succeeded("pod", RETRY_SECONDS)


def test_node_99_registers_after_a_restart_of_the_kubelet(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    before = plugin.registrations()
    files.machine.restart(kubelet.NAME)
    until("another registration", lambda: plugin.registrations() > before, 60)
    stays(files)
    files.ready("pod")


def test_node_100_registers_after_a_restart_of_the_plugin(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    plugin.stop()
    plugin.start()
    stays(files)
    files.ready("pod")


def test_node_101_pod_made_while_the_kubelet_is_down(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with files.kubelet_down():
        ends(files)
        until("scheduled", lambda: files.kubectl.get("pod/pod")["spec"].get("nodeName"))
        assert files.phase("pod") == "Pending"
    files.succeeded("pod", RETRY_SECONDS)
    assert plugin.calls("prepare c done") == 1


def test_node_102_prepare_times_out(files: FileCluster, plugin: ControlledPlugin) -> None:
    with plugin.told("prepare", "block"):
        ends(files)
        until("the kubelet gave up", lambda: files.cannot_prepare("pod"), RETRY_SECONDS)
        assert files.phase("pod") == "Pending"
        assert plugin.calls("prepare c done") == 0
    succeeds(files)


def test_node_103_prepare_fails_and_then_succeeds(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("prepare", "fail"):
        ends(files)
        plugin.did("prepare c failed")
        until("told", lambda: files.cannot_prepare("pod"))
        assert files.phase("pod") == "Pending"
    files.succeeded("pod", RETRY_SECONDS)


def test_node_104_unprepare_fails_and_then_succeeds(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("unprepare", "fail"):
        ends(files)
        plugin.did("unprepare c failed")
    again(files)
    plugin.did("unprepare c done")
    files.succeeded("pod", RETRY_SECONDS)


def test_node_105_prepare_fails_until_the_kubelet_restarts(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("prepare", "fail"):
        ends(files)
        plugin.did("prepare c failed")
        files.machine.stop(kubelet.NAME)
    files.machine.start(kubelet.NAME)
    files.succeeded("pod", RETRY_SECONDS)
    assert plugin.calls("prepare c done") == 1


def test_node_106_unprepare_fails_until_the_kubelet_restarts(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("unprepare", "fail"):
        ends(files)
        plugin.did("unprepare c failed")
        files.machine.stop(kubelet.NAME)
    files.machine.start(kubelet.NAME)
    again(files)
    plugin.did("unprepare c done")
    files.succeeded("pod", RETRY_SECONDS)


def test_node_107_unprepare_of_a_deleted_pod(files: FileCluster, plugin: ControlledPlugin) -> None:
    with plugin.told("unprepare", "fail"):
        ends(files)
        plugin.did("unprepare c failed")
        files.kubectl.run("delete", "pod/pod", "--wait=false")
        plugin.did("unprepare c failed", plugin.calls("unprepare c failed"))
    again(files)
    plugin.did("unprepare c done")


def test_node_108_unprepare_of_a_deleted_pod_after_a_restart_of_the_kubelet(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("unprepare", "fail"):
        ends(files)
        plugin.did("unprepare c failed")
        files.kubectl.run("delete", "pod/pod", "--force", "--grace-period=0")
        files.machine.restart(kubelet.NAME)
        plugin.did("unprepare c failed", plugin.calls("unprepare c failed"))
    plugin.did("unprepare c done")


def test_node_109_pod_deleted_while_the_kubelet_is_down(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("prepare", "block"):
        stays(files)
        plugin.did("prepare c begun")
        files.machine.stop(kubelet.NAME)
        files.kubectl.run("delete", "pod/pod", "--force", "--grace-period=0")
    registered = plugin.registrations()
    files.machine.start(kubelet.NAME)
    until("registered", lambda: plugin.registrations() > registered, 60)
    before = plugin.calls("prepare c begun")
    files.apply(claim("other", CLASS), pod("other", "other"))
    files.ready("other", seconds=RETRY_SECONDS)
    assert plugin.calls("prepare c begun") == before


def test_node_110_two_drivers(files: FileCluster, plugin: ControlledPlugin) -> None:
    ends(files, FILE_CLASS, CLASS)
    files.succeeded("pod")
    plugin.did("unprepare c done")
    assert plugin.calls("prepare c done") == 1
    files.emptied()


def test_node_111_prepare_fails_for_one_driver(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("prepare", "fail"):
        ends(files, FILE_CLASS, CLASS)
        plugin.did("prepare c failed")
        assert files.phase("pod") == "Pending"
    succeeds(files)


def test_node_112_unprepare_fails_for_one_driver(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("unprepare", "fail"):
        ends(files, FILE_CLASS, CLASS)
        plugin.did("unprepare c failed")
    again(files)
    plugin.did("unprepare c done")
    files.succeeded("pod", RETRY_SECONDS)
    files.emptied()


def test_node_113_kubelet_restarts_while_one_driver_prepares(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("prepare", "block"):
        ends(files, FILE_CLASS, CLASS)
        plugin.did("prepare c begun")
        files.machine.restart(kubelet.NAME)
        assert files.phase("pod") == "Pending"
    succeeds(files)


def test_node_114_kubelet_restarts_while_one_driver_unprepares(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    with plugin.told("unprepare", "block"):
        ends(files, FILE_CLASS, CLASS)
        plugin.did("unprepare c begun")
        files.machine.restart(kubelet.NAME)
    plugin.did("unprepare c done")
    succeeds(files)
    files.emptied()


def test_node_115_slices_of_the_node_go_when_the_kubelet_starts(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    """Those of a driver that does not run; drivers that do publish theirs again."""
    plugin.stop()
    with files.kubelet_down():
        files.apply(other_slice("kept", "node-other"), other_slice("stale", NODE))
        assert {"kept", "stale"} <= slice_names(files)
    until("the node's are gone", lambda: "stale" not in slice_names(files), GONE_SECONDS)
    assert "kept" in slice_names(files)
    files.kubectl.run("delete", "resourceslice/kept")
    files.offered()


def other_slice(name: str, node: str) -> JSON:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {
            "driver": "another.dra.example.com",
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "d"}],
        },
    }


def slice_names(cluster: FileCluster) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.kubectl.get("resourceslices")["items"]}


def test_node_116_slices_go_after_the_plugin_unregistered(plugin: ControlledPlugin) -> None:
    plugin.stop()
    until("no slice", lambda: not plugin.slices(), GONE_SECONDS)


@AWAY
def test_node_117_slices_go_if_the_plugin_does_not_answer(plugin: ControlledPlugin) -> None:
    """Its sockets are there as dead files, since it had no time to remove them."""
    plugin.stop(signal.SIGKILL)
    until("no slice", lambda: not plugin.slices(), GONE_SECONDS)


@AWAY
def test_node_121_calls_go_on_after_the_plugin_was_away(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    stays(files)
    files.ready("pod")
    plugin.stop(signal.SIGKILL)
    until("no slice", lambda: not plugin.slices(), GONE_SECONDS)
    plugin.start()
    files.delete("pod/pod")
    assert plugin.calls("unprepare c done") == 1


@pytest.mark.since(33, "kubelets delete slices at once")
def test_node_122_slices_stay_if_the_plugin_is_back_soon(plugin: ControlledPlugin) -> None:
    uids = {each["metadata"]["uid"] for each in plugin.slices()}
    plugin.stop(signal.SIGKILL)
    plugin.start()
    with pytest.raises(AssertionError, match="slices change"):
        until(
            "slices change",
            lambda: {each["metadata"]["uid"] for each in plugin.slices()} != uids,
            40,
        )


def in_use(files: FileCluster) -> dict[str, float]:
    """Return the kubelet's count of prepared claims by driver."""
    text = files.kubectl.run("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/metrics")
    lines = [each for each in text.splitlines() if each.startswith("dra_resource_claims_in_use{")]
    return {each.split('"')[1]: float(each.split()[-1]) for each in lines}


@pytest.mark.since(34, "kubelets count no claims in use")
def test_node_123_kubelet_counts_claims_of_both_drivers(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    stays(files, FILE_CLASS, CLASS)
    files.ready("pod")
    names = {"<any>", "file.dra.example.com", "controlled.dra.example.com"}
    until("counts of both", lambda: in_use(files) == dict.fromkeys(names, 1.0))
    files.delete("pod/pod")
    until("no claim", lambda: in_use(files).get("<any>") == 0.0)
    assert plugin.calls("unprepare c done") == 1
