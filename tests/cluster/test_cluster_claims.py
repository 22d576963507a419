"""Claims in every manner of use, each in a namespace of its own, up and down."""

from collections.abc import Iterator

import pytest

from api.objects import JSON
from demo.expect import devices_of
from tests.support.embedded import Embedded
from tests.support.manifests import claim, manifest, namespace, parameters, pod
from tests.support.waiting import until

SPACE = "claims"
WAKE_SECONDS = 10.0
"""Well below the 30 s after which a refused claim is looked at again anyway."""

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def space(cluster: Embedded) -> Iterator[Embedded]:
    """A cluster with an empty namespace."""
    cluster.kubectl.apply(manifest(namespace(SPACE)))
    yield cluster
    cluster.kubectl.run("delete", "namespace", SPACE)


def ready(cluster: Embedded, *pods: str, seconds: float = 30.0) -> None:
    targets = [f"pod/{name}" for name in pods]
    limit = f"--timeout={seconds:.0f}s"
    cluster.kubectl.run("wait", "-n", SPACE, "--for=condition=Ready", limit, *targets)


def delete(cluster: Embedded, *targets: str) -> None:
    cluster.kubectl.run("delete", "-n", SPACE, *targets)


def devices(cluster: Embedded, name: str) -> list[str]:
    def printed() -> list[str]:
        return devices_of(cluster.kubectl.run("logs", "-n", SPACE, name))

    return until(f"devices in the log of {name}", printed)


def claim_status(cluster: Embedded, name: str) -> JSON:
    status: JSON = cluster.kubectl.get("-n", SPACE, f"resourceclaim/{name}").get("status") or {}
    return status


def warnings(cluster: Embedded, kind: str, name: str) -> str:
    """Return the text of the Warning events on an object."""
    return cluster.kubectl.run("events", "-n", SPACE, "--for", f"{kind}/{name}", "--types=Warning")


def test_immediate_claim_is_allocated_without_a_pod(space: Embedded) -> None:
    space.kubectl.apply(manifest(claim(SPACE, "now", mode="Immediate")))
    until("allocation", lambda: claim_status(space, "now").get("allocation"))
    assert sum(len(s.allocated) for s in space.session.states()) == 1
    space.kubectl.apply(manifest(pod(SPACE, "user", "now")))
    ready(space, "user")
    assert len(devices(space, "user")) == 1
    delete(space, "pod/user")
    assert claim_status(space, "now").get("allocation")
    delete(space, "resourceclaim/now")
    space.settled()


def test_waiting_claim_is_freed_when_its_last_pod_goes(space: Embedded) -> None:
    space.kubectl.apply(manifest(claim(SPACE, "later"), pod(SPACE, "user", "later")))
    ready(space, "user")
    delete(space, "pod/user")
    until("the claim is not reserved", lambda: "reservedFor" not in claim_status(space, "later"))
    delete(space, "resourceclaim/later")
    space.settled()


def test_pod_that_names_its_node(space: Embedded) -> None:
    node = space.config.node_names[1]
    space.kubectl.apply(manifest(claim(SPACE, "c"), pod(SPACE, "placed", "c", nodeName=node)))
    ready(space, "placed")
    assert len(space.state(node).prepared) == 1
    assert len(devices(space, "placed")) == 1


def test_pods_that_share_a_claim_leave_one_after_the_other(space: Embedded) -> None:
    space.kubectl.apply(
        manifest(claim(SPACE, "c"), pod(SPACE, "first", "c"), pod(SPACE, "second", "c"))
    )
    ready(space, "first", "second")
    assert devices(space, "first") == devices(space, "second")
    delete(space, "pod/first")
    assert space.cdi_files(), "the second pod still needs the file"
    assert devices(space, "second")
    delete(space, "pod/second")


def test_claims_of_a_pod_fit_one_node_together(space: Embedded) -> None:
    space.kubectl.apply(
        manifest(
            parameters(SPACE, "five", count=5),
            parameters(SPACE, "three", count=3),
            claim(SPACE, "a", params="five"),
            claim(SPACE, "b", params="three"),
            pod(SPACE, "both", "a", "b"),
        )
    )
    ready(space, "both")
    used = [len(state.prepared) for state in space.session.states()]
    assert sorted(used) == [0, 2]


def test_claim_that_does_not_fit_starts_as_soon_as_it_does(space: Embedded) -> None:
    large = [parameters(SPACE, "all", count=8)]
    holders = [f"holder{n}" for n in range(2)]
    for name in holders:
        large += [claim(SPACE, name, params="all"), pod(SPACE, name, name)]
    space.kubectl.apply(manifest(*large))
    ready(space, *holders)
    space.kubectl.apply(manifest(claim(SPACE, "late", params="all"), pod(SPACE, "late", "late")))
    until("a reason", lambda: "FailedScheduling" in warnings(space, "pod", "late"))
    delete(space, f"pod/{holders[0]}", f"resourceclaim/{holders[0]}")
    ready(space, "late", seconds=WAKE_SECONDS)
    assert len(devices(space, "late")) == 8


def test_missing_parameters_are_named_and_waited_for(space: Embedded) -> None:
    space.kubectl.apply(manifest(claim(SPACE, "c", params="two"), pod(SPACE, "user", "c")))
    until("event on the pod", lambda: "ParametersNotFound" in warnings(space, "pod", "user"))
    assert f"{SPACE}/two" in warnings(space, "resourceclaim", "c")
    space.kubectl.apply(manifest(parameters(SPACE, "two", count=2)))
    ready(space, "user", seconds=WAKE_SECONDS)
    assert len(devices(space, "user")) == 2


def test_claim_deleted_before_it_is_allocated(space: Embedded) -> None:
    space.kubectl.apply(manifest(claim(SPACE, "never")))
    delete(space, "resourceclaim/never")
    space.settled()


def test_pod_that_ends_frees_its_devices(space: Embedded) -> None:
    short = pod(SPACE, "short", "c", command="export", restartPolicy="Never")
    space.kubectl.apply(manifest(claim(SPACE, "c"), short))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    space.kubectl.run("wait", "-n", SPACE, done, "--timeout=30s", "pod/short")
    assert len(devices(space, "short")) == 1
    until("unprepared", lambda: not any(s.prepared for s in space.session.states()))
    until("the claim is not reserved", lambda: "reservedFor" not in claim_status(space, "c"))


def test_restarted_programs_find_what_they_left(space: Embedded) -> None:
    space.kubectl.apply(manifest(claim(SPACE, "c"), pod(SPACE, "user", "c")))
    ready(space, "user")
    before = space.session.states()
    names = ["controller", *(f"plugin-{node}" for node in space.config.node_names)]
    killed = {name: space.kill(name) for name in names}
    for name, pid in killed.items():
        until(f"{name} runs again", lambda name=name, pid=pid: space.pid(name) != pid)
    space.kubectl.apply(manifest(claim(SPACE, "new"), pod(SPACE, "more", "new")))
    ready(space, "more")
    space.session.nodes_ready(2)
    after = {s.node: s for s in space.session.states()}
    for state in before:
        assert after[state.node].allocatable == state.allocatable
        assert state.prepared.items() <= after[state.node].prepared.items()
    assert devices(space, "more") != devices(space, "user")
