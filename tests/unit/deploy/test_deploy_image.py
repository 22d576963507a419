"""The image contains what the package is made of, and nothing else."""

import configparser
import fnmatch
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Wheel:
    """What a wheel installs: its files, and its commands; metadata aside."""

    files: frozenset[str]
    commands: frozenset[str]

    @property
    def packages(self) -> set[str]:
        return {name.split("/")[0] for name in self.files}


def build_wheel(root: Path, folder: Path, parts: str) -> Wheel:
    source = folder / "source"
    source.mkdir()
    for name in ignored(root)[1]:
        if (root / name).is_dir():
            shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copy(root / name, source)
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", folder],
        cwd=source,
        env={**os.environ, "FAKE_DRA_PARTS": parts},
        capture_output=True,
        text=True,
        check=True,
    )
    [archive] = folder.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        names = frozenset(name for name in wheel.namelist() if ".dist-info/" not in name)
        [listed] = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
        entries = configparser.ConfigParser()
        entries.read_string(wheel.read(listed).decode())
    return Wheel(names, frozenset(entries["console_scripts"]))


def ignored(root: Path) -> tuple[list[str], list[str]]:
    """The patterns that .dockerignore leaves out, and the exceptions that it lets in."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    out = [rule for rule in rules if not rule.startswith("!")]
    return out, [rule.removeprefix("!") for rule in rules if rule.startswith("!")]


def test_every_package_is_in_the_build_context(root: Path) -> None:
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    packages = config["options.packages.find"]["include"].split()
    assert packages
    needed = {package.removesuffix("*") for package in packages}
    needed |= {"setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"}
    assert set(ignored(root)[1]) == needed


@pytest.mark.parametrize("path", [".git", ".venv", "tests", "docs", "demo", ".bin"])
def test_the_rest_stays_outside(root: Path, path: str) -> None:
    out, kept = ignored(root)
    assert any(fnmatch.fnmatchcase(path, rule) for rule in out)
    assert path not in kept


def test_image_runs_as_nobody_with_both_programs(root: Path) -> None:
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    final = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert [line for line in final if line.startswith("USER ")] == ["USER 65532:65532"]
    assert not [line for line in final if line.startswith(("ENTRYPOINT", "CMD"))]
    assert any("/opt/fake-dra-driver/bin:" in line for line in final)


@pytest.fixture(scope="module")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Wheel]:
    """The wheel of each choice of parts; built in a copy of what the image's build has."""
    return {
        parts: build_wheel(root, tmp_path_factory.mktemp(parts), parts)
        for parts in ("all", "programs")
    }


def test_the_wheel_of_the_image_is_without_what_is_for_developers(
    wheels: Mapping[str, Wheel],
) -> None:
    image = wheels["programs"]
    assert image.packages == {
        "allocation",
        "api",
        "kube",
        "ops",
        "dra",
        "drivers",
        "controller",
        "plugin",
        "webhook",
        "fsck",
        "explain",
        "ui",
        "cli",
    }
    assert image.commands == {
        "dra",
        "dra-gpu-controller",
        "dra-gpu-kubeletplugin",
        "fake-dra-controller",
        "fake-dra-kubeletplugin",
        "fake-dra-webhook",
        "set-nas-status",
        "fake-dra",
        "kubectl-dra",
    }


def test_the_image_can_make_the_project_of_a_driver(wheels: Mapping[str, Wheel]) -> None:
    assert "dra/templates/driver.py.tmpl" in wheels["programs"].files


def test_the_image_has_the_files_of_the_page_and_can_explain(
    root: Path, wheels: Mapping[str, Wheel]
) -> None:
    assets = {f"ui/assets/{path.name}" for path in (root / "ui/assets").iterdir()}
    assert {"ui/assets/index.html", "ui/assets/main.js", "ui/assets/style.css"} <= assets
    assert assets <= wheels["programs"].files
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    [install] = [line for line in lines if "pip install" in line]
    assert "'.[explain]'" in install


def test_only_what_is_for_developers_is_left_out(wheels: Mapping[str, Wheel]) -> None:
    whole, image = wheels["all"], wheels["programs"]
    left_out = {"devcluster", "testing"}
    assert whole.packages - image.packages == left_out
    assert whole.commands - image.commands == {"fake-dra-devcluster"}
    assert {name for name in whole.files if name.split("/")[0] not in left_out} == image.files


def test_unknown_parts_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        build_wheel(root, tmp_path, "program")
    assert "FAKE_DRA_PARTS='program' is unknown; give all or programs" in refused.value.stderr


def test_the_build_of_the_image_chooses_the_programs(root: Path) -> None:
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    [install] = [line for line in lines if "pip install" in line]
    assert "FAKE_DRA_PARTS=programs " in install
