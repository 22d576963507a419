"""What is executed for a container, and what its log says about it first."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.pods import Pod
from devcluster.kubelet.errors import UnresolvableDevices
from devcluster.kubelet.launching import Launcher
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.runtime import Launch
from tests.support.podrig import bound_pod, container

ID = "vendor.com/gpu=one"


def launch(root: Path, made: Any, *devices: str, run: int = 0) -> Launch:
    directories = NodeDirectories(root)
    launcher = Launcher(
        (directories.cdi,), "10.0.0.1", {"SERVICE": "s"}, which=lambda word, path: None
    )
    return launcher.launch(
        Pod(bound_pod(made)), made, directory=directories.pod("uid-pod"), run=run, devices=devices
    )


def define(root: Path, **edits: Any) -> None:
    spec = {
        "cdiVersion": "0.3.0",
        "kind": "vendor.com/gpu",
        "devices": [{"name": "one", "containerEdits": {"env": ["DEVICE=1"], **edits}}],
    }
    (root / "cdi").mkdir()
    (root / "cdi" / "a.json").write_text(json.dumps(spec))


def test_a_container_has_a_directory_a_log_and_its_variables(tmp_path: Path) -> None:
    define(tmp_path)
    found = launch(tmp_path, container("main", "bash", "-c", "env"), ID, run=3)
    assert found.argv == ["/bin/sh", "-c", "env"]
    assert found.directory == tmp_path / "pods" / "uid-pod" / "main"
    assert found.log == tmp_path / "pods" / "uid-pod" / "logs" / "main" / "3.log"
    assert found.env["DEVICE"] == "1"
    assert found.env["SERVICE"] == "s"
    assert found.env["HOME"] == str(found.directory)
    assert found.note == ""


def test_the_log_names_edits_without_effect(tmp_path: Path) -> None:
    define(tmp_path, deviceNodes=[{"path": "/dev/x"}])
    assert (
        "CDI edits without effect on a process: deviceNodes"
        in launch(tmp_path, container("main", "env"), ID).note
    )


def test_the_log_of_a_container_without_command_says_why_it_is_idle(tmp_path: Path) -> None:
    found = launch(tmp_path, {"name": "main", "image": "nginx"})
    assert found.argv == ["sleep", "infinity"]
    assert "no command in the manifest" in found.note


def test_ids_that_nothing_defines(tmp_path: Path) -> None:
    with pytest.raises(UnresolvableDevices, match=ID):
        launch(tmp_path, container("main"), ID)
