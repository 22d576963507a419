"""Whatever restarts on a node, pods keep their files and new pods get others."""

import os
import signal
from contextlib import suppress

import pytest

from testing.waiting import until
from tests.e2e.cluster import footprint
from tests.support.filecluster import NAME, SYSTEM, FileCluster, claim
from tests.support.kubectl import KubectlFailed
from tests.support.nodeevents import NODE_EVENTS, Event
from tests.support.structuredcluster import PATIENCE, pod

OLD = ("one", "both")

pytestmark = [pytest.mark.raised, pytest.mark.timeout(500)]


def replaced(cluster: FileCluster) -> None:
    """Delete the driver's pod, and wait until another one works."""
    (old,) = cluster.driver_pods()
    name, uid = old["metadata"]["name"], old["metadata"]["uid"]
    cluster.kubectl.run("delete", "pod", "-n", SYSTEM, name, "--force", "--grace-period=0")
    until("another pod", lambda: uid not in [p["metadata"]["uid"] for p in cluster.driver_pods()])
    cluster.rolled_out(f"daemonset/{NAME}", SYSTEM)


def killed(cluster: FileCluster) -> None:
    """Kill the driver's process, and wait until the kubelet has started another one."""
    (before,) = cluster.pids()
    os.kill(before, signal.SIGKILL)
    until("another process", lambda: cluster.pids() not in ([], [before]), 60)
    cluster.rolled_out(f"daemonset/{NAME}", SYSTEM)


EVENTS: tuple[Event[FileCluster], ...] = (
    Event("driver", replaced),
    Event("driver-killed", killed),
    *NODE_EVENTS,
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_pods_keep_their_files(files: FileCluster, event: Event[FileCluster]) -> None:
    files.apply(claim("one"), claim("a"), claim("b"))
    files.apply(pod("one", "one"), pod("both", "a", "b"))
    files.ready(*OLD)
    lent = files.files()
    assert sorted(lent.values()) == [["both"], ["both"], ["one"]]
    containers = {name: files.container(name)["containerID"] for name in OLD}

    event.happen(files)

    if event.ends_pods:
        until("pods run anew", lambda: all(files.anew(n, containers[n]) for n in OLD), PATIENCE)
    files.ready(*OLD, seconds=PATIENCE)
    same = [files.container(name)["containerID"] == containers[name] for name in OLD]
    assert same == [not event.ends_pods] * len(OLD)
    assert files.files() == lent
    until("containers see their files", lambda: seen(files) == lent)

    files.apply(claim("new"), pod("new", "new"))
    files.ready("new", seconds=PATIENCE)
    assert files.file_of("new") not in lent
    files.offered()


def seen(cluster: FileCluster) -> dict[str, list[str]]:
    """Return the files in the containers; a kubelet that has just started knows no pod yet."""
    return {file: lines for name in OLD for file, lines in cluster.seen_in(name).items()}


def test_container_restarts_after_the_cdi_directory_was_emptied(files: FileCluster) -> None:
    """The kubelet asks for no device again: its containers name those that it was told of."""
    files.apply(claim("c"), pod("pod", "c"))
    files.ready("pod")
    kept = files.cdi_files()
    old = files.container("pod")["containerID"]
    footprint.empty(files.machine.cdi_dir)
    with suppress(KubectlFailed):  # the command itself may die with the container
        files.kubectl.run("exec", "pod", "--", "kill", "1")
    until("another container", lambda: files.anew("pod", old), PATIENCE)
    assert files.cdi_files() == kept
    assert files.seen_in("pod") == {files.file_of("pod"): ["pod"]}


def test_claim_that_went_while_driver_and_kubelet_were_down_is_unprepared(
    files: FileCluster,
) -> None:
    """The kubelet has forgotten it too, as after a replacement of its state."""
    files.apply(claim("c"), pod("pod", "c"))
    files.ready("pod")
    assert list(files.files().values()) == [["pod"]]
    with files.kubelet_down():
        kill(files)
        files.kubectl.run("delete", "pod/pod", "--force", "--grace-period=0")
        files.delete("resourceclaim/c")
        (files.machine.kubelet_root / "dra_manager_state").unlink()
    files.emptied(PATIENCE)


def test_driver_killed_at_work_leaves_no_name(files: FileCluster) -> None:
    names = [f"pod-{number}" for number in range(3)]
    files.apply(*(claim(each) for each in names), *(pod(each, each) for each in names))
    kill(files)
    files.ready(*names, seconds=PATIENCE)
    assert sorted(files.files().values()) == [[each] for each in names]
    files.kubectl.run("delete", "--wait=false", *(f"pod/{each}" for each in names))
    kill(files)
    files.delete(*(f"pod/{each}" for each in names), seconds=PATIENCE)
    files.emptied(PATIENCE)


def kill(cluster: FileCluster) -> None:
    """Kill the driver; the kubelet starts it again, after a while if that happens often."""
    for process in cluster.pids():
        os.kill(process, signal.SIGKILL)
