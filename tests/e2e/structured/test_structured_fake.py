"""The fake driver from its chart, where kube-scheduler allocates."""

from collections.abc import Iterator, Mapping

import pytest

from api.contract import FAKE
from api.resources import CLAIM_PARAMETERS
from demo.expect import DEMOS, Container, Demo, problems
from demo.session import SYSTEM
from testing.waiting import until
from tests.support.choice import objects_of_the_release
from tests.support.fakecluster import (
    ALTERNATIVES,
    PARENTS,
    PARTITIONS,
    FakeCluster,
    child,
    using,
    wholes,
)
from tests.support.helm import HelmFailed
from tests.support.kubectl import KubectlFailed
from tests.support.nodeevents import NODE_EVENTS, Event
from tests.support.structuredcluster import NODE, PATIENCE

ONE = ("pod0", "ctr0")
MIXED = Demo("test6", ((ONE,),), count=3)
FIRST_OF_TWO = Demo("test7", ((ONE,),))
SPLIT_PARENTS = 4
"""So many devices are offered as two halves each where counters are not stored."""

OLD = ("whole", "half")
WITH_WEBHOOK = {"webhook": {"enabled": True, "replicas": 1}}

pytestmark = [pytest.mark.raised, pytest.mark.timeout(500)]


def needs(cluster: FakeCluster, feature: str) -> None:
    """Skip the test where a feature is off."""
    if not cluster.machine.version.has(feature):
        pytest.skip(f"{feature} is off in {cluster.machine.version}")


def shown(cluster: FakeCluster, demo: Demo) -> Mapping[Container, str]:
    """Apply a demo, wait until its pods are Ready, and return what they have printed."""
    cluster.apply(*cluster.demo(demo.name))
    ready = ("--for=condition=Ready", "pod", "--all", "--timeout=60s")
    cluster.kubectl.run("wait", "-n", demo.name, *ready)
    return cluster.logs(demo)


def removed(cluster: FakeCluster, demo: Demo) -> None:
    """Delete a demo, and check that nothing of it is left."""
    assert len(cluster.claim_files()) == len(cluster.allocated()) == len(demo.claims)
    cluster.kubectl.run("delete", "namespace", demo.name)
    cluster.settled()
    assert not cluster.kubectl.run("get", "resourceclaims", "-A", "-o", "name").strip()


@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: str(demo.name))
def test_demo_shows_what_it_should_and_leaves_nothing(fakes: FakeCluster, demo: Demo) -> None:
    logs = shown(fakes, demo)
    assert problems(demo, logs, [fakes.state(demo.name)]) == []
    removed(fakes, demo)


def test_demo_of_a_mixed_split(fakes: FakeCluster) -> None:
    needs(fakes, PARTITIONS)
    shown(fakes, MIXED)
    seen = fakes.env(*ONE, namespace=MIXED.name)
    (devices,) = fakes.allocated().values()
    known = [fakes.devices()[name] for name in devices]
    assert sorted(each["split"] for each in known) == [2, 4, 4]
    assert len({each["parentUUID"] for each in known}) == 1
    assert [seen[f"FAKE_DEVICE_{n}"] for n in range(3)] == [each["uuid"] for each in known]
    told = [seen[f"FAKE_DEVICE_{n}_PARENT"] for n in range(3)]
    assert told == [each["parentUUID"] for each in known]
    removed(fakes, MIXED)


@pytest.fixture
def quarters(fakes: FakeCluster) -> Iterator[FakeCluster]:
    """A cluster that offers quarters, also where counters are not stored."""
    needs(fakes, ALTERNATIVES)
    if not fakes.partitioned:
        fakes.install({"kubeletPlugin": {"staticSplits": "2=3,4=1"}})
    until("quarters in slices", lambda: "fake-7-split4-0" in fakes.devices())
    yield fakes
    if not fakes.partitioned:
        fakes.install()
        until("halves in slices", lambda: "fake-7-split2-0" in fakes.devices())


def test_demo_of_the_first_that_is_available(quarters: FakeCluster) -> None:
    shown(quarters, FIRST_OF_TWO)
    seen = quarters.env(*ONE, namespace=FIRST_OF_TWO.name)
    ((device,),) = quarters.allocated().values()
    known = quarters.devices()[device]
    assert seen["FAKE_DEVICE_0"] == known["uuid"]
    assert seen["FAKE_DEVICE_0_PARENT"] == known["parentUUID"]
    assert known["split"] == 4
    removed(quarters, FIRST_OF_TWO)


def test_pods_that_share_a_claim_leave_one_after_the_other(fakes: FakeCluster) -> None:
    fakes.apply(wholes("c"), using("first", "c"), using("second", "c"))
    fakes.ready("first", "second")
    assert fakes.env("first") == fakes.env("second")
    fakes.delete("pod/first")
    assert len(fakes.claim_files()) == 1, "the second pod still needs the file"
    assert fakes.phase("second") == "Running"


def test_released_device_goes_to_the_pod_that_waits_for_it(fakes: FakeCluster) -> None:
    count = offered_wholes(fakes)
    fakes.apply(wholes("all", count), using("holder", "all"))
    fakes.ready("holder")
    fakes.apply(wholes("late"), using("late", "late"))
    waits(fakes, "late")
    held = fakes.allocated()["all"]
    fakes.delete("pod/holder", "resourceclaim/all")
    fakes.ready("late", seconds=PATIENCE)
    assert {*fakes.allocated()["late"]} < {*held}


def waits(cluster: FakeCluster, pod: str) -> None:
    """Wait until a pod is told that it has no devices."""
    until(f"{pod} is told", lambda: cluster.events(pod, "FailedScheduling"))


def offered_wholes(cluster: FakeCluster) -> int:
    """Return how many whole devices are offered."""
    return sum(each["type"] == "whole" for each in cluster.devices().values())


def test_partitions_offer_all_children_and_are_never_given_twice(fakes: FakeCluster) -> None:
    needs(fakes, PARTITIONS)
    known = fakes.devices()
    assert len(known) == PARENTS * (1 + 2 + 4 + 8 + 16)
    assert offered_wholes(fakes) == PARENTS
    fakes.apply(child("part", 8), using("part", "part"))
    fakes.ready("part")
    fakes.apply(wholes("rest", PARENTS - 1), using("rest", "rest"))
    fakes.ready("rest")
    fakes.apply(wholes("over"), using("over", "over"))
    waits(fakes, "over")
    ((part,), rest) = (fakes.allocated()[name] for name in ("part", "rest"))
    assert known[part]["parentUUID"] not in {known[name]["uuid"] for name in rest}
    assert "over" not in fakes.allocated()


def test_without_partitions_no_child_is_offered_beside_its_parent(fakes: FakeCluster) -> None:
    """The static layout, with an event that says which feature gate is off."""
    if fakes.partitioned:
        pytest.skip(f"{PARTITIONS} is on in {fakes.machine.version}")
    known = fakes.devices()
    children = {name: each for name, each in known.items() if "parentUUID" in each}
    uuids = {each["uuid"] for each in known.values()}
    assert len(children) == 2 * SPLIT_PARENTS
    assert len(known) - len(children) == PARENTS - SPLIT_PARENTS
    assert not uuids & {each["parentUUID"] for each in children.values()}
    assert any(PARTITIONS in message for message in fakes.events(NODE, "FieldsNotStored"))

    whole, part = PARENTS - SPLIT_PARENTS, len(children)
    fakes.apply(wholes("wholes", whole), using("wholes", "wholes"))
    halves = [f"half{number}" for number in range(part)]
    fakes.apply(*(child(each, 2) for each in halves), *(using(each, each) for each in halves))
    fakes.ready("wholes", *halves)
    fakes.apply(wholes("over"), child("under", 2), using("over", "over"), using("under", "under"))
    for name in ("over", "under"):
        waits(fakes, name)
    given = [device for devices in fakes.allocated().values() for device in devices]
    assert sorted(given) == sorted(known)


def replaced(cluster: FakeCluster) -> None:
    """Delete the plugin's pod, and wait until another one works."""
    old = cluster.driver_pod()["metadata"]
    cluster.kubectl.run("delete", "pod", "-n", SYSTEM, old["name"], "--force", "--grace-period=0")
    until("another pod", lambda: cluster.driver_pod()["metadata"]["uid"] != old["uid"])
    cluster.plugin_ready()


EVENTS: tuple[Event[FakeCluster], ...] = (
    Event("plugin", replaced),
    Event("plugin-killed", FakeCluster.kill),
    *NODE_EVENTS,
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.name))
def test_pods_keep_their_devices(fakes: FakeCluster, event: Event[FakeCluster]) -> None:
    fakes.apply(wholes("whole"), child("half", 2), *(using(name, name) for name in OLD))
    fakes.ready(*OLD)
    before = {name: fakes.env(name) for name in OLD}
    given, files, known = fakes.allocated(), fakes.claim_files(), fakes.devices()
    containers = {name: fakes.container(name)["containerID"] for name in OLD}

    event.happen(fakes)

    if event.ends_pods:
        until("pods run anew", lambda: all(fakes.anew(n, containers[n]) for n in OLD), PATIENCE)
    fakes.ready(*OLD, seconds=PATIENCE)
    same = [fakes.container(name)["containerID"] == containers[name] for name in OLD]
    assert same == [not event.ends_pods] * len(OLD)
    assert {name: fakes.env(name) for name in OLD} == before
    assert fakes.allocated() == given
    until("the files of both claims", lambda: fakes.claim_files() == files, PATIENCE)
    until("the same devices in slices", lambda: fakes.devices() == known, PATIENCE)

    fakes.apply(child("new", 2), using("new", "new"))
    fakes.ready("new", seconds=PATIENCE)
    assert fakes.allocated()["new"] != given["half"]


@pytest.fixture
def removable(fakes: FakeCluster) -> Iterator[FakeCluster]:
    """A cluster from which the test may take the driver."""
    yield fakes
    fakes.install()


def test_webhook_refuses_what_could_not_be_prepared(removable: FakeCluster) -> None:
    removable.install(WITH_WEBHOOK)
    parameters = {"apiVersion": CLAIM_PARAMETERS.api_version, "kind": CLAIM_PARAMETERS.kind}
    made = wholes("c")
    opaque = {"driver": FAKE.driver_name, "parameters": parameters}
    made["spec"]["devices"]["config"] = [{"opaque": opaque}]
    refused = r"spec\.devices\.config\[0\]\.opaque\.parameters.*classic claims"
    with pytest.raises(KubectlFailed, match=refused):
        removable.apply(made)
    opaque["driver"] = "somebody.example.com"
    removable.apply(made, using("pod", "c"))
    removable.ready("pod")


@pytest.mark.last
def test_uninstall_leaves_nothing(removable: FakeCluster) -> None:
    removable.install(WITH_WEBHOOK)
    removable.apply(wholes("whole"), child("half", 2), *(using(name, name) for name in OLD))
    removable.ready(*OLD)
    with pytest.raises(HelmFailed, match="pre-delete"):
        removable.uninstall()
    assert len(removable.pids()) == 1
    removable.clear()
    removable.settled()

    removable.uninstall()
    assert removable.pids() == []
    assert removable.cdi_files() == []
    assert removable.sockets() == []
    until("no slice", lambda: not removable.slices(), 60)
    until("no object", lambda: not objects_of_the_release(removable.kubectl), 60)
