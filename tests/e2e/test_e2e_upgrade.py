"""Control plane and kubelet go from 1.31 to 1.32 below the driver: two servers over one etcd.

As docs/compatibility.md tells: first what uses devices goes. A claim that nobody freed, since the
controller was away, stands for what is left all the same. It is the last test: its cluster is one
of 1.32 afterwards, and nothing leads back, since 1.31 cannot read what 1.32 has stored.
"""

import pytest

from api.claims.versions import CLAIMS
from api.classes import wanted_classes
from api.contract import FAKE
from api.objects import JSON
from api.resources import NAMESPACES
from demo.session import SYSTEM
from testing.waiting import until
from tests.e2e.cluster import controlplane, kubelet, versions
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.anycluster import CONTROLLER, Cluster
from tests.support.choice import RELEASE, helm_uninstall
from tests.support.manifests import CLASS_NAME, manifest, namespace
from tests.support.realcluster import RaisedCluster
from tests.support.space import Space

AFTER = versions.parse("1.32")
UPGRADED = (controlplane.API_SERVER, controlplane.SCHEDULER, controlplane.CONTROLLER_MANAGER)
DEPLOYMENT = f"deployment/{RELEASE}-{CONTROLLER}"
RESTARTED_SECONDS = 180
"""For a look each half minute, and the pause that a kubelet makes before it starts a pod again."""

pytestmark = [pytest.mark.raised, pytest.mark.replaces_cluster]


@pytest.fixture
def place(shared_cluster: Cluster) -> Space:
    """A namespace on a cluster of 1.31 that may be upgraded."""
    if shared_cluster.minor != AFTER.minor - 1:
        pytest.skip(f"about the upgrade from 1.{AFTER.minor - 1}, where claims change their kind")
    assert isinstance(shared_cluster, RaisedCluster)
    programs = shared_cluster.machine.layout.kubernetes_programs(AFTER)
    if not (programs / "kube-apiserver").exists():
        pytest.skip(f"Kubernetes {AFTER} is not built; make e2e K8S={AFTER} does it")
    shared_cluster.client.create(NAMESPACES, namespace("upgrade"))
    return Space(shared_cluster, "upgrade")


def scaled(place: Space, replicas: int) -> None:
    kubectl = place.cluster.kubectl
    kubectl.run("scale", "-n", SYSTEM, DEPLOYMENT, f"--replicas={replicas}")
    kubectl.run("rollout", "status", "-n", SYSTEM, DEPLOYMENT, "--timeout=120s")
    if not replicas:
        label = f"--selector=app.kubernetes.io/component={CONTROLLER}"
        kubectl.run("wait", "-n", SYSTEM, "pods", label, "--for=delete", "--timeout=120s")


def names(place: Space, kind: str, *args: str) -> set[str]:
    found = place.cluster.kubectl.get(kind, *args)["items"]
    return {str(obj["metadata"]["name"]) for obj in found}


def claim_of_a_device(name: str) -> JSON:
    resource = CLAIMS["v1beta1"]
    requests = [{"name": "whole", "deviceClassName": CLASS_NAME}]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": "upgrade"},
        "spec": {"devices": {"requests": requests}},
    }


@pytest.mark.timeout(900)
def test_driver_follows_the_cluster_and_clears_what_classic_claims_left(place: Space) -> None:
    cluster = place.cluster
    assert isinstance(cluster, RaisedCluster)
    forget_a_claim(place)
    assert FAKE.finalizer in place.finalizers("forgotten")
    assert names(place, "nas", "-n", SYSTEM) == set(cluster.nodes)

    Machine(cluster.machine.layout, AFTER).replace(*UPGRADED, kubelet.NAME)
    cluster.kubectl.run("api-resources")  # it asks for v1alpha3 for hours otherwise
    scaled(place, 1)
    until("the claim gone", lambda: not names(place, "resourceclaims", "-A"), RESTARTED_SECONDS)
    until("no NodeAllocationState", lambda: not names(place, "nas", "-A"), RESTARTED_SECONDS)
    wanted = {obj["metadata"]["name"] for obj in wanted_classes("v1beta1", FAKE, CLASS_NAME)}
    assert names(place, "deviceclasses") == wanted
    selected = cluster.kubectl.get(f"deviceclass/{CLASS_NAME}")["spec"]["selectors"]
    assert FAKE.driver_name in selected[0]["cel"]["expression"]
    until("slices", lambda: names(place, "resourceslices"), RESTARTED_SECONDS)

    cluster.kubectl.apply(manifest(claim_of_a_device("new"), place.pod("pod", "new")))
    place.ready("pod", seconds=120)
    assert len(place.devices("pod")) == 1
    place.delete("pod/pod", "resourceclaim/new")
    helm_uninstall(cluster.machine.kubeconfig)
    for kind in ("deviceclasses", "resourceslices"):
        assert names(place, kind) == set()
    assert cluster.cdi_files() == []
    assert cluster.plugin_sockets() == []


def forget_a_claim(place: Space) -> None:
    """Delete a pod and its claim while no controller is there to free the claim."""
    place.apply(*place.claim("forgotten"), place.pod("pod", "forgotten"))
    place.ready("pod")
    scaled(place, 0)
    place.delete("pod/pod")
    place.run("delete", "--wait=false", "resourceclaim/forgotten")
