"""What kubelets and kube-scheduler hear of devices that somebody calls unhealthy."""

from pathlib import Path

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import NODES
from plugin.devices import FakeDeviceSource
from plugin.fakes import Fakes
from plugin.structured.driver import StructuredFakeDriver
from plugin.structured.inventory import Division
from testing.node import Node
from tests.support.fakerig import DRIVER, NODE, fake_driver
from tests.support.slicerig import SLICES

UNHEALTHY = {f"health.{DRIVER}/fake-1": "unhealthy: too hot"}


def tainted(node: Node) -> set[str]:
    return {
        device["name"]
        for each in node.api.peek(SLICES)
        for device in each["spec"].get("devices") or []
        if [t["key"] for t in device.get("taints", ())] == [f"{DRIVER}/unhealthy"]
    }


def wait_for(node: Node, devices: set[str]) -> None:
    with node.api.changed:
        node.api.changed.wait_for(lambda: tainted(node) == devices, 15)
    assert tainted(node) == devices


def annotate(node: Node, annotations: JSON) -> None:
    node.api.patch(NODES, node.name, {"metadata": {"annotations": annotations}})


CARD = {"fake-1", *(f"fake-1-split{k}-{j}" for k in (2, 4, 8, 16) for j in range(k))}


@pytest.mark.parametrize("dra_minor", [36, 37])
def test_an_unhealthy_device_is_tainted_with_its_children_and_recovers(dra_node: Node) -> None:
    with dra_node.running(fake_driver()):
        seen = dra_node.kubelet.health(DRIVER)
        assert set(next(seen).values()) == {"HEALTHY"}
        annotate(dra_node, UNHEALTHY)
        told = next(each for each in seen if "UNHEALTHY" in each.values())
        assert {name for (_, name), how in told.items() if how == "UNHEALTHY"} == CARD
        wait_for(dra_node, CARD)
        assert max(len(x["spec"].get("devices", ())) for x in dra_node.api.peek(SLICES)) == 64
        annotate(dra_node, dict.fromkeys(UNHEALTHY))
        assert set(next(seen).values()) == {"HEALTHY"}
        wait_for(dra_node, set())


def test_a_device_is_unhealthy_from_the_first_slice_on(dra_node: Node) -> None:
    annotate(dra_node, UNHEALTHY)
    with dra_node.running(fake_driver()):
        assert tainted(dra_node) == CARD


def test_a_file_says_so_too(dra_node: Node, tmp_path: Path) -> None:
    source = FakeDeviceSource(FAKE, NODE, 2, "M")
    path = tmp_path / "health"
    path.write_text("fake-1-split2-0=unhealthy: half of it\n")
    driver = StructuredFakeDriver(Fakes(FAKE, NODE), source, Division(), path)
    with dra_node.running(driver):
        wait_for(dra_node, {"fake-1-split2-0"})
