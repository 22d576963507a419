"""While the driver is updated, a new instance serves before the old one ends."""

import threading

import pytest

from testing.waiting import until
from tests.support.filecluster import NAME, SYSTEM, FileCluster, claim
from tests.support.structuredcluster import pod

pytestmark = [pytest.mark.raised, pytest.mark.timeout(300)]


def finished(cluster: FileCluster) -> bool:
    status = cluster.kubectl.get("-n", SYSTEM, f"daemonset/{NAME}")
    wanted = status["metadata"]["generation"] == status["status"]["observedGeneration"]
    return bool(wanted and status["status"].get("updatedNumberScheduled") == 1) and bool(
        status["status"].get("numberAvailable") == 1 and len(cluster.pids()) == 1
    )


@pytest.mark.since(33, "kubelets know one instance of a driver only")
def test_no_prepare_fails_during_a_rolling_update(files: FileCluster) -> None:
    files.apply(claim("kept"), pod("kept", "kept"))
    files.ready("kept")
    (old,) = files.driver_pods()
    files.kubectl.run("rollout", "restart", "-n", SYSTEM, f"daemonset/{NAME}")
    made: list[str] = []
    over, counts = threading.Event(), [0]
    watching = threading.Thread(target=count, args=(files, over, counts), daemon=True)
    watching.start()
    while not finished(files) or old["metadata"]["uid"] in uids(files):
        # names of no other test, whose events are still there
        made.append(f"rolled-{len(made)}")
        files.apply(claim(made[-1]), pod(made[-1], made[-1]))
        files.ready(made[-1])
        assert files.seen_in(made[-1]) == {files.file_of(made[-1]): [made[-1]]}
        files.delete(f"pod/{made[-1]}", f"resourceclaim/{made[-1]}")
    over.set()
    watching.join()
    assert max(counts) == 2
    assert made
    assert [files.cannot_prepare(name) for name in made] == [[]] * len(made)
    assert files.files() == {files.file_of("kept"): ["kept"]}
    files.delete("pod/kept")
    until("the name is gone", lambda: not files.files())


def count(cluster: FileCluster, over: threading.Event, counts: list[int]) -> None:
    """Note again and again how many processes of the driver there are."""
    while not over.wait(0.1):
        counts.append(len(cluster.pids()))


def uids(cluster: FileCluster) -> list[str]:
    return [str(each["metadata"]["uid"]) for each in cluster.driver_pods()]
