"""A pod has a file with its name in it, as long as it runs; the README's demo and checks."""

import pytest

from testing.waiting import until
from tests.support.filecluster import (
    CONTRACT,
    DIRECTORY,
    NAME,
    SYSTEM,
    V1_ONLY,
    FileCluster,
    claim,
    make,
)
from tests.support.structuredcluster import NODE, pod

DEPLOYMENT = "dra-test-deployment"

pytestmark = [pytest.mark.raised, pytest.mark.timeout(300)]


def pods_of_the_deployment(cluster: FileCluster) -> list[str]:
    found = cluster.kubectl.get("pods", "-l", f"app={DEPLOYMENT}")["items"]
    return [str(each["metadata"]["name"]) for each in found]


def written_by_debuggers(files: FileCluster) -> list[str]:
    """Return the lines that the pods of `kubectl debug node/` have written."""
    pods = (str(each["metadata"]["name"]) for each in files.kubectl.get("pods")["items"])
    ended = [each for each in pods if each.startswith("node-debugger-")]
    return [line for each in ended for line in files.kubectl.run("logs", each).splitlines()]


@V1_ONLY
def test_demo_of_the_readme(files: FileCluster) -> None:
    make(files, "test")
    (name,) = pods_of_the_deployment(files)
    shown = make(files, "check")
    assert name in shown.splitlines()
    assert CONTRACT.driver_name in shown
    assert files.files() == {files.file_of(name): [name]}
    make(files, "clean")
    files.emptied()


@V1_ONLY
def test_manual_checks_of_the_readme(files: FileCluster) -> None:
    make(files, "test")
    (name,) = pods_of_the_deployment(files)
    file = files.file_of(name)
    run = files.kubectl.run
    assert "Prepared" in run("logs", "-n", SYSTEM, "-l", f"app={NAME}")
    assert "file.dra.example.com" in run("get", "resourceslices")
    assert "allocated,reserved" in run("get", "resourceclaims")
    image, path = "--image=busybox:1.36", f"/host{DIRECTORY}/{file}"
    # not attached, since what a container writes before that is lost
    run("debug", f"node/{NODE}", "-q", image, "--", "cat", path)
    until("the file is shown", lambda: name in written_by_debuggers(files))
    assert run("exec", f"deploy/{DEPLOYMENT}", "--", "cat", f"{DIRECTORY}/{file}") == f"{name}\n"


def test_each_pod_has_a_file_of_its_own(files: FileCluster) -> None:
    names = ["one", "two", "three"]
    files.apply(*(claim(each) for each in names), *(pod(each, each) for each in names))
    files.ready(*names)
    assert sorted(files.files().values()) == sorted([each] for each in names)
    assert all(files.seen_in(each) == {files.file_of(each): [each]} for each in names)


def test_pod_with_two_claims_is_in_two_files(files: FileCluster) -> None:
    files.apply(claim("a"), claim("b"), pod("both", "a", "b"))
    files.ready("both")
    seen = files.seen_in("both")
    assert len(seen) == 2
    assert seen == files.files()
    assert set(map(tuple, seen.values())) == {("both",)}


def test_shared_file_has_the_names_of_the_first_prepare(files: FileCluster) -> None:
    files.apply(claim("shared"), pod("first", "shared"))
    files.ready("first")
    files.apply(pod("later", "shared"))
    files.ready("later")
    assert files.seen_in("first") == files.seen_in("later") == files.files()
    assert list(files.files().values()) == [["first"]]
    files.delete("pod/first")
    assert list(files.files().values()) == [["first"]]
    files.delete("pod/later")
    files.emptied()


def test_no_file_is_left_for_one_pod_more(files: FileCluster) -> None:
    names = [f"pod-{number}" for number in range(5)]
    files.apply(*(claim(each) for each in names), *(pod(each, each) for each in names))
    until("four pods run", lambda: sorted(map(files.phase, names)).count("Running") == 4, 60)
    (waiting,) = [each for each in names if files.phase(each) == "Pending"]
    until("told", lambda: files.events(waiting, "FailedScheduling"))
    files.delete(f"pod/{next(each for each in names if each != waiting)}")
    files.ready(waiting)
