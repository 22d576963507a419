"""The demos are valid, small, and have parameters that the driver takes."""

import re
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from api.objects import JSON
from api.resources import NAMESPACES, STRUCTURED_VERSIONS
from drivers.gpu.driver import GpuDriver
from testing.apiserver import MemoryApi

FOLDER = Path(__file__).parents[3] / "drivers/gpu"
OLD = [f"gpu-test{number}" for number in range(1, 6)]
NEW = [
    "initcontainer-shared-gpu",
    "admin-access",
    "cel-selector",
    "prioritized-alternatives",
    "extended-resource-request",
    "partitionable-devices",
    "gpu-allow-multiple-allocations",
    "gpu-allow-multiple-allocations-partitionable",
    "net-consumable-capacity",
    "binding-conditions",
    "device-taint-pod-noschedule",
    "device-taint-pod-noexecute",
    "device-taint-pod-toleration",
    "device-taint-configurable-pod-eviction-time",
]
RULE = "device-taint-pod-noexecute-rule"
DEMOS = pytest.mark.parametrize("demo", [*OLD, *NEW])
V1 = STRUCTURED_VERSIONS["v1"]


def documents(demo: str) -> list[JSON]:
    return list(yaml.safe_load_all((FOLDER / "demo" / f"{demo}.yaml").read_text("utf-8")))


def of_kind(demo: str, kind: str) -> list[JSON]:
    return [each for each in documents(demo) if each["kind"] == kind]


def claims(demo: str) -> Iterator[tuple[str, JSON]]:
    """Yield kind and name, and what is claimed."""
    for kind in ("ResourceClaim", "ResourceClaimTemplate"):
        for each in of_kind(demo, kind):
            spec = each["spec"]["spec"] if kind == "ResourceClaimTemplate" else each["spec"]
            yield f"{kind}/{each['metadata']['name']}", spec


def test_no_demo_is_forgotten() -> None:
    assert sorted(path.stem for path in (FOLDER / "demo").iterdir()) == sorted([*OLD, *NEW, RULE])
    page = (FOLDER / "README.md").read_text("utf-8")
    assert [demo for demo in [*OLD, *NEW, RULE] if f"`{demo}`" not in page] == []


@pytest.mark.parametrize("demo", [*OLD, *NEW, RULE])
def test_objects_are_valid(demo: str) -> None:
    for each in documents(demo):
        kubernetes_validate.validate(each, "1.37", strict=True)


@DEMOS
def test_taints_are_those_of_the_health_of_gpus(demo: str) -> None:
    """So that pods tolerate what an administrator says and what a driver would say alike."""
    for each in of_kind(demo, "DeviceTaintRule"):
        assert each["spec"]["taint"]["key"] == "gpu.example.com/unhealthy"
        assert each["spec"]["deviceSelector"] == {"driver": "gpu.example.com"}


@DEMOS
def test_api_server_takes_the_claims(demo: str, dra_api_server: MemoryApi) -> None:
    resources = {
        "Namespace": NAMESPACES,
        "ResourceClaim": V1.claims,
        "ResourceClaimTemplate": V1.templates,
    }
    for each in documents(demo):
        if each["kind"] in resources:
            dra_api_server.create(resources[each["kind"]], each)


@DEMOS
def test_parameters_are_valid(demo: str) -> None:
    driver = GpuDriver("node")
    for _, spec in claims(demo):
        for each in spec["devices"].get("config", ()):
            assert each["opaque"]["driver"] == driver.contract.driver_name
            assert driver.validate(each["opaque"]["parameters"]) == []


@DEMOS
def test_pods_name_what_is_there(demo: str) -> None:
    known = dict(claims(demo))
    for pod in of_kind(demo, "Pod"):
        spec = pod["spec"]
        names = {}
        for each in spec.get("resourceClaims", ()):
            template = each.get("resourceClaimTemplateName")
            target = f"ResourceClaimTemplate/{template}" if template else ""
            names[each["name"]] = known[target or f"ResourceClaim/{each['resourceClaimName']}"]
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            for each in container["resources"].get("claims", ()):
                requests = {r["name"] for r in names[each["name"]]["devices"]["requests"]}
                assert each.get("request") in {None, *requests}


@DEMOS
def test_demos_are_small_and_say_what_they_show(demo: str) -> None:
    text = (FOLDER / "demo" / f"{demo}.yaml").read_text("utf-8")
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 90
    namespaces = {each["metadata"]["namespace"] for each in of_kind(demo, "Pod")}
    assert namespaces == {demo}
    assert set(re.findall(r"image: (.*)", text)) == {"ubuntu:22.04"}
