"""What Kubernetes' own end-to-end tests ask of a claim's life: cases 64 to 79, 85, 86.

The numbers are those of docs/compatibility.md. Upstream injects an environment variable by a test
driver; here the devices in the environment tell that a claim was prepared for its container.
Source: kubernetes test/e2e/dra/dra.go v1.30.14.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.contract import FAKE
from testing.waiting import until
from tests.support.anycluster import Cluster, plugin_of
from tests.support.manifests import ONE, PRINT_AND_END, ClaimRequest, container
from tests.support.space import Space

PODS = ("pod0", "pod1", "pod2")
CONTAINERS = ("ctr0", "ctr1", "ctr2")
AT_A_TIME = 4
OTHER_POD = {"resource": "pods", "name": "another", "uid": "123e4567-e89b-12d3-a456-426614174000"}
KEPT = "a pod keeps its reservations until it is deleted"

pytestmark = pytest.mark.timeout(180)


def ends(*uses: str) -> dict[str, object]:
    """Return the spec of a pod that prints its environment and ends."""
    containers = [container(uses=uses, command=PRINT_AND_END)]
    return {"containers": containers, "restartPolicy": "Never"}


def inline_claim_for_one_container(space: Space, wish: ClaimRequest) -> None:
    space.apply(*space.template("t", wish), space.inline_pod("pod", "t"))
    space.ready("pod")
    assert len(space.devices("pod")) == 1


def inline_claim_for_several_containers(space: Space, wish: ClaimRequest) -> None:
    containers = [container(name, ["t"]) for name in CONTAINERS]
    space.apply(*space.template("t", wish), space.inline_pod("pod", "t", containers=containers))
    space.ready("pod")
    first, *others = [space.devices("pod", name) for name in CONTAINERS]
    assert len(first) == 1
    assert others == [first, first]


def external_claim_for_one_pod(space: Space, wish: ClaimRequest) -> None:
    space.apply(*space.claim("c", wish), space.pod("pod", "c"))
    space.ready("pod")
    assert len(space.devices("pod")) == 1


def external_claim_for_three_pods(space: Space, wish: ClaimRequest) -> None:
    space.apply(*space.claim("c", wish), *(space.pod(name, "c") for name in PODS))
    space.ready(*PODS)
    first, *others = [space.devices(name) for name in PODS]
    assert others == [first, first]


def external_claim_for_containers_of_three_pods(space: Space, wish: ClaimRequest) -> None:
    containers = [container(name, ["c"]) for name in CONTAINERS]
    pods = [space.pod(name, "c", containers=containers) for name in PODS]
    space.apply(*space.claim("c", wish), *pods)
    space.ready(*PODS)
    found = {tuple(space.devices(pod, name)) for pod in PODS for name in CONTAINERS}
    assert len(found) == 1


def init_container_has_the_devices_already(space: Space, wish: ClaimRequest) -> None:
    first = [container("first", ["t"], command=PRINT_AND_END)]
    space.apply(*space.template("t", wish), space.inline_pod("pod", "t", initContainers=first))
    space.ready("pod")
    assert len(space.devices("pod", "first")) == 1
    assert space.devices("pod", "first") == space.devices("pod")


def reservation_goes_with_a_pod_that_is_done(space: Space, wish: ClaimRequest) -> None:
    space.apply(*space.claim("c", wish), space.pod("pod", "c", **ends("c")))
    space.succeeded("pod")
    space.unreserved("c")


def generated_claim_goes_with_a_pod_that_is_done(space: Space, wish: ClaimRequest) -> None:
    space.apply(*space.template("t", wish), space.inline_pod("pod", "t", **ends("t")))
    space.succeeded("pod")
    until("no claim is left", lambda: not space.claims())
    assert space.phase("pod") == "Succeeded"


def generated_claim_stays_while_its_pod_restarts(space: Space, wish: ClaimRequest) -> None:
    again = [container(uses=["t"], command="export; sleep 1")]
    pod = space.inline_pod("pod", "t", containers=again, restartPolicy="Always")
    space.apply(*space.template("t", wish), pod)

    # one is enough: before the second the kubelet waits for 10 s
    def has_restarted() -> bool:
        statuses = space.get("pod", "pod")["status"].get("containerStatuses") or []
        return bool(statuses and statuses[0]["restartCount"])

    devices = space.devices("pod")
    (claim,) = space.claims()
    until("a restart", has_restarted)
    (same,) = space.claims()
    assert same["metadata"]["uid"] == claim["metadata"]["uid"]
    assert space.devices("pod") == devices


SCENARIOS: tuple[Callable[[Space, ClaimRequest], None], ...] = (
    inline_claim_for_one_container,
    inline_claim_for_several_containers,
    external_claim_for_one_pod,
    external_claim_for_three_pods,
    external_claim_for_containers_of_three_pods,
    init_container_has_the_devices_already,
    generated_claim_stays_while_its_pod_restarts,
)
OF_PODS_THAT_ARE_DONE = (
    reservation_goes_with_a_pod_that_is_done,
    generated_claim_goes_with_a_pod_that_is_done,
)


def test_e2e_64_registers_plugin(space: Space) -> None:
    offered = [state for state in space.states() if state.ready]
    assert [state.node for state in offered] == list(space.cluster.nodes)
    for node in space.cluster.nodes:
        registered = "Registered by the kubelet"
        log = space.cluster.whole_log(plugin_of(node))
        assert registered in log


def test_e2e_65_retries_prepare(space: Space) -> None:
    space.apply(*space.claim("c"))
    uid = space.uid("c")
    with space.cluster.blocked(uid):
        space.apply(space.pod("pod", "c"))
        space.told_that_prepare_failed("pod", "c")
        assert space.phase("pod") == "Pending"
    space.ready("pod")
    assert len(space.devices("pod")) == 1


@pytest.mark.parameters
@pytest.mark.since(28, "kubelets do not tell of it")
def test_e2e_66_does_not_run_a_pod_that_has_no_reservation(space: Space) -> None:
    space.apply(*space.claim("c"))
    claim = space.get("resourceclaim", "c")
    # not shareable, unlike what this driver makes: nobody may add a reservation
    taken = {"driverName": FAKE.driver_name, "allocation": {}, "reservedFor": [OTHER_POD]}
    space.cluster.client.update(
        space.cluster.access.claims, claim | {"status": taken}, subresource="status"
    )
    space.apply(space.pod("pod", "c", nodeName=space.cluster.nodes[0]))
    space.told("pod", "pod", "FailedPrepareDynamicResources")
    assert space.phase("pod") == "Pending"
    assert not space.prepared()


def test_e2e_67_unprepares_for_a_force_deleted_pod(space: Space) -> None:
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")
    assert space.prepared() == {space.uid("c")}
    space.delete("pod/pod", "--force", "--grace-period=0")
    until("unprepared", lambda: not space.prepared(), 60)
    assert space.cluster.cdi_files() == []


def test_e2e_68_skips_prepare_if_no_container_uses_the_claim(space: Space) -> None:
    space.apply(*space.claim("c"), space.pod("pod", "c", containers=[container()]))
    space.ready("pod")
    uid = space.uid("c")
    assert space.given() == {uid}
    # the kubelet of 1.31 prepares what no container uses, too
    assert space.prepared() == ({uid} if space.cluster.minor >= 31 else set())


def test_e2e_69_follows_claim_and_class_parameters(space: Space) -> None:
    some, other = f"{space.name}-some", f"{space.name}-other"
    with space.classes(some, model="LATEST-*"), space.classes(other, model="OLD-*"):
        wish = ClaimRequest(count=2, split=2, model="*FAKE*", of=some)
        space.apply(*space.claim("c", wish), space.pod("pod", "c"))
        space.apply(*space.claim("none", ClaimRequest(of=other)), space.pod("late", "none"))
        space.ready("pod")
        assert len(space.devices("pod")) == 4
        space.told("pod", "late", "FailedScheduling")
        assert space.given() == {space.uid("c")}
        space.delete("pod/pod", "pod/late", "resourceclaim/c", "resourceclaim/none")


def test_e2e_70_inline_claim_for_one_container(space: Space) -> None:
    inline_claim_for_one_container(space, ONE)


def test_e2e_71_inline_claim_for_several_containers(space: Space) -> None:
    inline_claim_for_several_containers(space, ONE)


def test_e2e_72_external_claim_for_one_pod(space: Space) -> None:
    external_claim_for_one_pod(space, ONE)


def test_e2e_73_external_claim_for_three_pods(space: Space) -> None:
    external_claim_for_three_pods(space, ONE)


def test_e2e_74_external_claim_for_containers_of_three_pods(space: Space) -> None:
    external_claim_for_containers_of_three_pods(space, ONE)


def test_e2e_75_init_container_has_the_devices_already(space: Space) -> None:
    init_container_has_the_devices_already(space, ONE)


@pytest.mark.since(28, KEPT)
def test_e2e_76_removes_the_reservation_of_a_pod_that_is_done(space: Space) -> None:
    reservation_goes_with_a_pod_that_is_done(space, ONE)


@pytest.mark.since(28, KEPT)
def test_e2e_77_deletes_generated_claims_of_a_pod_that_is_done(space: Space) -> None:
    generated_claim_goes_with_a_pod_that_is_done(space, ONE)


def test_e2e_78_keeps_generated_claims_of_a_pod_that_restarts(space: Space) -> None:
    generated_claim_stays_while_its_pod_restarts(space, ONE)


@pytest.mark.since(28, "an allocation lasts as long as its claim")
def test_e2e_79_deallocates_after_use(space: Space) -> None:
    space.apply(*space.claim("c"), space.pod("pod", "c"))
    space.ready("pod")
    space.delete("pod/pod")
    until("no allocation", lambda: not space.status("c").get("allocation"))
    assert not space.given()


@pytest.mark.since(28, "pods have no resourceClaimStatuses")
def test_e2e_85_pod_without_generated_claim(space: Space) -> None:
    space.apply(space.inline_pod("pod", "none"))
    none = json.dumps({"status": {"resourceClaimStatuses": [{"name": "none"}]}})
    space.run("patch", "pod", "pod", "--subresource=status", "--type=merge", "-p", none)
    space.ready("pod")
    assert space.claims() == []


@pytest.mark.parameters
def test_e2e_86_with_immediate_allocation(cluster: Cluster, spaces: Callable[[], Space]) -> None:
    def run(scenario: Callable[[Space, ClaimRequest], None]) -> None:
        scenario(spaces(), ClaimRequest(immediate=True))

    # those that give their device back come first, since there are as many devices as others
    scenarios = (OF_PODS_THAT_ARE_DONE if cluster.minor >= 28 else ()) + SCENARIOS
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        running = [pool.submit(run, scenario) for scenario in scenarios]
    for scenario in running:
        scenario.result()
