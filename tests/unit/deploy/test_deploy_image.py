"""The image contains what the package is made of, and nothing else."""

import configparser
import fnmatch
from pathlib import Path

import pytest


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
