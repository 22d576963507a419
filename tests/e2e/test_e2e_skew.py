"""Kubelets older than their control plane, as while a cluster is upgraded.

The kubelets of one cluster may speak three versions of the plugin API: that of 1.27 calls
`v1alpha2.Node`, those of 1.28 to 1.30 `v1alpha3.Node`, that of 1.31 another one of that name. The
kubelet of the one node is replaced below everything else, and put back.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testing.waiting import until
from tests.e2e.cluster import kubelet
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.e2e.cluster.versions import Version, parse
from tests.support.manifests import ClaimRequest
from tests.support.realcluster import RaisedCluster
from tests.support.space import Space

PATIENCE = 150.0
"""Seconds; a kubelet starts containers anew whose description it reads differently."""

pytestmark = [pytest.mark.raised, pytest.mark.timeout(900)]


@contextmanager
def replaced(raised: RaisedCluster, other: Version) -> Iterator[None]:
    """Have the kubelet of another version on the node, which has no pod with claims."""
    machine = raised.machine
    program = machine.layout.kubernetes_programs(other) / kubelet.NAME
    if not program.exists():
        pytest.skip(f"no kubelet {other}; python -m tests.e2e.cluster build --k8s {other} makes it")
    put_in_place(Machine(machine.layout, other))
    try:
        yield
    finally:
        put_in_place(machine)


def put_in_place(machine: Machine) -> None:
    """Start a kubelet as on a node of its own.

    That of 1.30 does not start with the list of prepared claims that one of 1.31 has left.
    """
    machine.stop(kubelet.NAME)
    (machine.kubelet_root / "dra_manager_state").unlink(missing_ok=True)
    machine.replace(kubelet.NAME)


def shown_version(raised: RaisedCluster) -> str:
    (node,) = raised.kubectl.get("nodes")["items"]
    return str(node["status"]["nodeInfo"]["kubeletVersion"])


def used_and_freed(space: Space, name: str) -> list[str]:
    """Run a pod with two children of one device until it is gone; return its devices."""
    space.apply(*space.claim(name, ClaimRequest(count=1, split=2)), space.pod(name, name))
    space.ready(name, seconds=PATIENCE)
    devices = space.devices(name)
    space.delete(f"pod/{name}")
    space.freed(name)
    return devices


def test_kubelets_of_1_27_and_of_the_control_plane_serve_one_after_the_other(
    space: Space, raised: RaisedCluster
) -> None:
    if not 28 <= raised.minor <= 30:
        pytest.skip("a kubelet of 1.27 may be below a control plane of 1.28 to 1.30")
    oldest = parse("1.27")
    newer = used_and_freed(space, "newer")
    with replaced(raised, oldest):
        until("the Node's version", lambda: shown_version(raised) == f"v{oldest}")
        raised.session.nodes_ready(1)
        assert len(used_and_freed(space, "older")) == len(newer)
        raised.settled()
    assert len(used_and_freed(space, "newer-again")) == len(newer)
    raised.settled()


def test_kubelet_of_1_30_below_1_31_prepares_nothing_and_ends_nothing(
    space: Space, raised: RaisedCluster
) -> None:
    if raised.minor != 31:
        pytest.skip("about claims of v1alpha3, which kubelets up to 1.30 do not know")
    space.apply(space.pod("old"))
    space.ready("old")
    with replaced(raised, parse("1.30")):
        space.apply(*space.claim("new"), space.pod("new", "new"))
        space.allocated("new")
        told = until("what the kubelet says", lambda: failures(space, "new"), PATIENCE)
        # pods of 1.31 name their claims elsewhere
        assert 'spec.resourceClaim "new": none of the supported fields are set' in told[0]
        assert space.phase("new") == "Pending"
        assert space.phase("old") == "Running"
    space.ready("new", seconds=PATIENCE)
    assert len(space.devices("new")) == 1
    space.delete("pod/old", "pod/new")
    space.freed("new")
    raised.settled()


def failures(space: Space, pod: str) -> list[str]:
    """Return what the kubelet has said about the claims of a pod."""
    return [
        str(event["message"])
        for event in space.events("pod", pod)
        if event["reason"] == "FailedPrepareDynamicResources"
    ]
