"""`dra new`: a project whose test passes, whose commands run, and whose files are in good order."""

import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from api.objects import JSON
from devcluster.apiserver.resourceapi import structured
from dra.errors import CannotCreate
from dra.newproject import create
from tests.support.apiserverweb import Web

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(sys.executable).parent
NAMES = {
    "gpu": ("gpu_driver", "GpuDriver"),
    "serial-port": ("serial_port_driver", "SerialPortDriver"),
}


def run(*command: str, where: Path) -> str:
    """Run a command of the project's environment; return what it prints."""
    paths = {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        command, cwd=where, env=os.environ | paths, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert run("dra", "new", "gpu", where=tmp_path) == (
        "made in gpu: gpu_driver.py, test_gpu_driver.py, pyproject.toml, Dockerfile, README.md\n"
        "next: cd gpu && python -m pytest\n"
    )
    return tmp_path / "gpu"


@pytest.mark.timeout(120)
def test_the_commands_of_our_readme_run(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("## Write your own driver\n")[2]
    commands = section.partition("```sh\n")[2].partition("```")[0]
    assert "2 passed" in run("bash", "-ec", commands, where=tmp_path)
    assert (tmp_path / "gpu/gpu.yaml").stat().st_size


def test_its_commands_run(project: Path) -> None:
    target = "gpu_driver:GpuDriver"
    assert "--count INTEGER" in run("dra", "run", target, "--help", where=project)
    assert "--count INTEGER" in run("python", "gpu_driver.py", "--help", where=project)
    printed = run("dra", "manifests", target, "--image", "gpu-driver:0.1.0", where=project)
    for each in yaml.safe_load_all(printed):
        kubernetes_validate.validate(each, "1.37", strict=True)


def test_what_its_readme_applies_is_valid_and_fits_its_class(project: Path) -> None:
    (block,) = (project / "README.md").read_text().split("```yaml\n")[1:]
    template, pod = yaml.safe_load_all(block.partition("```")[0])
    kubernetes_validate.validate(pod, "1.37", strict=True)
    options = ("manifests", "gpu_driver:GpuDriver", "--image", "x")
    printed: list[JSON] = list(yaml.safe_load_all(run("dra", *options, where=project)))
    (device_class,) = (each for each in printed if each["kind"] == "DeviceClass")
    web, group = Web(api=structured(34)), "/apis/resource.k8s.io/v1"
    assert web.json("POST", f"{group}/deviceclasses", device_class)[0] == 201
    path = f"{group}/namespaces/default/resourceclaimtemplates?fieldValidation=Strict"
    assert web.json("POST", path, template)[0] == 201
    (wanted,) = template["spec"]["spec"]["devices"]["requests"]
    assert wanted["exactly"]["deviceClassName"] == device_class["metadata"]["name"]


@pytest.mark.parametrize(("name", "made"), NAMES.items(), ids=NAMES)
def test_its_files_are_in_good_order(name: str, made: tuple[str, str], tmp_path: Path) -> None:
    module, driver = made
    create(name, tmp_path / name)
    text = (tmp_path / name / f"{module}.py").read_text()
    assert f"class {driver}:" in text
    assert len(text.splitlines()) < 60


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ruff", ["check", "--isolated", "--select", "E,F,I,UP,B", "."]),
        ("ruff", ["format", "--isolated", "--check", "."]),
        ("hadolint", ["Dockerfile"]),
    ],
    ids=["lint", "format", "image"],
)
def test_a_linter_finds_nothing(tool: str, arguments: list[str], project: Path) -> None:
    if not (SCRIPTS / tool).exists():
        pytest.skip(f"{tool} is of the extra lint")
    run(tool, *arguments, where=project)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "Gpu",
        "3d",
        "a_b",
        "a.b",
        "-a",
        "a-",
        "gpu driver",
        "gpü",
        "../gpu",
        "a\n",
        "a" * 41,
    ],
)
def test_a_name_that_cannot_be(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="lower-case letters, digits and hyphens"):
        create(name, tmp_path / "project")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("name", ["test", "test-rig", "tester"])
def test_a_name_by_which_pytest_collects_the_driver(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match=f"'{name}' begins with test.* as rig-{name}"):
        create(name, tmp_path / "project")


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(CannotCreate, match="is not empty; give another --directory"):
        create("gpu", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "gpu").touch()
    with pytest.raises(CannotCreate, match=r"cannot write the project to .*/gpu: File exists"):
        create("gpu", tmp_path / "gpu")


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [SCRIPTS / "dra", "new", "GPU"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: 'GPU' cannot be part of the names of a driver")
    assert len(ended.stderr.splitlines()) == 1
