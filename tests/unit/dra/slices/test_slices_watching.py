"""The publisher at work: with its threads, and a watch of the API server."""

import threading
from collections.abc import Callable, Iterator

import pytest

from api.resources import NODES
from devcluster.apiserver.resourceapi import structured
from dra.inventory import Consumption, CounterSet, Device, Inventory
from dra.publish.slices.ports import Site
from dra.publish.slices.watching import selector
from dra.publish.slices.wiring import build
from kube.errors import ConnectFailed, Forbidden
from testing.apiserver import WAIT_SECONDS
from tests.support.slicerig import DRIVER, NODE, SLICES, SliceRig, named


class Living:
    """A publisher with its threads."""

    def __init__(self, rig: SliceRig) -> None:
        self.rig = rig
        self.paused: list[float] = []
        self.pausing = threading.Semaphore(0)
        self.stop = threading.Event()
        self.slices = build(rig.api, rig.told, Site(DRIVER, NODE), sleep=self._sleep)
        self.publisher = self.slices.publisher
        self.threads = [
            threading.Thread(target=self.slices.watch.run, args=(self.stop,)),
            threading.Thread(target=self.publisher.run, args=(self.stop,)),
        ]

    def _sleep(self, _stop: threading.Event, seconds: float) -> None:
        self.paused.append(seconds)
        self.pausing.release()
        self.stop.wait(0.01)

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        self.slices.stop()
        for thread in self.threads:
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

    def until(self, test: Callable[[], object]) -> None:
        with self.rig.api.changed:
            assert self.rig.api.changed.wait_for(test, WAIT_SECONDS), self.rig.slices

    def published(self, *names: str) -> None:
        self.until(lambda: self.rig.devices == [*names])


@pytest.fixture
def living() -> Iterator[Living]:
    rig = SliceRig()
    made = Living(rig)
    yield made
    made.end()


def test_a_wipe_and_a_forgery_are_mended_at_once(living: Living) -> None:
    rig = living.rig
    living.start()
    living.publisher.update(Inventory.of(*named(["gpu-0", "gpu-1"])))
    living.published("gpu-0", "gpu-1")
    rig.api.remove(SLICES, rig.slices[0]["metadata"]["name"])
    living.published("gpu-0", "gpu-1")
    forged = rig.slices[0]
    forged["spec"]["devices"] = [{"name": "gold"}]
    rig.api.rewrite(forged)
    living.published("gpu-0", "gpu-1")


def test_what_is_of_no_pool_any_more_goes_after_a_restart(living: Living) -> None:
    rig = living.rig
    old = {
        "metadata": {"name": "00000-old", "uid": "uid-old"},
        "spec": {
            "driver": DRIVER,
            "nodeName": NODE,
            "pool": {"name": "old", "generation": 3, "resourceSliceCount": 1},
            "devices": [{"name": "gone"}],
        },
    }
    rig.api.put(SLICES, old)
    living.publisher.update(Inventory.of(*named(["gpu-0"])))
    living.start()
    living.published("gpu-0")


def test_the_version_is_looked_up_again_when_it_is_served_no_more(living: Living) -> None:
    rig = living.rig
    served = iter([lambda: rig.api.serve(structured())])

    def change(verb: str, plural: str, _body: object) -> None:
        """Serve another version once the first one was chosen."""
        if (verb, plural) == ("list", "resourceslices"):
            next(served, lambda: None)()

    rig.api.serve(structured(37, "v1beta1"))
    rig.api.fault = change
    living.start()
    living.publisher.update(Inventory.of(*named(["gpu-0"])))
    living.published("gpu-0")
    assert [each["apiVersion"] for each in rig.api.all(SLICES)] == ["resource.k8s.io/v1"]


def test_a_server_without_slices_is_told_once_and_asked_again(
    living: Living, caplog: pytest.LogCaptureFixture
) -> None:
    rig = living.rig
    rig.api.served = ()
    living.start()
    living.publisher.update(Inventory.of(*named(["gpu-0"])))
    for _ in range(7):
        assert living.pausing.acquire(timeout=WAIT_SECONDS)
    assert living.paused[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert [r.message for r in caplog.records] == ["Failed, trying again"]
    rig.api.serve(structured())
    living.published("gpu-0")


def test_a_server_that_is_away_or_refuses_at_the_start_loses_nothing(living: Living) -> None:
    rig = living.rig
    errors = [ConnectFailed("away"), Forbidden(403, "Forbidden", "no"), ConnectFailed("away")]
    rig.api.fault = lambda *_: errors.pop() if errors else None
    living.start()
    living.publisher.update(Inventory.of(*named(["gpu-0"])))
    living.published("gpu-0")
    assert errors == []


def test_what_the_server_stores_is_asked_again_after_the_watch_has_failed(living: Living) -> None:
    rig = living.rig
    taken = (Consumption("card", {"units": "1"}),)
    devices = [Device(name, consumes=taken) for name in ("full", "part")]
    failed: list[str] = []

    def upgrade(verb: str, plural: str, _body: object) -> ConnectFailed | None:
        if (verb, plural) != ("watch", "resourceslices") or failed:
            return None
        failed.append(verb)
        living.published("full")
        rig.api.serve(structured())
        return ConnectFailed("the API server was stopped")

    rig.api.serve(structured(off=["DRAPartitionableDevices"]))
    rig.api.fault = upgrade
    counters = (CounterSet("card", {"units": "1"}),)
    living.publisher.update(Inventory.of(*devices, counters=counters))
    living.start()
    living.published("full", "part")


def test_a_selector_names_driver_and_node() -> None:
    assert selector(DRIVER, NODE) == f"spec.driver={DRIVER},spec.nodeName={NODE}"
    assert selector(DRIVER, NODE, any_node=True) == f"spec.driver={DRIVER}"


def test_the_node_is_read_for_its_uid_only_once(living: Living) -> None:
    rig = living.rig
    living.start()
    for count in (1, 2, 3):
        names = [f"gpu-{number}" for number in range(count)]
        living.publisher.update(Inventory.of(*named(names)))
        living.published(*names)
    assert [call for call in rig.api.calls if call[1] == NODES.plural][1:] == []
