"""What drivers/file is deployed with is what `dra manifests` prints, and the demo fits it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from api.objects import JSON
from drivers.file.driver import FileDriver

FOLDER = Path(__file__).parents[3] / "drivers" / "file"
WRITTEN = ("namespace", "driver", "resourceclass")


def documents(name: str) -> list[JSON]:
    return list(yaml.safe_load_all((FOLDER / "deploy" / f"{name}.yaml").read_text("utf-8")))


def test_manifests_are_as_the_driver_is(tmp_path: Path) -> None:
    copy = tmp_path / "file"
    shutil.copytree(FOLDER, copy)
    for name in WRITTEN:
        (copy / "deploy" / f"{name}.yaml").write_text("older")
    tool = f"DRA={sys.executable} -m dra"
    subprocess.run(["make", "--quiet", "-C", str(copy), "manifests", tool], check=True)
    made = {name: (copy / "deploy" / f"{name}.yaml").read_text("utf-8") for name in WRITTEN}
    assert made == {
        name: (FOLDER / "deploy" / f"{name}.yaml").read_text("utf-8") for name in WRITTEN
    }


def test_manifests_have_no_anchors() -> None:
    """Each object stands for itself, for people who change it."""
    text = (FOLDER / "deploy" / "driver.yaml").read_text("utf-8")
    assert text.count("app: dra-file-driver") == 3


@pytest.mark.parametrize(
    ("name", "kind", "named"),
    [
        ("namespace", "Namespace", "dra-system"),
        ("driver", "DaemonSet", "dra-file-driver"),
        ("resourceclass", "DeviceClass", "file-resource"),
        ("deployment", "Deployment", "dra-test-deployment"),
    ],
)
def test_names_of_the_demo(name: str, kind: str, named: str) -> None:
    assert (kind, named) in [(each["kind"], each["metadata"]["name"]) for each in documents(name)]


def test_deployment_asks_for_a_file_of_the_class() -> None:
    template, deployment = documents("deployment")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert (
        request["exactly"]["deviceClassName"] == documents("resourceclass")[0]["metadata"]["name"]
    )
    pod = deployment["spec"]["template"]["spec"]
    assert pod["resourceClaims"][0]["resourceClaimTemplateName"] == template["metadata"]["name"]


def test_class_selects_the_driver() -> None:
    (selector,) = documents("resourceclass")[0]["spec"]["selectors"]
    expression = f"device.driver == '{FileDriver.contract.driver_name}'"
    assert selector["cel"]["expression"] == expression


def test_driver_is_under_a_hundred_lines() -> None:
    assert len((FOLDER / "driver.py").read_text("utf-8").splitlines()) < 100
