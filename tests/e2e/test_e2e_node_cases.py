"""What Kubernetes' own node tests ask when the kubelet restarts: cases 88, 99, 101, 105 to 114.

The numbers are those of docs/compatibility.md; those without a kubelet's restart are in
tests/cluster.
Source: kubernetes test/e2e_node/dra_test.go v1.31.14, test/e2e/dra/dra.go v1.30.14.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.objects import ClaimUID
from demo.session import SYSTEM
from testing.waiting import until
from tests.e2e.cluster import kubelet
from tests.support.anycluster import ROOT, plugin_of
from tests.support.manifests import PRINT_AND_END, container
from tests.support.realcluster import RaisedCluster
from tests.support.space import Space

REGISTERED = "Registered by the kubelet"
RETRY_SECONDS = 150.0
"""Enough for the kubelet's longest pause between two tries."""

pytestmark = [pytest.mark.raised, pytest.mark.timeout(400)]


def ends(space: Space, seconds: int = 0) -> None:
    """Apply a pod `pod` that ends after printing what it sees of claim `c`."""
    command = f"{PRINT_AND_END}; sleep {seconds}"
    containers = [container(uses=["c"], command=command)]
    space.apply(space.pod("pod", "c", containers=containers, restartPolicy="Never"))


def calls(raised: RaisedCluster, text: str) -> int:
    """Count what the plugin has written."""
    return raised.whole_log(plugin_of(raised.nodes[0])).count(text)


def more_calls(raised: RaisedCluster, text: str) -> None:
    """Wait until the plugin has written this once more."""
    before = calls(raised, text)
    until(f"one more {text!r}", lambda: calls(raised, text) > before, RETRY_SECONDS)


def cannot(uid: ClaimUID, verb: str) -> str:
    """Return what the plugin says about a blocked CDI file."""
    return f"{uid}.json cannot be {verb}"


@contextmanager
def kubelet_down(raised: RaisedCluster) -> Iterator[None]:
    """Have no kubelet for a while."""
    raised.machine.stop(kubelet.NAME)
    try:
        yield
    finally:
        raised.machine.start(kubelet.NAME)


@contextmanager
def controller_elsewhere(raised: RaisedCluster) -> Iterator[None]:
    """Run a second controller on this machine, as if the cluster had another node for it."""
    env = {"KUBECONFIG": str(raised.machine.kubeconfig), "POD_NAMESPACE": SYSTEM}
    command = [sys.executable, "-m", "controller"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.since(28, "an allocation lasts as long as its claim")
def test_e2e_88_frees_the_devices_of_a_node_that_is_out_of_service(
    space: Space, raised: RaisedCluster
) -> None:
    (node,) = raised.nodes
    taint = "node.kubernetes.io/out-of-service"
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")
    with kubelet_down(raised):
        raised.kubectl.run("taint", "node", node, f"{taint}=shutdown:NoExecute")
        try:
            with controller_elsewhere(raised):
                until("the pod is gone", lambda: space.pods() == [], 180)
                until("no allocation", lambda: not space.status("c").get("allocation"), 120)
        finally:
            raised.kubectl.run("taint", "node", node, f"{taint}-")
    until("unprepared", lambda: not space.prepared(), RETRY_SECONDS)
    raised.session.nodes_ready(1)
    until("the driver's pods are back", lambda: raised.has_restarted(plugin_of(node), None), 180)


def test_node_99_registers_after_a_restart_of_the_kubelet(
    space: Space, raised: RaisedCluster
) -> None:
    before = calls(raised, REGISTERED)
    raised.machine.restart(kubelet.NAME)
    until("another registration", lambda: calls(raised, REGISTERED) > before, 60)
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")


def test_node_101_pod_made_while_the_kubelet_is_down(space: Space, raised: RaisedCluster) -> None:
    with kubelet_down(raised):
        space.apply(*space.claim("c"))
        ends(space)
        until("the pod is scheduled", lambda: space.get("pod", "pod")["spec"].get("nodeName"))
        assert space.phase("pod") == "Pending"
    space.succeeded("pod", seconds=RETRY_SECONDS)


def test_node_105_prepare_fails_over_a_restart_of_the_kubelet(
    space: Space, raised: RaisedCluster
) -> None:
    space.apply(*space.claim("c"))
    uid = space.uid("c")
    with raised.blocked(uid):
        ends(space)
        space.told_that_prepare_failed("pod", "c")
        raised.machine.restart(kubelet.NAME)
        more_calls(raised, cannot(uid, "written"))
        assert space.phase("pod") == "Pending"
    space.succeeded("pod", seconds=RETRY_SECONDS)


def test_node_106_unprepare_fails_over_a_restart_of_the_kubelet(
    space: Space, raised: RaisedCluster
) -> None:
    space.apply(*space.claim("c"))
    ends(space, seconds=3)
    space.ready("pod")
    uid = space.uid("c")
    with raised.blocked(uid):
        more_calls(raised, cannot(uid, "removed"))
        raised.machine.restart(kubelet.NAME)
        more_calls(raised, cannot(uid, "removed"))
    space.succeeded("pod", seconds=RETRY_SECONDS)
    until("unprepared", lambda: not space.prepared())


def test_node_108_unprepare_of_a_deleted_pod_fails_over_a_restart_of_the_kubelet(
    space: Space, raised: RaisedCluster
) -> None:
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")
    uid = space.uid("c")
    with raised.blocked(uid):
        space.delete("pod/pod", "--wait=false")
        more_calls(raised, cannot(uid, "removed"))
        raised.machine.restart(kubelet.NAME)
        more_calls(raised, cannot(uid, "removed"))
    until("unprepared", lambda: not space.prepared(), RETRY_SECONDS)


def test_node_109_pod_deleted_while_the_kubelet_is_down(
    space: Space, raised: RaisedCluster
) -> None:
    space.apply(*space.claim("c"))
    uid = space.uid("c")
    with raised.blocked(uid):
        space.apply(space.pod("pod", "c"))
        space.told_that_prepare_failed("pod", "c")
        with kubelet_down(raised):
            space.delete("pod/pod", "--force", "--grace-period=0")
            before = calls(raised, cannot(uid, "written"))
        space.apply(*space.claim("other"), space.pod("other", "other"))
        space.ready("other")
        assert calls(raised, cannot(uid, "written")) == before
    assert space.prepared() == {space.uid("other")}


def test_node_113_kubelet_restarts_while_it_waits_for_prepare(
    space: Space, raised: RaisedCluster
) -> None:
    space.apply(*space.claim("c"))
    with raised.frozen(raised.nodes[0]):
        space.apply(space.pod("pod", "c"))
        until("the kubelet has the pod", lambda: space.status("c").get("reservedFor"))
        raised.machine.restart(kubelet.NAME)
        assert space.phase("pod") == "Pending"
    space.ready("pod", seconds=RETRY_SECONDS)
    assert len(space.devices("pod")) == 1


def test_node_114_kubelet_restarts_while_it_waits_for_unprepare(
    space: Space, raised: RaisedCluster
) -> None:
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")
    with raised.frozen(raised.nodes[0]):
        space.delete("pod/pod", "--wait=false")
        until("the pod goes", lambda: "deletionTimestamp" in space.get("pod", "pod")["metadata"])
        raised.machine.restart(kubelet.NAME)
        assert space.prepared() == {space.uid("c")}
    until("unprepared", lambda: not space.prepared(), RETRY_SECONDS)
