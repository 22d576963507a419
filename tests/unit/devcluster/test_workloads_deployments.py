"""Deployments: rollouts, history, conditions, as users see them through the API."""

from typing import Any

import pytest

from api.conditions import condition_of
from api.objects import JSON
from devcluster.workloads.revisions import HASH_LABEL, REVISION, template_hash
from tests.support.workloadrig import LABELS, Workloads, replica_set, template

ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
RECREATE = {"type": "Recreate"}


@pytest.fixture
def rig() -> Workloads:
    return Workloads()


def deployment(**spec: Any) -> JSON:
    own = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template()}
    return {"metadata": {"name": "d"}, "spec": {**own, "strategy": ROLLING, **spec}}


def running(rig: Workloads, **spec: Any) -> JSON:
    """Create a Deployment and let its pods run; return its ReplicaSet."""
    rig.create("Deployment", deployment(**spec))
    rig.settle()
    rig.run()
    (made,) = rig.all("ReplicaSet")
    return made


def change(rig: Workloads, image: str) -> None:
    containers = [{"name": "main", "image": image}]
    rig.patch("Deployment", "d", {"spec": {"template": {"spec": {"containers": containers}}}})


def rolled(rig: Workloads) -> None:
    """Let new pods run until no more come."""
    while any(pod["status"]["phase"] == "Pending" for pod in rig.pods()):
        rig.run()


def sizes(rig: Workloads) -> list[int]:
    return [each["spec"]["replicas"] for each in rig.all("ReplicaSet")]


def revisions(rig: Workloads) -> list[str]:
    return [each["metadata"]["annotations"][REVISION] for each in rig.all("ReplicaSet")]


def progress(rig: Workloads) -> tuple[str, str]:
    found = condition_of(rig.find("Deployment", "d"), "Progressing")
    return found["status"], found["reason"]


def test_a_deployment_has_one_replica_set_with_its_template(rig: Workloads) -> None:
    made = running(rig)
    label = made["metadata"]["labels"][HASH_LABEL]
    assert made["metadata"]["name"] == f"d-{label}"
    assert made["spec"]["selector"]["matchLabels"] == {**LABELS, HASH_LABEL: label}
    assert all(pod["metadata"]["labels"][HASH_LABEL] == label for pod in rig.pods())
    stored = rig.find("Deployment", "d")
    assert stored["metadata"]["annotations"] == {REVISION: "1"}
    counts = {k: v for k, v in stored["status"].items() if k != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    assert condition_of(stored, "Available")["reason"] == "MinimumReplicasAvailable"
    assert progress(rig) == ("True", "NewReplicaSetAvailable")


def test_a_rolling_update_waits_for_each_new_pod(rig: Workloads) -> None:
    running(rig)
    change(rig, "other")
    assert sizes(rig) == [2, 1]
    assert progress(rig) == ("True", "ReplicaSetUpdated")
    rig.run()
    assert sizes(rig) == [1, 2]
    rig.run()
    assert sizes(rig) == [0, 2]
    assert progress(rig) == ("True", "NewReplicaSetAvailable")
    assert revisions(rig) == ["1", "2"]
    assert (
        "ScalingReplicaSet",
        f"Scaled down replica set {name(rig, 0)} to 0 from 1",
    ) in rig.told()


def name(rig: Workloads, number: int) -> str:
    return str(rig.all("ReplicaSet")[number]["metadata"]["name"])


def test_recreate_ends_all_old_pods_first(rig: Workloads) -> None:
    running(rig, strategy=RECREATE)
    held = [pod["metadata"]["name"] for pod in rig.pods()]
    for each in held:
        rig.patch("Pod", each, {"metadata": {"finalizers": ["example.com/held"]}})
    change(rig, "other")
    assert sizes(rig) == [0]
    for each in held:
        rig.patch("Pod", each, {"metadata": {"finalizers": None}})
    assert sizes(rig) == [0, 2]


def test_going_back_makes_the_old_replica_set_the_latest(rig: Workloads) -> None:
    running(rig)
    change(rig, "other")
    rolled(rig)
    change(rig, "busybox")
    rolled(rig)
    assert sizes(rig) == [2, 0]
    assert revisions(rig) == ["3", "2"]
    assert rig.find("Deployment", "d")["metadata"]["annotations"][REVISION] == "3"


def test_history_is_as_long_as_it_should_be(rig: Workloads) -> None:
    running(rig, revisionHistoryLimit=1)
    for image in ("b", "c", "d"):
        change(rig, image)
        rolled(rig)
    assert revisions(rig) == ["3", "4"]


def test_the_cause_of_a_change_is_kept_with_its_revision(rig: Workloads) -> None:
    running(rig)
    cause = {
        "kubernetes.io/change-cause": "why",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    rig.patch("Deployment", "d", {"metadata": {"annotations": cause}})
    (made,) = rig.all("ReplicaSet")
    assert made["metadata"]["annotations"] == {REVISION: "1", "kubernetes.io/change-cause": "why"}


def test_scaling_is_no_revision(rig: Workloads) -> None:
    running(rig)
    rig.patch("Deployment", "d", {"spec": {"replicas": 5}})
    assert (sizes(rig), revisions(rig), len(rig.pods())) == ([5], ["1"], 5)
    rig.patch("Deployment", "d", {"spec": {"replicas": 0}})
    assert (sizes(rig), rig.pods()) == ([0], [])


def test_a_deployment_that_begins_with_a_pause_has_no_pods(rig: Workloads) -> None:
    rig.create("Deployment", deployment(paused=True))
    rig.settle()
    assert (sizes(rig), progress(rig)) == ([], ("Unknown", "DeploymentPaused"))


def test_a_pause_holds_the_template_but_not_the_size(rig: Workloads) -> None:
    running(rig)
    rig.patch("Deployment", "d", {"spec": {"paused": True}})
    change(rig, "other")
    rig.patch("Deployment", "d", {"spec": {"replicas": 3}})
    assert (sizes(rig), progress(rig)) == ([3], ("Unknown", "DeploymentPaused"))
    rig.patch("Deployment", "d", {"spec": {"paused": None}})
    rolled(rig)
    assert sizes(rig) == [0, 3]


def test_a_rollout_that_stands_still_is_late(rig: Workloads) -> None:
    running(rig, progressDeadlineSeconds=60)
    change(rig, "other")
    rig.later(59)
    assert progress(rig) == ("True", "ReplicaSetUpdated")
    rig.later(1)
    assert progress(rig) == ("False", "ProgressDeadlineExceeded")
    rolled(rig)
    assert progress(rig) == ("True", "NewReplicaSetAvailable")


def test_a_pod_that_is_lost_after_a_rollout_begins_no_other(rig: Workloads) -> None:
    running(rig, progressDeadlineSeconds=60)
    rig.delete("Pod", rig.pods()[0]["metadata"]["name"])
    rig.settle()
    assert progress(rig) == ("True", "NewReplicaSetAvailable")
    available = condition_of(rig.find("Deployment", "d"), "Available")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")


def test_a_replica_set_of_the_same_template_is_adopted(rig: Workloads) -> None:
    made = running(rig)
    rig.delete("Deployment", "d", propagation="Orphan")
    rig.settle()
    assert rig.find("ReplicaSet", made["metadata"]["name"])["metadata"]["ownerReferences"] == []
    rig.create("Deployment", deployment())
    rig.settle()
    (adopted,) = rig.all("ReplicaSet")
    assert adopted["metadata"]["ownerReferences"][0]["name"] == "d"
    assert adopted["metadata"]["uid"] == made["metadata"]["uid"]


def test_foreign_replica_sets_stay_alone(rig: Workloads) -> None:
    other = {"app": "other"}
    labelled = {**template(), "metadata": {"labels": other}}
    rig.create(
        "ReplicaSet", replica_set("alone", 1, selector={"matchLabels": other}, template=labelled)
    )
    rig.create("Deployment", deployment())
    rig.settle()
    assert rig.find("ReplicaSet", "alone")["metadata"].get("ownerReferences") is None


def test_a_hash_is_that_of_the_whole_template() -> None:
    assert template_hash(template()) == template_hash(template())
    assert template_hash(template()) != template_hash(template(nodeName="n"))
    assert set(template_hash(template())) <= set("bcdfghjklmnpqrstvwxz2456789")
