"""What Kubernetes' own node tests ask of a kubelet plugin: cases 100 to 107.

The cases that restart the kubelet are in tests/e2e. Upstream makes its test driver fail; here the
plugin fails because a directory is in the place of a CDI file, or it is stopped for a while.
Source: kubernetes test/e2e_node/dra_test.go v1.30.14 and v1.31.14.
"""

import pytest

from testing.waiting import until
from tests.support.anycluster import plugin_of
from tests.support.manifests import PRINT_AND_END, container
from tests.support.space import Space

HOSTNAME = "kubernetes.io/hostname"

pytestmark = pytest.mark.timeout(240)


def test_node_100_registers_after_a_restart_of_the_plugin(space: Space) -> None:
    node = space.cluster.nodes[0]
    space.cluster.crash(plugin_of(node))
    space.apply(*space.claim("c"), space.pod("pod", "c", nodeSelector={HOSTNAME: node}))
    space.ready("pod")


def test_node_102_waits_for_a_plugin_that_does_not_answer(space: Space) -> None:
    node = space.cluster.nodes[0]
    space.apply(*space.claim("c"))
    with space.cluster.frozen(node):
        space.apply(space.pod("pod", "c", nodeSelector={HOSTNAME: node}))
        until("the pod is the node's", lambda: space.status("c").get("reservedFor"))
        assert space.phase("pod") == "Pending"
        assert not space.prepared()
    space.ready("pod", seconds=120)


def test_node_103_prepare_fails_then_succeeds(space: Space) -> None:
    ends = [container(uses=["c"], command=PRINT_AND_END)]
    space.apply(*space.claim("c"))
    with space.cluster.blocked(space.uid("c")):
        space.apply(space.pod("pod", "c", containers=ends, restartPolicy="Never"))
        space.told_that_prepare_failed("pod", "c")
        assert space.phase("pod") == "Pending"
    space.succeeded("pod", seconds=120)


def test_node_104_unprepare_fails_then_succeeds(space: Space) -> None:
    ends = [container(uses=["c"], command="export; sleep 3")]
    space.apply(*space.claim("c"))
    space.apply(space.pod("pod", "c", containers=ends, restartPolicy="Never"))
    space.ready("pod")
    uid, node = space.uid("c"), space.node_with("c")
    with space.cluster.blocked(uid):
        space.cluster.logged(plugin_of(node), f"{uid}.json cannot be removed")
        assert space.phase("pod") == "Running"
        assert space.prepared() == {uid}
    space.succeeded("pod", seconds=120)
    until("unprepared", lambda: not space.prepared())


def test_node_107_unprepare_goes_on_for_a_deleted_pod(space: Space) -> None:
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")
    uid, node = space.uid("c"), space.node_with("c")
    with space.cluster.blocked(uid):
        space.delete("pod/pod", "--wait=false")
        space.cluster.logged(plugin_of(node), f"{uid}.json cannot be removed")
        assert space.prepared() == {uid}
        assert space.given() == {uid}
    until("unprepared", lambda: not space.prepared(), 120)
