"""Whose slices a kubelet deletes, and when."""

import pytest

from devcluster.apiserver.resourceapi import structured
from devcluster.claimapi import STRUCTURED
from devcluster.kubelet.slicewiping import WIPE_SECONDS, SliceWiping
from kube.errors import ConnectFailed
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.structuredobjects import a_slice

SLICES = STRUCTURED.slices


@pytest.fixture
def api() -> MemoryApi:
    api = MemoryApi(api=structured(37))
    for driver in ("a", "b"):
        pool = {"name": f"of-{driver}", "generation": 1, "resourceSliceCount": 1}
        for node in ("node-1", "node-2"):
            name = f"{driver}-{node}"
            api.create(SLICES, a_slice(name, driver=driver, nodeName=node, pool=pool))
    return api


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def wiping(api: MemoryApi, clock: Clock) -> SliceWiping:
    return SliceWiping(api, SLICES, "node-1", clock)


def left(api: MemoryApi) -> list[str]:
    return sorted(each["metadata"]["name"] for each in api.all(SLICES))


def test_all_slices_of_the_node_go_at_first(api: MemoryApi, wiping: SliceWiping) -> None:
    wiping.look()
    assert left(api) == ["a-node-2", "b-node-2"]


def test_what_fails_is_done_later(api: MemoryApi, wiping: SliceWiping) -> None:
    failures = iter([ConnectFailed("away")])
    api.fault = lambda *_: next(failures, None)
    wiping.look()
    assert len(left(api)) == 4
    wiping.look()
    assert left(api) == ["a-node-2", "b-node-2"]


@pytest.mark.parametrize("back", [False, True])
def test_slices_of_a_driver_that_has_left_go_unless_it_comes_back(
    api: MemoryApi, wiping: SliceWiping, clock: Clock, *, back: bool
) -> None:
    api.fault = lambda verb, *_: ConnectFailed("away") if verb == "list" else None
    wiping.look()
    api.fault = lambda *_: None
    wiping.came("")
    wiping.left("a")
    clock.now += WIPE_SECONDS - 1
    wiping.look()
    assert len(left(api)) == 4
    if back:
        wiping.came("a")
    clock.now += 2
    wiping.look()
    assert left(api) == [
        *([] if not back else ["a-node-1"]),
        "a-node-2",
        "b-node-1",
        "b-node-2",
    ]
