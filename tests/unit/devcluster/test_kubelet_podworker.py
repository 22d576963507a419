"""A pod worker: the order of claims, containers, status and deletion."""

import threading
from pathlib import Path

import pytest

from devcluster.kubelet.podworker import BACKOFF, CREATE_RETRY, RESYNC, SHORTEST_GRACE
from kube.errors import Conflict, ConnectFailed, KubeError, NotFound
from tests.support.podrig import ADDRESS, PodRig, bound_pod, container
from tests.support.tables import cases


@pytest.fixture
def rig(tmp_path: Path) -> PodRig:
    return PodRig(tmp_path, bound_pod())


def test_claims_are_prepared_before_the_containers_start(rig: PodRig) -> None:
    assert rig.settle() == RESYNC
    assert rig.claims.calls == [("prepare", "uid-pod")]
    assert [list(p.launch.argv) for p in rig.runtime.started] == [["run"]]
    assert rig.events.reasons == ["Created", "Started"]
    assert rig.status["phase"] == "Running"
    assert rig.status["podIP"] == ADDRESS
    assert rig.containers()["main"]["state"].keys() == {"running"}


def test_the_pod_shows_that_it_is_being_created_before_its_claims_are_there(rig: PodRig) -> None:
    rig.claims.broken = "no plugin"
    rig.worker.step()
    assert rig.status["phase"] == "Pending"
    assert rig.containers()["main"]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert "podIP" not in rig.status


def test_a_failed_prepare_is_an_event_and_is_tried_again_ever_more_slowly(rig: PodRig) -> None:
    rig.claims.broken = "claim is not reserved"
    pauses = [rig.worker.step() for _ in range(8)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, BACKOFF.longest, BACKOFF.longest, BACKOFF.longest]
    kind, reason, text = rig.events.seen[0]
    assert (kind, reason) == ("Warning", "FailedPrepareDynamicResources")
    assert text == "Failed to prepare dynamic resources: claim is not reserved"
    assert rig.runtime.started == []


def test_a_pod_goes_on_as_soon_as_prepare_works_and_the_back_off_begins_anew(rig: PodRig) -> None:
    rig.claims.broken = "no plugin"
    rig.worker.step()
    rig.claims.broken = ""
    rig.settle()
    assert len(rig.runtime.started) == 1
    rig.pods.fault = ConnectFailed("no connection")
    rig.runtime.started[0].end(0)
    rig.clock.now += 100
    assert rig.worker.step() == 1.0


def test_init_containers_run_one_by_one_and_before_the_others(tmp_path: Path) -> None:
    inits = [container("first", "a"), container("second", "b")]
    rig = PodRig(tmp_path, bound_pod(initContainers=inits))
    order = []
    for _ in range(2):
        rig.settle()
        order.append(rig.runtime.started[-1].launch.argv[0])
        assert rig.status["phase"] == "Pending"
        rig.runtime.started[-1].end(0)
    rig.settle()
    assert [*order, rig.runtime.started[-1].launch.argv[0]] == ["a", "b", "run"]
    assert rig.containers("initContainerStatuses").keys() == {"first", "second"}
    assert rig.status["phase"] == "Running"


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        ("Never", 0, "Succeeded"),
        ("Never", 3, "Failed"),
        ("OnFailure", 0, "Succeeded"),
        ("OnFailure", 3, "Running"),
        ("Always", 0, "Running"),
    ],
)
def test_restart_policy(tmp_path: Path, policy: str, code: int, phase: str) -> None:
    rig = PodRig(tmp_path, bound_pod(restartPolicy=policy))
    rig.settle()
    rig.runtime.started[0].end(code)
    rig.settle()
    assert rig.status["phase"] == phase
    assert len(rig.runtime.started) == (2 if phase == "Running" else 1)


def test_a_finished_pod_is_unprepared_before_its_phase_is_published(tmp_path: Path) -> None:
    rig = PodRig(tmp_path, bound_pod(restartPolicy="Never"))
    rig.settle()
    rig.runtime.started[0].end(0)
    rig.claims.broken = "plugin is away"
    rig.settle()
    assert rig.status["phase"] == "Running"
    assert "unprepare" not in " ".join(rig.events.reasons).lower()
    rig.claims.broken = ""
    rig.settle()
    assert rig.status["phase"] == "Succeeded"


def test_crashes_restart_at_once_then_after_ever_longer_pauses(tmp_path: Path) -> None:
    rig = PodRig(tmp_path, bound_pod())
    pauses = []
    for _ in range(4):
        pauses.append(rig.settle())
        if rig.runtime.started[-1].exit is not None:
            rig.clock.now += pauses[-1] or 0.0
            rig.settle()
        rig.runtime.started[-1].end(1)
    pauses.append(rig.settle())
    assert pauses == [RESYNC, RESYNC, 10.0, 20.0, 40.0]


def test_a_container_that_waits_for_its_restart_says_so_once(rig: PodRig) -> None:
    for _ in range(2):
        rig.settle()
        rig.runtime.started[-1].end(7)
    rig.settle()
    rig.settle()
    status = rig.containers()["main"]
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert status["restartCount"] == 1
    assert rig.events.reasons.count("BackOff") == 1
    assert rig.status["phase"] == "Running"


def test_each_run_has_a_log_and_only_the_last_two_are_kept(rig: PodRig) -> None:
    for run in range(4):
        rig.clock.now += 400
        rig.settle()
        process = rig.runtime.started[run]
        process.launch.log.parent.mkdir(parents=True, exist_ok=True)
        process.launch.log.write_text("x")
        process.end(1)
    assert [p.launch.log.name for p in rig.runtime.started] == ["0.log", "1.log", "2.log", "3.log"]
    assert rig.directories.pod("uid-pod").runs("main") == [2, 3]


def test_a_command_that_does_not_exist_counts_as_a_failed_run(tmp_path: Path) -> None:
    rig = PodRig(tmp_path, bound_pod(container("main", "missing"), restartPolicy="Never"))
    rig.settle()
    ended = rig.containers()["main"]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert rig.status["phase"] == "Failed"
    assert rig.events.reasons == ["Created", "Failed"]


def test_a_cdi_id_that_nothing_defines_keeps_the_container_waiting(rig: PodRig) -> None:
    rig.claims.ids = ("vendor.com/gpu=none",)
    assert rig.settle() == CREATE_RETRY
    waiting = rig.containers()["main"]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerError"
    assert "unresolvable CDI devices vendor.com/gpu=none" in waiting["message"]
    assert rig.events.reasons == ["Failed"]
    rig.claims.ids = ()
    rig.clock.now += CREATE_RETRY
    rig.settle()
    assert len(rig.runtime.started) == 1
    assert rig.containers()["main"]["restartCount"] == 0


def test_deletion_stops_unprepares_publishes_and_deletes_in_this_order(rig: PodRig) -> None:
    rig.settle()
    rig.delete()
    rig.worker.step()
    assert rig.runtime.started[0].exit is not None
    assert rig.claims.calls == [("prepare", "uid-pod")]
    assert rig.settle() is None
    assert rig.claims.calls[-1] == ("unprepare", "uid-pod")
    assert rig.verbs[-2:] == ["patch", "delete"]
    assert rig.pods.log[-1] == ("delete", ("uid-pod", 0))
    assert rig.pods.log[-2][1]["phase"] == "Failed"
    assert "Killing" in rig.events.reasons
    assert not rig.directories.pod("uid-pod").path.exists()


def test_a_pod_stays_until_its_claims_are_unprepared(rig: PodRig) -> None:
    rig.settle()
    rig.claims.broken = "plugin is away"
    rig.delete()
    rig.worker.step()
    assert [rig.worker.step() for _ in range(3)] == [1.0, 2.0, 4.0]
    assert "delete" not in rig.verbs
    assert rig.claims.calls.count(("unprepare", "uid-pod")) == 3
    rig.claims.broken = ""
    assert rig.settle() is None
    assert rig.verbs[-1] == "delete"


def test_a_container_that_ignores_sigterm_is_killed_after_the_grace_period(rig: PodRig) -> None:
    rig.settle()
    process = rig.runtime.started[0]
    process.obeys = False
    rig.delete(grace=20)
    assert rig.worker.step() == 20.0
    rig.clock.now += 15.0
    assert rig.worker.step() == 5.0
    assert process.exit is None
    rig.clock.now += 5.0
    rig.worker.step()
    assert process.exit is not None
    assert process.exit.code == 137
    assert rig.settle() is None
    assert rig.events.reasons.count("Killing") == 1


def test_a_second_deletion_may_shorten_the_grace_period(rig: PodRig) -> None:
    rig.settle()
    rig.runtime.started[0].obeys = False
    rig.delete(grace=30)
    rig.worker.step()
    rig.delete(grace=1)
    assert rig.worker.step() == SHORTEST_GRACE


def test_a_pod_that_was_deleted_by_force_is_stopped_and_unprepared(rig: PodRig) -> None:
    rig.settle()
    rig.pods.pod = None
    rig.worker.remove()
    rig.worker.step()
    assert rig.settle() is None
    assert rig.claims.calls[-1] == ("unprepare", "uid-pod")
    assert rig.verbs[-1] == "patch"


def test_a_pod_that_is_deleted_before_it_starts_never_starts(rig: PodRig) -> None:
    rig.delete()
    assert rig.settle() is None
    assert rig.runtime.started == []
    assert rig.claims.calls == [("unprepare", "uid-pod")]


@cases(("ends", "phase"), {"fine": ([0, 0], "Succeeded"), "one-failed": ([0, 1], "Failed")})
def test_the_phase_of_a_finished_pod_outlives_its_deletion(
    tmp_path: Path, ends: list[int], phase: str
) -> None:
    pod = bound_pod(container("a"), container("b"), restartPolicy="Never")
    rig = PodRig(tmp_path, pod)
    rig.settle()
    for process, code in zip(rig.runtime.started, ends, strict=True):
        process.end(code)
    rig.settle()
    assert rig.status["phase"] == phase
    rig.delete()
    assert rig.settle() is None
    assert [s["phase"] for v, s in rig.pods.log if v == "patch" and "phase" in s][-1] == phase


def test_a_pod_that_had_ended_before_a_restart_of_the_kubelet_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    pod = bound_pod()
    pod["status"] = {"phase": "Failed", "containerStatuses": []}
    rig = PodRig(tmp_path, pod)
    assert rig.settle() == RESYNC
    assert rig.claims.calls == [("unprepare", "uid-pod")]
    assert rig.pods.log == []
    assert rig.runtime.started == []


@cases(
    "error",
    {
        "gone": NotFound(404, "NotFound", "gone"),
        "same-name-other-pod": Conflict(409, "Conflict", "other uid"),
    },
)
def test_a_pod_that_vanishes_during_its_deletion_is_fine(rig: PodRig, error: KubeError) -> None:
    rig.settle()
    rig.pods.delete_fault = error
    rig.delete()
    rig.worker.step()
    assert rig.settle() is None
    assert rig.claims.calls[-1] == ("unprepare", "uid-pod")


def test_run_ends_when_it_is_stopped_and_leaves_the_claims(rig: PodRig) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=rig.worker.run, args=(stop,))
    thread.start()
    stop.set()
    rig.worker.wake()
    thread.join(5)
    assert not thread.is_alive()
    assert ("unprepare", "uid-pod") not in rig.claims.calls
