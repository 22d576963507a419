"""Claims in every manner of use, each in a namespace of its own, up and down."""

import pytest

from api.names import DEFAULT_MODEL
from testing.waiting import until
from tests.support.anycluster import CONTROLLER, DEVICES, plugin_of
from tests.support.manifests import PRINT_AND_END, ClaimRequest, V1Alpha2, container, parameters
from tests.support.space import Space

WAKE_SECONDS = 10.0
"""Well below the 30 s after which a refused claim is looked at again anyway."""

ALL = ClaimRequest(count=DEVICES)

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parameters
def test_immediate_claim_is_allocated_without_a_pod(space: Space) -> None:
    space.apply(*space.claim("now", ClaimRequest(immediate=True)))
    space.allocated("now")
    assert space.given() == {space.uid("now")}
    space.apply(space.pod("user", "now"))
    space.ready("user")
    assert len(space.devices("user")) == 1
    space.delete("pod/user")
    assert space.status("now").get("allocation")
    space.delete("resourceclaim/now")
    space.cluster.settled()


@pytest.mark.parameters
@pytest.mark.nodes(2)
def test_immediate_claims_keep_off_a_cordoned_node(space: Space) -> None:
    cordoned, *others = space.cluster.nodes
    names = [f"c{number}" for number in range(3)]
    with space.cluster.cordoned(cordoned):
        for name in names:
            space.apply(*space.claim(name, ClaimRequest(immediate=True)))
            space.allocated(name)
        assert {space.node_with(name) for name in names} <= {*others}


@pytest.mark.parameters
def test_immediate_claim_waits_for_a_node_on_which_pods_can_run(space: Space) -> None:
    with space.cluster.cordoned(*space.cluster.nodes):
        space.apply(*space.claim("now", ClaimRequest(immediate=True)))
        space.told("resourceclaim", "now", "no pod can run there: it is cordoned")
        assert not space.given()
    until("allocated", lambda: space.status("now").get("allocation"), WAKE_SECONDS)


@pytest.mark.parameters
@pytest.mark.nodes(2)
def test_immediate_claim_goes_to_a_tainted_node_last_and_says_so(space: Space) -> None:
    tainted, *others = space.cluster.nodes
    with space.cluster.cordoned(*others), space.cluster.tainted(tainted, "own=x:NoSchedule"):
        space.apply(*space.claim("now", ClaimRequest(immediate=True)))
        space.allocated("now")
        assert space.node_with("now") == tainted
        space.told("resourceclaim", "now", "taint own=x:NoSchedule")


def test_waiting_claim_is_freed_when_its_last_pod_goes(space: Space) -> None:
    space.apply(*space.claim("later"), space.pod("user", "later"))
    space.ready("user")
    assert space.given() == space.prepared() == {space.uid("later")}
    space.delete("pod/user")
    space.unreserved("later")
    space.delete("resourceclaim/later")
    space.cluster.settled()


def test_success_leaves_a_trace_on_the_claim(space: Space) -> None:
    space.apply(*space.claim("c", ClaimRequest(count=2, split=2)), space.pod("user", "c"))
    space.ready("user")
    allocated, prepared = until(
        "two events of the claim",
        lambda: told if len(told := space.events("resourceclaim", "c")) == 2 else [],
    )
    node = space.node_with("c")
    assert (allocated["type"], allocated["reason"]) == ("Normal", "Allocated")
    assert allocated["message"].startswith(f"2 devices of node {node}: FAKE-")
    assert (prepared["type"], prepared["reason"]) == ("Normal", "Prepared")
    assert prepared["message"] == f"4 children of 2 devices on node {node}"
    assert (allocated["count"], prepared["count"]) == (1, 1)
    space.told("pod", "user", "waiting for resource driver")


@pytest.mark.since(28, "nobody asks for the claims of a pod that names its node")
def test_pod_that_names_its_node(space: Space) -> None:
    node = space.cluster.nodes[-1]
    space.apply(*space.claim("c"), space.pod("placed", "c", nodeName=node))
    space.ready("placed")
    assert len(space.cluster.state(node).holders) == 1
    assert len(space.devices("placed")) == 1


def test_pods_that_share_a_claim_leave_one_after_the_other(space: Space) -> None:
    space.apply(*space.claim("c"), space.pod("first", "c"))
    space.ready("first")
    # kubelets before 1.31 forget one of two pods that start at the same moment
    space.apply(space.pod("second", "c"))
    space.ready("second")
    assert space.devices("first") == space.devices("second")
    space.delete("pod/first")
    assert space.cluster.cdi_files(), "the second pod still needs the file"
    assert space.phase("second") == "Running"


def test_claims_of_a_pod_fit_one_node_together(space: Space) -> None:
    both = [
        *space.claim("a", ClaimRequest(count=DEVICES - 3)),
        *space.claim("b", ClaimRequest(count=3)),
    ]
    space.apply(*both, space.pod("both", "a", "b"))
    space.ready("both")
    used = [len(state.holders) for state in space.states()]
    assert sorted(used, reverse=True) == [2, *[0] * (len(used) - 1)]


def test_claim_that_does_not_fit_starts_as_soon_as_it_does(space: Space) -> None:
    holders = [f"holder{n}" for n, _ in enumerate(space.cluster.nodes)]
    for name in holders:
        space.apply(*space.claim(name, ALL), space.pod(name, name))
    space.ready(*holders)
    space.apply(*space.claim("late", ALL), space.pod("late", "late"))
    space.told("pod", "late", "FailedScheduling")
    assert space.phase("late") == "Pending"
    space.delete(f"pod/{holders[0]}", f"resourceclaim/{holders[0]}")
    space.ready("late", seconds=WAKE_SECONDS)
    assert len(space.devices("late")) == DEVICES


def test_pod_that_waits_is_told_who_has_what_it_lacks(space: Space) -> None:
    holders = [f"holder{n}" for n, _ in enumerate(space.cluster.nodes)]
    for name in holders:
        space.apply(*space.claim(name, ALL), space.pod(name, name))
    space.ready(*holders)
    space.apply(*space.claim("late"), space.pod("late", "late"))
    held = [f"claim {space.name}/{n} (pod {space.name}/{n}) since 20" for n in holders]
    for kind in ("pod", "resourceclaim"):
        told = space.told(kind, "late", "NoSuitableNode")
        assert any(f"nearest is {node}, with 0 of 1 device" in told for node in space.cluster.nodes)
        assert sum(f"; the rest is held by {each}" in told for each in held) == 1


def test_claim_larger_than_any_node_says_so(space: Space) -> None:
    space.apply(*space.claim("huge", ClaimRequest(count=DEVICES + 1)), space.pod("user", "huge"))
    space.told("pod", "user", "FailedScheduling")
    why = f"asked for {DEVICES + 1} devices, which can never fit on a node of {DEVICES}"
    assert why in space.told("resourceclaim", "huge", "NoSuitableNode")
    assert why in space.told("pod", "user", "NoSuitableNode")
    assert space.phase("user") == "Pending"
    assert not space.given()


def test_claim_for_a_model_that_no_node_has_says_which_there_are(space: Space) -> None:
    space.apply(*space.claim("odd", ClaimRequest(model="H100")), space.pod("user", "odd"))
    told = space.told("resourceclaim", "odd", "NoSuitableNode")
    assert "asked for 1 device of model H100, the node has none (its models: " in told
    assert f"{DEFAULT_MODEL})" in told
    assert f"; {', '.join(sorted(space.cluster.nodes)[:3])}" in told


def test_split_devices_are_the_claims_own(space: Space) -> None:
    halves = [*space.claim("a", ClaimRequest(split=2)), *space.claim("b", ClaimRequest(split=2))]
    space.apply(*halves, space.pod("one", "a"), space.pod("two", "b"))
    space.ready("one", "two")
    one, two = space.devices("one"), space.devices("two")
    assert len(set(one)) == len(set(two)) == 2
    assert not set(one) & set(two)


@pytest.mark.parameters
def test_missing_parameters_are_named_and_waited_for(space: Space) -> None:
    claim = V1Alpha2().bare_claim(space.name, "c", params="two")
    space.apply(claim, space.pod("user", "c"))
    space.told("pod", "user", "ParametersNotFound")
    space.told("resourceclaim", "c", f"{space.name}/two")
    space.apply(parameters(space.name, "two", count=2))
    space.ready("user", seconds=WAKE_SECONDS)
    assert len(space.devices("user")) == 2


@pytest.mark.parameters
def test_parameters_out_of_bounds_are_refused(space: Space) -> None:
    with pytest.raises(AssertionError, match=r"spec\.count.*less than or equal to 128"):
        space.apply(parameters(space.name, "bad", count=129))
    with pytest.raises(AssertionError, match="flavour"):
        space.cluster.kubectl.run(
            "create", "-f-", "--validate=strict", input=_with_unknown_field(space.name)
        )


def test_a_claim_has_room_for_32_pods_and_the_next_one_is_told(space: Space) -> None:
    names = [f"user{n}" for n in range(33)]
    space.apply(*space.claim("shared"), *(space.pod(name, "shared") for name in names))
    late = until("32 pods with a node", lambda: _the_only_one_without_a_node(space))
    space.told("pod", late, "status.reservedFor: Too long: may not be longer than 32")
    assert len(space.status("shared")["reservedFor"]) == 32
    (first, *_) = [name for name in names if name != late]
    space.delete(f"pod/{first}")
    space.ready(late)


def _the_only_one_without_a_node(space: Space) -> str:
    waiting = [pod for pod in space.pods() if not pod["spec"].get("nodeName")]
    return str(waiting[0]["metadata"]["name"]) if len(waiting) == 1 else ""


def test_claim_deleted_before_it_is_allocated(space: Space) -> None:
    space.apply(*space.claim("never"))
    space.delete("resourceclaim/never")
    space.cluster.settled()


def test_pod_deleted_while_it_waits(space: Space) -> None:
    space.apply(*space.claim("huge", ClaimRequest(count=DEVICES + 1)), space.pod("user", "huge"))
    space.told("pod", "user", "FailedScheduling")
    space.delete("pod/user", "resourceclaim/huge")
    space.cluster.settled()


@pytest.mark.since(28, "a pod keeps its reservation until it is deleted")
def test_pod_that_ends_frees_its_devices(space: Space) -> None:
    prints = [container(uses=["c"], command=PRINT_AND_END)]
    short = space.pod("short", "c", containers=prints, restartPolicy="Never")
    space.apply(*space.claim("c"), short)
    space.succeeded("short")
    assert len(space.devices("short")) == 1
    until("unprepared", lambda: not space.prepared())
    space.unreserved("c")


def test_restarted_programs_find_what_they_left(space: Space) -> None:
    cluster = space.cluster
    space.apply(*space.claim("c"), space.pod("user", "c"))
    space.ready("user")
    before = cluster.session.states()
    cluster.crash(CONTROLLER, *map(plugin_of, cluster.nodes))
    space.apply(*space.claim("new"), space.pod("more", "new"))
    space.ready("more")
    after = {state.node: state for state in cluster.session.states()}
    for state in before:
        assert after[state.node].allocatable == state.allocatable
        assert state.prepared.items() <= after[state.node].prepared.items()
        assert state.holders.items() <= after[state.node].holders.items()
    assert space.devices("more") != space.devices("user")


def _with_unknown_field(place: str) -> str:
    return f"""\
apiVersion: fake.resource.3-shake.com/v1alpha1
kind: FakeClaimParameters
metadata: {{name: bad, namespace: {place}}}
spec: {{count: 1, flavour: sour}}
"""
