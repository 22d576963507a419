"""Jobs: how many pods, when they are over, and what is counted once only."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.conditions import condition_of
from api.objects import JSON
from devcluster.workloads.jobplan import FINALIZER, Tally, counted, end_of, pause, wanted_pods
from kube.errors import ServerError
from tests.support.tables import cases
from tests.support.workloadrig import Workloads, job

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


@cases(
    ("spec", "numbers", "wanted"),
    {
        "parallel": ({"completions": 5, "parallelism": 2}, Tally(0, 0, 0), 2),
        "last one": ({"completions": 5, "parallelism": 2}, Tally(1, 4, 0), 1),
        "no more than needed": ({"completions": 1, "parallelism": 9}, Tally(0, 0, 3), 1),
        "more than needed": ({"completions": 2, "parallelism": 2}, Tally(0, 3, 0), 0),
        "queue": ({"parallelism": 3}, Tally(1, 0, 0), 3),
        "queue ends": ({"parallelism": 3}, Tally(2, 1, 0), 2),
        "suspended": ({"parallelism": 3, "suspend": True}, Tally(3, 0, 0), 0),
    },
)
def test_how_many_pods_are_to_be_active(spec: JSON, numbers: Tally, wanted: int) -> None:
    assert wanted_pods(spec, numbers) == wanted


FAILED, COMPLETE = "BackoffLimitExceeded", "Complete"


@pytest.mark.parametrize(
    ("policy", "spec", "numbers", "end"),
    [
        ("Never", {"completions": 2}, Tally(0, 2, 6), COMPLETE),
        ("Never", {"completions": 2}, Tally(1, 1, 6), ""),
        ("Never", {"completions": 0}, Tally(0, 0, 0), COMPLETE),
        ("Never", {}, Tally(1, 1, 0), ""),
        ("Never", {}, Tally(0, 1, 0), COMPLETE),
        ("Never", {"completions": 1}, Tally(0, 0, 7), FAILED),
        ("Never", {"completions": 1}, Tally(1, 0, 0, 9), ""),
        ("OnFailure", {"completions": 1}, Tally(1, 0, 0, 5), ""),
        ("OnFailure", {"completions": 1}, Tally(1, 0, 0, 6), FAILED),
        ("OnFailure", {"completions": 1, "backoffLimit": 0}, Tally(1, 0, 0, 0), ""),
        ("OnFailure", {"completions": 1, "backoffLimit": 0}, Tally(1, 0, 0, 1), FAILED),
        ("Never", {"completions": 1, "activeDeadlineSeconds": 11}, Tally(1, 0, 0), ""),
        (
            "Never",
            {"completions": 1, "activeDeadlineSeconds": 10},
            Tally(1, 0, 0),
            "DeadlineExceeded",
        ),
    ],
)
def test_how_a_job_ends(policy: str, spec: JSON, numbers: Tally, end: str) -> None:
    own = job(policy=policy, **{"backoffLimit": 6, "parallelism": 1, **spec})
    found = end_of({**own, "status": {"startTime": "2024-05-01T11:59:50Z"}}, numbers, NOW)
    assert ((found or {}).get("reason") or (found or {}).get("type") or "") == end


def pod(uid: str, phase: str, *, tracked: bool = True, deleted: bool = False) -> JSON:
    meta: JSON = {"uid": uid, "finalizers": [FINALIZER] if tracked else []}
    at = {"deletionTimestamp": "2024-05-01T12:00:00Z"} if deleted else {}
    return {"metadata": meta | at, "status": {"phase": phase}}


@cases(
    ("before", "pods", "numbers", "waiting"),
    {
        "runs": ((0, [], 0, []), [pod("a", "Running")], (0, 0), ([], [])),
        "ended": ((0, [], 0, []), [pod("a", "Succeeded")], (0, 0), (["a"], [])),
        "noted": ((0, ["a"], 0, []), [pod("a", "Succeeded")], (0, 0), (["a"], [])),
        "released": ((0, ["a"], 0, []), [pod("a", "Succeeded", tracked=False)], (1, 0), ([], [])),
        "deleted": ((0, ["a"], 0, []), [], (1, 0), ([], [])),
        "once": ((1, [], 0, []), [pod("a", "Succeeded", tracked=False)], (1, 0), ([], [])),
        "both": ((2, [], 1, ["b"]), [pod("c", "Failed")], (2, 2), ([], ["c"])),
        "deleted early": ((0, [], 0, []), [pod("a", "Running", deleted=True)], (0, 0), ([], ["a"])),
        "stays failed": (
            (0, [], 0, ["a"]),
            [pod("a", "Succeeded", deleted=True)],
            (0, 0),
            ([], ["a"]),
        ),
    },
)
def test_every_end_is_counted_once(
    before: tuple[int, list[str], int, list[str]],
    pods: list[JSON],
    numbers: tuple[int, int],
    waiting: tuple[list[str], list[str]],
) -> None:
    succeeded, of_success, failed, of_failure = before
    uncounted = {"succeeded": of_success, "failed": of_failure}
    status = {"succeeded": succeeded, "failed": failed, "uncountedTerminatedPods": uncounted}
    after = counted(status, pods)
    left = after["uncountedTerminatedPods"]
    assert (after.get("succeeded", 0), after.get("failed", 0)) == numbers
    assert (left.get("succeeded", []), left.get("failed", [])) == waiting


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [([], 0), ([0], 10), ([4], 6), ([30, 4], 16), ([0] * 20, 600), ([11], 0)],
)
def test_pause_after_failures(failures: list[int], seconds: float) -> None:
    def failed(ago: int) -> JSON:
        at = datetime.fromtimestamp(NOW.timestamp() - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"status": {"containerStatuses": [{"state": {"terminated": {"finishedAt": at}}}]}}

    assert pause([failed(ago) for ago in failures], NOW) == seconds


@pytest.fixture
def rig() -> Workloads:
    return Workloads()


def status_of(rig: Workloads, name: str = "job") -> JSON:
    found: JSON = rig.find("Job", name)["status"]
    return found


def begun(rig: Workloads, **spec: Any) -> list[JSON]:
    rig.create("Job", job(**spec))
    rig.settle()
    rig.run()
    return rig.pods()


def test_a_job_completes(rig: Workloads) -> None:
    first, second = begun(rig, completions=3, parallelism=2)
    assert (status_of(rig)["active"], status_of(rig)["ready"]) == (2, 2)
    assert status_of(rig)["startTime"] == "2024-05-01T12:00:00Z"
    rig.now.advance(5)
    rig.end(first, second)
    assert status_of(rig)["succeeded"] == 2
    (third,) = [p for p in rig.pods() if p["status"]["phase"] == "Pending"]
    rig.end(third)
    status = status_of(rig)
    assert (status["succeeded"], status["completionTime"]) == (3, "2024-05-01T12:00:05Z")
    assert condition_of(rig.find("Job", "job"), "Complete")["status"] == "True"
    assert "active" not in status
    assert status["uncountedTerminatedPods"] == {}
    assert [p["metadata"]["finalizers"] for p in rig.pods()] == [[]] * 3
    assert ("Completed", "Job completed") in rig.told()


def test_who_sees_the_end_sees_all_numbers(rig: Workloads) -> None:
    seen: list[JSON] = []
    rig.storage.listen(lambda event: seen.append(event.stored.obj) if event.stored else None)
    rig.end(*begun(rig))
    ends = [
        obj["status"] for obj in seen if obj["kind"] == "Job" and obj["status"].get("conditions")
    ]
    assert [status["succeeded"] for status in ends] == [1] * len(ends)
    assert ends


def test_a_pod_that_is_deleted_after_its_success_still_counts(rig: Workloads) -> None:
    first, second = begun(rig, completions=2, parallelism=2)
    rig.end(first)
    rig.delete("Pod", first["metadata"]["name"])
    rig.settle()
    assert (len(rig.all("Pod")), status_of(rig)["succeeded"]) == (1, 1)
    rig.end(second)
    assert status_of(rig)["succeeded"] == 2


def test_a_pod_that_is_deleted_while_it_runs_is_a_failure_and_is_replaced(rig: Workloads) -> None:
    (first,) = begun(rig)
    rig.delete("Pod", first["metadata"]["name"])
    rig.settle()
    (second,) = rig.all("Pod")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert status_of(rig)["failed"] == 1


def test_a_job_fails_at_its_limit(rig: Workloads) -> None:
    (first,) = begun(rig, backoffLimit=1)
    rig.end(first, phase="Failed")
    assert len(rig.pods()) == 1
    rig.later(10)
    (second,) = [p for p in rig.pods() if p["status"]["phase"] == "Pending"]
    rig.end(second, phase="Failed")
    failed = condition_of(rig.find("Job", "job"), "Failed")
    assert (failed["status"], failed["reason"]) == ("True", "BackoffLimitExceeded")
    assert failed["message"] == "Job has reached the specified backoff limit"
    assert status_of(rig)["failed"] == 2
    rig.later(600)
    assert len(rig.pods()) == 2


def test_a_job_that_takes_too_long_ends_with_its_pods(rig: Workloads) -> None:
    begun(rig, activeDeadlineSeconds=60)
    rig.later(60)
    assert condition_of(rig.find("Job", "job"), "Failed")["reason"] == "DeadlineExceeded"
    assert rig.pods() == []
    assert [reason for reason, _ in rig.told("warning")] == ["DeadlineExceeded"]


def test_a_finished_job_is_deleted_in_its_time(rig: Workloads) -> None:
    rig.end(*begun(rig, ttlSecondsAfterFinished=30))
    rig.later(29)
    assert rig.get("Job", "job")
    rig.later(1)
    assert (rig.get("Job", "job"), rig.all("Pod")) == (None, [])


def test_a_suspended_job_has_no_pods_and_goes_on_later(rig: Workloads) -> None:
    begun(rig)
    rig.patch("Job", "job", {"spec": {"suspend": True}})
    assert rig.pods() == []
    assert condition_of(rig.find("Job", "job"), "Suspended")["status"] == "True"
    rig.patch("Job", "job", {"spec": {"suspend": False}})
    assert len(rig.pods()) == 1
    assert condition_of(rig.find("Job", "job"), "Suspended")["reason"] == "JobResumed"


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_deleting_a_job_lets_its_pods_go(rig: Workloads, policy: str) -> None:
    begun(rig, completions=2, parallelism=2)
    rig.delete("Job", "job", propagation=policy)
    rig.settle()
    assert (rig.all("Job"), rig.all("Pod")) == ([], [])


def test_a_write_that_fails_loses_no_count(rig: Workloads) -> None:
    (first,) = begun(rig)
    lost = ServerError(500, "InternalError", "no", {})
    rig.fault = lambda verb, plural: lost if (verb, plural) == ("patch", "pods") else None
    rig.end(first)
    rig.fault = lambda verb, plural: None
    rig.later(1)
    assert status_of(rig)["succeeded"] == 1
    assert condition_of(rig.find("Job", "job"), "Complete")
