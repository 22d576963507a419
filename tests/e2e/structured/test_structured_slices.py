"""The slices of the node say what there is, whoever changes or deletes them."""

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.e2e.cluster import kubelet
from tests.support.filecluster import CONTRACT, REGISTERED, FileCluster, claim, file_names
from tests.support.structuredcluster import NODE, pod

SOON = 10.0
"""Seconds in which slices are back; a helper of Go's takes 30 after the last event."""

pytestmark = [pytest.mark.raised, pytest.mark.timeout(300)]


def newest(cluster: FileCluster) -> list[str]:
    """Return the devices that the scheduler sees: those of the newest generation of the pool."""
    slices = cluster.slices()
    generation = max((s["spec"]["pool"]["generation"] for s in slices), default=0)
    current = [s for s in slices if s["spec"]["pool"]["generation"] == generation]
    counts = {s["spec"]["pool"]["resourceSliceCount"] for s in current}
    assert counts == {len(current)}
    return sorted(each["name"] for s in current for each in s["spec"].get("devices", ()))


def forged(generation: int, *devices: str) -> JSON:
    pool = {"name": NODE, "generation": generation, "resourceSliceCount": 1}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": "forged"},
        "spec": {
            "driver": CONTRACT.driver_name,
            "nodeName": NODE,
            "pool": pool,
            "devices": [{"name": each} for each in devices],
        },
    }


def runs(cluster: FileCluster, name: str) -> None:
    """Run a pod with a file."""
    cluster.apply(claim(name), pod(name, name))
    cluster.ready(name)


def test_slices_deleted_by_hand_come_back(files: FileCluster) -> None:
    runs(files, "old")
    before = files.slices()
    files.kubectl.run("delete", "resourceslices", "--all")
    until("slices are back", lambda: newest(files) == file_names(), SOON)
    assert {s["metadata"]["uid"] for s in files.slices()}.isdisjoint(
        s["metadata"]["uid"] for s in before
    )
    runs(files, "new")
    assert files.file_of("new") != files.file_of("old")


@pytest.mark.parametrize("ahead", [0, 1, 7])
def test_forged_slice_of_the_pool_is_put_right(files: FileCluster, ahead: int) -> None:
    (slice_,) = files.slices()
    files.apply(forged(slice_["spec"]["pool"]["generation"] + ahead, "gold"))
    until("the forged slice is gone", lambda: newest(files) == file_names(), SOON)
    until("no other slice", lambda: len(files.slices()) == 1, SOON)
    runs(files, "pod")


def test_emptied_slice_is_filled_again(files: FileCluster) -> None:
    (slice_,) = files.slices()
    name = f"resourceslice/{slice_['metadata']['name']}"
    remove = '[{"op": "replace", "path": "/spec/devices", "value": []}]'
    files.kubectl.run("patch", name, "--type=json", f"--patch={remove}")
    until("all files are back", lambda: newest(files) == file_names(), SOON)
    runs(files, "pod")


def test_slices_are_back_soon_after_the_kubelet_s_start(files: FileCluster) -> None:
    runs(files, "old")
    before = files.log().count(REGISTERED)
    uids = {s["metadata"]["uid"] for s in files.slices()}
    files.machine.restart(kubelet.NAME)
    files.more(REGISTERED, before, 60)
    until("slices are back", lambda: newest(files) == file_names(), SOON)
    runs(files, "new")
    assert files.file_of("new") != files.file_of("old")
    until("the kubelet deleted the old ones", lambda: uids.isdisjoint(uids_of(files)), SOON)
    assert newest(files) == file_names()


def uids_of(cluster: FileCluster) -> set[str]:
    return {s["metadata"]["uid"] for s in cluster.slices()}
