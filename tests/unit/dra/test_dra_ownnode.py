"""What drivers are told of their Node, and when: on the API server of tests."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.objects import JSON
from api.resources import NODES
from dra.inventory import Effect, Inventory, Taint
from kube.errors import ConnectFailed, Forbidden, KubeError
from testing.apiserver import Fault
from testing.waiting import until
from tests.support.driverrig import NODE, SLICES, DriverRig, Gpus, devices

DAMP = Taint("damp", Effect.NO_SCHEDULE)


class Reader(Gpus):
    """A driver whose devices are tainted while its Node is annotated as damp.

    Attributes:
        told: all annotations, each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Mapping[str, str]] = []

    def node_changed(self, annotations: Mapping[str, str]) -> None:
        self._instead("node_changed", annotations, lambda: None)
        self.told.append(annotations)

    def discover(self) -> Inventory:
        (pool,) = devices(2).pools
        taints = (DAMP,) if self.told and "damp" in self.told[-1] else ()
        return Inventory.of(*(replace(each, taints=taints) for each in pool.devices))


@pytest.fixture
def rig(short_path: Path) -> Iterator[DriverRig]:
    made = DriverRig(short_path, Reader())
    yield made
    made.stop()


def annotate(rig: DriverRig, **annotations: str | None) -> None:
    """Change annotations of the Node as kubectl does; None removes one."""
    rig.api.patch(NODES, NODE, {"metadata": {"annotations": annotations}})


def told(rig: DriverRig) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = rig.driver.told
    return found


def taints(rig: DriverRig) -> list[list[str]]:
    """Return the keys of the taints of each published device."""
    published = [each for found in rig.api.all(SLICES) for each in found["spec"]["devices"]]
    return [[t["key"] for t in each.get("taints", ())] for each in published]


def nodes(error: KubeError) -> Fault:
    """Return what fails requests that list or watch Nodes."""

    def fault(verb: str, plural: str, _body: JSON | list[JSON] | None) -> KubeError | None:
        return error if plural == "nodes" and verb != "get" else None

    return fault


def test_annotations_are_told_before_the_devices_are_published(rig: DriverRig) -> None:
    annotate(rig, damp="yes")
    with rig:
        until("the devices", lambda: rig.plugin.readiness_checks()["slices"]() is None)
        assert taints(rig) == [["damp"], ["damp"]]
        assert [each for each in rig.api.writes() if "resourceslices" in each] == [
            ("create", "resourceslices")
        ]
    assert told(rig) == [{"damp": "yes"}]


def test_what_the_driver_publishes_waits_for_its_node(rig: DriverRig) -> None:
    problems: list[str | None] = []

    def publish(_annotations: Mapping[str, str]) -> None:
        rig.plugin.publish()
        problems.append(rig.plugin.readiness_checks()["slices"]())

    annotate(rig, damp="yes")
    rig.driver.does["node_changed"] = publish
    with rig:
        until("the devices", lambda: taints(rig) == [["damp"], ["damp"]])
    assert problems == ["devices: not known yet"]


def test_changed_annotations_are_told_and_the_devices_published(rig: DriverRig) -> None:
    with rig:
        until("the devices", lambda: taints(rig) == [[], []])
        for shelf in range(20):
            rig.api.patch(NODES, NODE, {"metadata": {"labels": {"shelf": f"{shelf}"}}})
        annotate(rig, damp="yes")
        until("the taint", lambda: taints(rig) == [["damp"], ["damp"]])
        annotate(rig, damp=None)
        until("none", lambda: taints(rig) == [[], []])
    assert told(rig) == [{}, {"damp": "yes"}, {}]


def test_a_node_that_is_deleted_has_no_annotations(rig: DriverRig) -> None:
    annotate(rig, damp="yes")
    with rig:
        until("the first", lambda: told(rig) == [{"damp": "yes"}])
        rig.api.remove(NODES, NODE)
        until("the second", lambda: told(rig) == [{"damp": "yes"}, {}])


def test_a_start_does_not_wait_for_the_api_server(rig: DriverRig) -> None:
    annotate(rig, damp="yes")
    rig.api.fault = nodes(ConnectFailed("away"))
    with rig:
        assert not rig.prepare(rig.claim("claim", "gpu-0"))["claim"].error
        assert (told(rig), rig.api.all(SLICES)) == ([], [])
        rig.api.fault = lambda *_: None
        until("the devices", lambda: taints(rig) == [["damp"], ["damp"]])


def test_without_the_right_the_devices_are_published(rig: DriverRig) -> None:
    rig.api.fault = nodes(Forbidden(403, "Forbidden", "no"))
    with rig:
        until("the devices", lambda: taints(rig) == [[], []])
    assert told(rig) == []


@pytest.mark.parametrize(
    "error", [ValueError("wet"), SystemExit(3)], ids=lambda e: type(e).__name__
)
def test_a_driver_that_raises_is_told_again(
    rig: DriverRig,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("dra.sync.RETRY_SECONDS", 0.05)
    rig.driver.does["node_changed"] = raising(error)
    with rig:
        until("the devices", lambda: taints(rig) == [[], []])
        annotate(rig, damp="yes")
        del rig.driver.does["node_changed"]
        until("the taint", lambda: taints(rig) == [["damp"], ["damp"]])
        assert not rig.life.stop.is_set()
    said = [r for r in caplog.records if r.exc_info and r.exc_info[1] is error]
    keys = {"method": "node_changed", "of": f"node {NODE}"}
    assert keys.items() <= said[0].__dict__["keys"].items()


def raising(error: BaseException) -> Callable[[Any], Any]:
    def fail(_given: Any) -> Any:
        raise error

    return fail


def test_a_driver_that_does_not_return_keeps_no_claim_waiting(rig: DriverRig) -> None:
    over = threading.Event()
    rig.driver.does["node_changed"] = lambda _: over.wait(20)
    with rig:
        assert not rig.prepare(rig.claim("claim", "gpu-0"))["claim"].error
        over.set()


def test_the_node_is_not_watched_for_a_driver_that_does_not_care(short_path: Path) -> None:
    with DriverRig(short_path) as rig:
        until("the devices", lambda: rig.api.all(SLICES))
        assert {verb for verb, plural, _ in rig.api.calls if plural == "nodes"} == {"get"}
