"""What Kubernetes' own end-to-end tests ask of claims and scheduling: cases 80 to 95.

The numbers are those of docs/compatibility.md.
Source: kubernetes test/e2e/dra/dra.go v1.30.14.
"""

import pytest

from api.objects import JSON
from demo.expect import devices_of
from tests.support.anycluster import DEVICES
from tests.support.manifests import PRINT_AND_END, PRINT_AND_STAY, ClaimRequest, container
from tests.support.space import Space

ALL = ClaimRequest(count=DEVICES)
NOWHERE: JSON = {
    "nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["?"]}]}
    ]
}
MANY = 10
LONG = 63
UNSEEN = "the scheduler does not look at a pod again when a class changes"
UNASKED = "nobody asks for the claims of a pod that names its node"

pytestmark = pytest.mark.timeout(240)


@pytest.mark.since(28, "a pod keeps its reservations until it is deleted")
def test_e2e_80_reuses_resources(space: Space) -> None:
    pods = [f"pod{n}" for n in range(2 * len(space.cluster.nodes) + 1)]
    ends = [container(uses=["all"], command=PRINT_AND_END)]
    made = [space.inline_pod(n, "all", containers=ends, restartPolicy="Never") for n in pods]
    space.apply(*space.template("all", ALL), *made)
    space.succeeded(*pods, seconds=120)
    assert all(len(space.devices(name)) == DEVICES for name in pods)


def test_e2e_81_shares_a_claim_concurrently(space: Space) -> None:
    pods = [f"pod{n}" for n in range(MANY)]
    space.apply(*space.claim("c", ALL), *(space.pod(name, "c") for name in pods))
    space.ready(*pods)
    assert len({tuple(space.devices(name)) for name in pods}) == 1
    assert len(space.status("c")["reservedFor"]) == MANY


@pytest.mark.since(29, UNSEEN)
def test_e2e_83_schedules_once_the_class_exists(space: Space) -> None:
    late = f"{space.name}-late"
    space.apply(*space.claim("c", ClaimRequest(of=late)), space.pod("pod", "c"))
    space.told("pod", "pod", "FailedScheduling")
    with space.classes(late):
        space.ready("pod")
        space.delete("pod/pod", "resourceclaim/c")


@pytest.mark.since(29, UNSEEN)
def test_e2e_84_schedules_once_the_class_changes(space: Space) -> None:
    some = f"{space.name}-some"
    with space.classes(some, nodes=NOWHERE):
        space.apply(*space.claim("c", ClaimRequest(of=some)), space.pod("pod", "c"))
        space.told("pod", "pod", "FailedScheduling")
        assert space.phase("pod") == "Pending"
        space.apply(*space.cluster.shapes.device_class(some))
        space.ready("pod")
        space.delete("pod/pod", "resourceclaim/c")


def fills_every_node(space: Space, asked: ClaimRequest) -> None:
    pods = [f"pod{n}" for n, _ in enumerate(space.cluster.nodes)]
    made = [space.inline_pod(name, "all") for name in pods]
    space.apply(*space.template("all", asked), *made)
    space.ready(*pods)
    nodes = sorted(space.get("pod", name)["spec"]["nodeName"] for name in pods)
    assert nodes == sorted(space.cluster.nodes)


def test_e2e_90_uses_all_resources(space: Space) -> None:
    fills_every_node(space, ALL)


@pytest.mark.parameters
def test_e2e_90_uses_all_resources_with_immediate_allocation(space: Space) -> None:
    fills_every_node(space, ClaimRequest(count=DEVICES, immediate=True))


@pytest.mark.since(28, "names of generated claims are not truncated")
def test_e2e_91_truncates_names_of_generated_claims(space: Space) -> None:
    pod, use = "p" * LONG, "c" * LONG
    made = space.inline_pod(pod, "t", containers=[container(uses=[use])])
    made["spec"]["resourceClaims"] = [space.cluster.shapes.use(use, template="t")]
    space.apply(*space.template("t"), made)
    space.ready(pod)
    (claim,) = space.claims()
    assert len(claim["metadata"]["name"]) <= LONG
    assert len(space.devices(pod)) == 1


@pytest.mark.parameters
def test_e2e_93_shares_an_allocated_immediate_claim(space: Space) -> None:
    pods = [f"pod{n}" for n in range(5)]
    space.apply(*space.claim("c", ClaimRequest(immediate=True)))
    space.allocated("c")
    space.apply(*(space.pod(name, "c") for name in pods))
    space.ready(*pods)
    assert len({tuple(space.devices(name)) for name in pods}) == 1


@pytest.mark.since(28, UNASKED)
def test_e2e_94_scheduled_pod_with_inline_claim(space: Space) -> None:
    node = space.cluster.nodes[-1]
    space.apply(*space.template("t"), space.inline_pod("pod", "t", nodeName=node))
    space.ready("pod")
    assert space.get("pod", "pod")["spec"]["nodeName"] == node
    assert len(space.devices("pod")) == 1


@pytest.mark.since(28, UNASKED)
def test_e2e_95_scheduled_pod_with_external_claim(space: Space) -> None:
    node = space.cluster.nodes[-1]
    space.apply(*space.claim("c"), space.pod("pod", "c", nodeName=node))
    space.ready("pod")
    assert space.node_with("c") == node


@pytest.mark.nodes(2)
def test_two_claims_with_one_pod_are_never_split_over_nodes(space: Space) -> None:
    """Stands in for case 89: where a claim fits alone, the pod's other claim may not."""
    first, last = space.cluster.nodes[0], space.cluster.nodes[-1]
    space.apply(*space.claim("most", ClaimRequest(count=DEVICES - 1)))
    space.apply(space.pod("holder", "most", nodeName=first))
    space.ready("holder")
    space.apply(*space.claim("a"), *space.claim("b"), space.pod("pod", "a", "b"))
    space.ready("pod")
    assert space.node_with("a") == space.node_with("b") == last


def test_devices_of_a_container_are_those_of_its_claims_only(space: Space) -> None:
    """Every container of a pod sees its own claims, whatever others of the pod see."""
    containers = [
        container("one", ["a"]),
        container("two", ["b"]),
        container("none", [], command=f"echo nothing; {PRINT_AND_STAY}"),
    ]
    claims = [*space.claim("a"), *space.claim("b")]
    space.apply(*claims, space.pod("pod", "a", "b", containers=containers))
    space.ready("pod")
    assert set(space.devices("pod", "one")) != set(space.devices("pod", "two"))
    log = space.run("logs", "pod", "-c", "none")
    assert "nothing" in log
    assert devices_of(log) == []
