"""While the driver is updated, a new instance serves before the old one ends."""

import pytest

from testing.waiting import until
from tests.support.filecluster import NAME, SYSTEM, FileCluster, claim, pod

pytestmark = [pytest.mark.raised, pytest.mark.timeout(300)]


def finished(cluster: FileCluster) -> bool:
    status = cluster.kubectl.get("-n", SYSTEM, f"daemonset/{NAME}")
    wanted = status["metadata"]["generation"] == status["status"]["observedGeneration"]
    return bool(wanted and status["status"].get("updatedNumberScheduled") == 1) and bool(
        status["status"].get("numberAvailable") == 1 and len(cluster.pids()) == 1
    )


def test_no_prepare_fails_during_a_rolling_update(files: FileCluster) -> None:
    files.apply(claim("kept"), pod("kept", "kept"))
    files.ready("kept")
    (old,) = files.driver_pods()
    files.kubectl.run("rollout", "restart", "-n", SYSTEM, f"daemonset/{NAME}")
    made: list[str] = []
    most = 0
    while not finished(files) or old["metadata"]["uid"] in uids(files):
        most = max(most, len(files.pids()))
        made.append(f"pod-{len(made)}")
        files.apply(claim(made[-1]), pod(made[-1], made[-1]))
        files.ready(made[-1])
        assert files.seen_in(made[-1]) == {files.file_of(made[-1]): [made[-1]]}
        files.delete(f"pod/{made[-1]}", f"resourceclaim/{made[-1]}")
    assert most == 2
    assert len(made) >= 2
    assert [files.cannot_prepare(name) for name in made] == [[]] * len(made)
    assert files.files() == {files.file_of("kept"): ["kept"]}
    files.delete("pod/kept")
    until("the name is gone", lambda: not files.files())


def uids(cluster: FileCluster) -> list[str]:
    return [str(each["metadata"]["uid"]) for each in cluster.driver_pods()]
