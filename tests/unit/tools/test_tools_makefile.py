"""What the Makefile prints: its list of commands, and what it does while pip works."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What pip prints is on standard output, what is wrong on standard error.
PIP = """#!/bin/sh
for last; do :; done
[ "$2 $3 $last" = "pip install $WANTED" ] || exit 2
echo "Obtaining file:///somewhere"
echo "  Installing build dependencies: started"
echo "Collecting kubernetes<38,>=37.0.1 (from fake-dra-driver==0.1.0)"
echo "  Downloading kubernetes-37.0.1-py2.py3-none-any.whl (2.0 MB)"
echo "Requirement already satisfied: click"
echo "Collecting six>=1.9.0 (from kubernetes<38)"
if [ -n "$FAIL" ]; then echo "ERROR: No matching distribution found" >&2; exit 1; fi
echo "Installing collected packages: six, kubernetes, fake-dra-driver"
"""


def make(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment whose Python is a stand-in for pip."""
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(PIP, encoding="utf-8")
    python.chmod(0o755)
    return tmp_path


def test_help_is_one_column() -> None:
    lines = make("help").stdout.splitlines()
    names = [line.split()[1] for line in lines]
    assert "reliability" in names
    texts = [line.split(maxsplit=2)[2] for line in lines]
    assert {line.index(text) for line, text in zip(lines, texts, strict=True)} == {
        len("  make ") + max(map(len, names)) + 1
    }


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (".run", ".[devcluster]"),
        (".test", ".[devcluster,test]"),
        (".lint", ".[devcluster,test,lint]"),
    ],
)
def test_an_installation_tells_each_package(venv: Path, target: str, parts: str) -> None:
    ended = make(f"VENV={venv}", f"{venv}/{target}", WANTED=parts)
    first, *packages, unpacking, last = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert first.startswith("installing the driver")
    assert str(venv) in first
    assert packages == ["  kubernetes<38,>=37.0.1", "  six>=1.9.0"]
    assert unpacking == "  unpacking all of them"
    assert last == "installed"
    assert (venv / target).exists()


def test_an_installation_that_fails_says_why(venv: Path) -> None:
    ended = make(f"VENV={venv}", f"{venv}/.run", FAIL="1", WANTED=".[devcluster]")
    assert ended.returncode == 2
    assert "ERROR: No matching distribution found" in ended.stderr
    assert "installed" not in ended.stdout.splitlines()
    assert not (venv / ".run").exists()


def test_clean_removes_what_git_ignores() -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    made = {line.rstrip("/") for line in lines} - {"__pycache__", "dist"}
    assert made <= set(make("--just-print", "clean").stdout.split())
