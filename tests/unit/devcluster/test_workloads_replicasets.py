"""ReplicaSets: as many pods as wanted, the right ones go, orphans are adopted, strangers let go."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.objects import JSON
from api.resources import PODS, REPLICA_SETS
from devcluster.workloads.replicas import surplus, unavailable_for
from kube.errors import Conflict, ServerError
from tests.support.tables import cases
from tests.support.workloadrig import LABELS, Workloads, replica_set, template

NOW = datetime(2024, 5, 1, 12, 0, 30, tzinfo=UTC)


def pod(name: str, *, node: str = "n", ready: str | None = "", **fields: Any) -> JSON:
    """Return a running pod, ready since a time of NOW's minute unless that is None."""
    condition = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": f"2024-05-01T12:00:{ready}",
    }
    meta = {"name": name, "creationTimestamp": "2024-05-01T11:00:00Z", **fields.pop("meta", {})}
    status = {"phase": "Running", "conditions": [] if ready is None else [condition], **fields}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": status}


SURPLUS = {
    "unscheduled": (pod("go", node="", ready="00Z", phase="Pending"), pod("stay", ready="00Z")),
    "pending": (pod("go", ready=None, phase="Pending"), pod("stay", ready=None)),
    "not ready": (pod("go", ready=None), pod("stay", ready="00Z")),
    "cheaper": (
        pod(
            "go",
            ready="00Z",
            meta={"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-1"}},
        ),
        pod("stay", ready="20Z"),
    ),
    "ready later": (pod("go", ready="20Z"), pod("stay", ready="00Z")),
    "restarted": (
        pod("go", ready="00Z", containerStatuses=[{"restartCount": 2}]),
        pod("stay", ready="00Z", containerStatuses=[{"restartCount": 1}]),
    ),
    "younger": (
        pod("go", ready="00Z", meta={"creationTimestamp": "2024-05-01T11:30:00Z"}),
        pod("stay", ready="00Z"),
    ),
}


@cases("pods", SURPLUS)
@pytest.mark.parametrize("turned", [False, True], ids=["first", "last"])
def test_which_pod_goes(pods: tuple[JSON, JSON], turned: bool) -> None:
    (gone,) = surplus(pods[::-1] if turned else pods, 1)
    assert gone["metadata"]["name"] == "go"


def test_pods_that_share_a_node_go_first() -> None:
    pods = [
        pod("alone", node="a", ready="00Z"),
        *(pod(f"b{n}", node="b", ready="00Z") for n in "12"),
    ]
    assert [p["metadata"]["name"] for p in surplus(pods, 2)] == ["b1", "b2"]


@cases(
    ("made", "least", "wait"),
    {
        "not ready": (pod("p", ready=None), 0, None),
        "at once": (pod("p", ready="20Z"), 0, 0),
        "long enough": (pod("p", ready="20Z"), 10, 0),
        "not yet": (pod("p", ready="20Z"), 15, 5),
    },
)
def test_when_a_pod_is_available(made: JSON, least: int, wait: float | None) -> None:
    assert unavailable_for(made, least, NOW) == wait


@pytest.fixture
def rig() -> Workloads:
    return Workloads()


def test_a_replica_set_makes_its_pods_and_tells_how_many_are_ready(rig: Workloads) -> None:
    rig.create("ReplicaSet", replica_set(minReadySeconds=10))
    rig.settle()
    made = rig.pods()
    assert [p["metadata"]["generateName"] for p in made] == ["rs-"] * 3
    assert all(p["metadata"]["labels"] == LABELS for p in made)
    assert [p["metadata"]["ownerReferences"][0]["name"] for p in made] == ["rs"] * 3
    assert rig.find("ReplicaSet", "rs")["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "observedGeneration": 1,
    }
    rig.run(*made[:2])
    status = rig.find("ReplicaSet", "rs")["status"]
    assert (status["readyReplicas"], status.get("availableReplicas")) == (2, None)
    rig.later(10)
    assert rig.find("ReplicaSet", "rs")["status"]["availableReplicas"] == 2
    assert [reason for reason, _ in rig.told()] == ["SuccessfulCreate"] * 3


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_an_ended_pod_is_replaced(rig: Workloads, phase: str) -> None:
    rig.create("ReplicaSet", replica_set(replicas=1))
    rig.settle()
    (first,) = rig.pods()
    rig.end(first, phase=phase)
    assert len(rig.pods()) == 2


def test_scaling_down_deletes_those_that_are_missed_least(rig: Workloads) -> None:
    rig.create("ReplicaSet", replica_set())
    rig.settle()
    kept = rig.pods()[1]
    rig.run(kept)
    rig.patch("ReplicaSet", "rs", {"spec": {"replicas": 1}})
    assert [p["metadata"]["name"] for p in rig.pods()] == [kept["metadata"]["name"]]


def test_pods_that_take_their_time_to_end_are_not_deleted_twice(rig: Workloads) -> None:
    rig.create("ReplicaSet", replica_set())
    rig.settle()
    for pod_of in rig.pods():
        rig.store.edit(
            rig.kind("Pod"),
            "default",
            pod_of["metadata"]["name"],
            lambda p: {**p, "spec": {**p["spec"], "nodeName": "n"}},
        )
    rig.run()
    rig.patch("ReplicaSet", "rs", {"spec": {"replicas": 2}})
    assert (len(rig.pods()), len(rig.all("Pod"))) == (2, 3)
    rig.controller.process("ReplicaSet:default/rs")
    assert len(rig.pods()) == 2


def test_news_that_are_older_than_a_deletion_lead_to_no_other(rig: Workloads) -> None:
    rig.create("ReplicaSet", replica_set())
    rig.settle()
    rig.run()
    stored = rig.find("ReplicaSet", "rs")
    rig.create("ConfigMap", {"metadata": {"name": "c"}})
    scaled = {**stored, "spec": {**stored["spec"], "replicas": 2}}
    scaled["metadata"] = {**stored["metadata"], "resourceVersion": str(rig.storage.revision)}
    rig.controller.caches[REPLICA_SETS].apply(scaled)
    rig.controller.process("ReplicaSet:default/rs")
    first, _ = rig.pods()
    late = {**first, "status": {"phase": "Pending"}}
    late["metadata"] = {**first["metadata"], "resourceVersion": str(rig.storage.revision)}
    rig.controller.caches[PODS].apply(late)
    rig.controller.process("ReplicaSet:default/rs")
    assert len(rig.pods()) == 2


def test_an_orphan_is_adopted_and_a_stranger_let_go(rig: Workloads) -> None:
    rig.create(
        "Pod", {"metadata": {"name": "orphan", "labels": LABELS}, "spec": template()["spec"]}
    )
    rig.create("ReplicaSet", replica_set(replicas=1))
    rig.settle()
    (adopted,) = rig.pods()
    assert adopted["metadata"]["ownerReferences"][0]["name"] == "rs"
    rig.patch("Pod", "orphan", {"metadata": {"labels": {"app": "other"}}})
    assert rig.find("Pod", "orphan")["metadata"].get("ownerReferences") == []
    assert len(rig.pods()) == 2


def test_an_orphan_that_comes_later_is_one_too_many(rig: Workloads) -> None:
    rig.create("ReplicaSet", replica_set(replicas=1))
    rig.settle()
    rig.create(
        "Pod", {"metadata": {"name": "orphan", "labels": LABELS}, "spec": template()["spec"]}
    )
    rig.settle()
    assert len(rig.pods()) == 1


@pytest.mark.parametrize(("policy", "left"), [("Background", 0), ("Foreground", 0), ("Orphan", 3)])
def test_deleting_a_replica_set(rig: Workloads, policy: str, left: int) -> None:
    rig.create("ReplicaSet", replica_set())
    rig.settle()
    rig.delete("ReplicaSet", "rs", propagation=policy)
    rig.settle()
    assert rig.get("ReplicaSet", "rs") is None
    assert len(rig.pods()) == left


def test_a_pod_that_cannot_be_made_is_told_and_tried_again(rig: Workloads) -> None:
    refused = ServerError(500, "InternalError", "no", {})
    rig.fault = lambda verb, plural: refused if (verb, plural) == ("create", "pods") else None
    rig.create("ReplicaSet", replica_set(replicas=1))
    rig.settle()
    assert {reason for reason, _ in rig.told("warning")} == {"FailedCreate"}
    rig.fault = lambda verb, plural: None
    rig.later(1)
    assert len(rig.pods()) == 1


def test_a_conflict_is_tried_again_without_a_word(rig: Workloads) -> None:
    faults = [Conflict(409, "Conflict", "stale", {})]
    rig.fault = lambda verb, _: faults.pop() if verb == "update" and faults else None
    rig.create("ReplicaSet", replica_set(replicas=1))
    rig.settle()
    rig.later(1)
    assert rig.find("ReplicaSet", "rs")["status"]["replicas"] == 1
    assert rig.told("warning") == []
