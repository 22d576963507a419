"""What is left of the driver when Helm has taken it away: nothing; and when Helm must not."""

from collections.abc import Iterator

import pytest

from api.contract import FAKE
from api.names import NAS_GROUP, NAS_PLURAL
from api.objects import JSON
from demo.expect import DEMOS
from demo.session import SYSTEM
from kube.errors import NotFound
from testing.waiting import until
from tests.support.anycluster import ROOT
from tests.support.choice import (
    RELEASE,
    helm_install,
    helm_uninstall,
    objects_of_the_release,
)
from tests.support.helm import HelmFailed
from tests.support.realcluster import RaisedCluster
from tests.support.space import Space

CRDS = ROOT / "deploy" / "helm" / "fake-dra-driver" / "crds"
CHECK = f"{RELEASE}-pre-delete"

pytestmark = [pytest.mark.raised, pytest.mark.timeout(400)]


@pytest.fixture
def removable(raised: RaisedCluster) -> Iterator[RaisedCluster]:
    """A cluster from which the test may take the driver."""
    yield raised
    helm_install(raised.machine.kubeconfig)
    until("the nodes offer devices again", lambda: raised.session.nodes_ready(1))


def test_uninstall_leaves_nothing(space: Space, removable: RaisedCluster) -> None:
    """As the chart's README tells: first what uses the devices, then the release, then the CRDs."""
    demo = DEMOS[-1]
    removable.kubectl.run("apply", "-f", str(removable.demo(demo.name)))
    removable.session.running(demo)
    removable.kubectl.run("delete", "-f", str(removable.demo(demo.name)))
    removable.settled()
    space.apply(*space.claim("kept"), space.pod("pod", "kept"))
    space.ready("pod")
    space.delete("pod/pod")
    space.freed("kept")
    removable.settled()

    helm_uninstall(removable.machine.kubeconfig)
    assert removable.session.states() == []
    assert removable.plugin_pids() == []
    assert removable.cdi_entries(removable.nodes[0]) == []
    assert removable.plugin_sockets() == []
    assert not any(claim["metadata"].get("finalizers") for claim in space.claims())
    until("nothing else is left", lambda: not objects_of_the_release(removable.kubectl), 60)

    removable.kubectl.run("delete", "-f", str(CRDS))
    with pytest.raises(NotFound):
        removable.session.states()
    assert f"{NAS_PLURAL}.{NAS_GROUP}" not in removable.kubectl.run("get", "crds", "-o", "name")


def test_uninstall_is_refused_while_a_claim_is_in_use(
    space: Space, removable: RaisedCluster
) -> None:
    space.apply(*space.claim("held"), space.pod("pod", "held"))
    space.ready("pod")
    with pytest.raises(HelmFailed, match=CHECK):
        helm_uninstall(removable.machine.kubeconfig)

    told = f"the driver is in use by {space.name}/held; delete the pods and claims first"
    assert told in removable.kubectl.run("logs", "-n", SYSTEM, f"job/{CHECK}")
    (pod,) = removable.kubectl.get("pods", "-n", SYSTEM, "-l", f"job-name={CHECK}")["items"]
    assert told in last_words(pod)
    assert FAKE.finalizer in space.finalizers("held")
    assert len(removable.plugin_pids()) == 1

    space.apply(space.pod("other", "held"))
    space.ready("other")
    space.delete("pod/pod", "pod/other", "resourceclaim/held")
    removable.settled()
    helm_uninstall(removable.machine.kubeconfig)
    assert removable.session.states() == []


def last_words(pod: JSON) -> str:
    """Return the message with which a pod's only container has ended."""
    (status,) = pod["status"]["containerStatuses"]
    return str(status["state"]["terminated"]["message"])
