"""The kind scripts call docker and kind as they should; both are recorded stand-ins here."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from api import __version__
from tests.support.tables import cases

SCRIPTS = ["build-driver.sh", "create-cluster.sh", "delete-cluster.sh"]
IMAGE = f"fake-dra-driver:{__version__}"
CLUSTER = "fake-dra-driver-cluster"
# FAIL names the first words of calls that fail, CLUSTERS what `kind get clusters` shows.
STAND_IN = """#!/bin/sh
call="$(basename "$0") $*"
echo "$call" >>"$CALLS"
case "$call" in
  "kind get clusters") echo "$CLUSTERS" ;;
  "$FAIL"*) exit 1 ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A PATH with recorded tools."""

    root: Path
    bin: Path
    calls: Path

    def run(
        self, script: str, *args: str, clusters: str = "", fail: str = "none", **env: str
    ) -> "subprocess.CompletedProcess[str]":
        given = {"CALLS": str(self.calls), "CLUSTERS": clusters, "FAIL": fail, **env}
        return subprocess.run(
            [self.root / "demo" / script, *args],
            env={"PATH": str(self.bin), **given},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def called(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "basename", "cat", "dirname", "env", "grep", "sed", "sh"):
        (tools / name).symlink_to(_which(name))
    for name in ("docker", "kind", "kubectl"):
        (tools / name).write_text(STAND_IN, encoding="utf-8")
        (tools / name).chmod(0o755)
    return Machine(root, tools, tmp_path / "calls")


def _which(name: str) -> Path:
    places = (Path(d) / name for d in os.environ["PATH"].split(os.pathsep))
    return next(p for p in places if p.exists())


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_needs_no_tools(machine: Machine, script: str) -> None:
    ended = machine.run(script, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"Usage: demo/{script}\n")
    assert machine.called() == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_unknown_arguments_are_refused(machine: Machine, script: str) -> None:
    ended = machine.run(script, "--force")
    assert (ended.returncode, machine.called()) == (2, [])
    assert "unknown argument '--force'; see --help" in ended.stderr


@pytest.mark.parametrize(
    ("script", "tool"),
    [(s, "docker") for s in SCRIPTS]
    + [("create-cluster.sh", "kind"), ("delete-cluster.sh", "kind")],
)
def test_missing_tools_are_named_with_a_remedy(machine: Machine, script: str, tool: str) -> None:
    (machine.bin / tool).unlink()
    ended = machine.run(script)
    assert ended.returncode == 1
    assert f"{tool} is not installed; see https://" in ended.stderr


def test_a_docker_that_does_not_answer_is_told(machine: Machine) -> None:
    ended = machine.run("build-driver.sh", fail="docker info")
    assert ended.returncode == 1
    assert "the docker daemon does not answer" in ended.stderr
    assert machine.called() == ["docker info"]


def test_build_passes_its_settings_and_waits_for_a_cluster(machine: Machine) -> None:
    ended = machine.run("build-driver.sh", BASE_IMAGE="python:3.12-slim")
    assert ended.returncode == 0, ended.stderr
    (build,) = [call for call in machine.called() if call.startswith("docker build")]
    assert f"--tag {IMAGE} --build-arg VERSION={__version__}" in build
    assert build.endswith(f"--build-arg BASE_IMAGE=python:3.12-slim {machine.root}")
    assert not [call for call in machine.called() if call.startswith("kind load")]


def test_build_loads_the_image_into_a_cluster(machine: Machine) -> None:
    ended = machine.run("build-driver.sh", clusters=f"other\n{CLUSTER}")
    assert ended.returncode == 0, ended.stderr
    assert machine.called()[-1] == f"kind load docker-image --name {CLUSTER} {IMAGE}"


def test_a_failed_build_loads_nothing(machine: Machine) -> None:
    ended = machine.run("build-driver.sh", clusters=CLUSTER, fail="docker build")
    assert ended.returncode == 1
    assert machine.called()[-1].startswith("docker build")


def test_create_makes_the_cluster_and_loads_the_image(machine: Machine) -> None:
    ended = machine.run("create-cluster.sh", K8S_VERSION="1.28.9")
    assert ended.returncode == 0, ended.stderr
    (create,) = [call for call in machine.called() if call.startswith("kind create")]
    assert f"--name {CLUSTER} --image kindest/node:v1.28.9" in create
    assert f"--config {machine.root}/demo/scripts/kind-cluster-config.yaml" in create
    assert machine.called()[-1] == f"kind load docker-image --name {CLUSTER} {IMAGE}"
    assert "helm upgrade -i --create-namespace --namespace fake-system" in ended.stdout


def test_create_without_an_image_says_how_to_get_it(machine: Machine) -> None:
    ended = machine.run("create-cluster.sh", fail="docker image inspect")
    assert ended.returncode == 0, ended.stderr
    assert "demo/build-driver.sh builds and loads it" in ended.stdout
    assert not [call for call in machine.called() if call.startswith("kind load")]


def test_create_checks_that_the_api_is_served(machine: Machine) -> None:
    ended = machine.run("create-cluster.sh", fail="kubectl")
    assert ended.returncode == 1
    assert "does not serve resource.k8s.io/v1alpha2" in ended.stderr


@pytest.mark.parametrize("version", ["1.26.1", "1.31.0", "1.30", "latest"])
def test_create_refuses_other_versions(machine: Machine, version: str) -> None:
    ended = machine.run("create-cluster.sh", K8S_VERSION=version)
    assert (ended.returncode, machine.called()) == (2, [])
    assert f"K8S_VERSION={version}: give 1.27 to 1.30" in ended.stderr


def test_create_keeps_a_cluster_that_exists(machine: Machine) -> None:
    ended = machine.run("create-cluster.sh", clusters=CLUSTER)
    assert ended.returncode == 1
    assert "demo/delete-cluster.sh deletes it" in ended.stderr
    assert not [call for call in machine.called() if call.startswith("kind create")]


@cases(
    ("clusters", "last"),
    {
        "exists": (CLUSTER, f"kind delete cluster --name {CLUSTER}"),
        "does not exist": ("other", "kind get clusters"),
    },
)
def test_delete(machine: Machine, clusters: str, last: str) -> None:
    ended = machine.run("delete-cluster.sh", clusters=clusters)
    assert ended.returncode == 0, ended.stderr
    assert machine.called()[-1] == last


def test_kind_cluster_has_what_classic_dra_needs(root: Path) -> None:
    path = root / "demo/scripts/kind-cluster-config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert config["featureGates"] == {"DynamicResourceAllocation": True}
    assert config["runtimeConfig"] == {"resource.k8s.io/v1alpha2": "true"}
    assert "enable_cdi = true" in config["containerdConfigPatches"][0]
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker"]
