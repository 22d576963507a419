"""CDI ids to variables, from spec files on disk."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.kubelet.cdiresolver import ContainerEdits, load_spec, resolve
from devcluster.kubelet.errors import InvalidCdiSpec, UnresolvableDevices
from tests.support.tables import cases

KIND = "vendor.com/gpu"


def write(path: Path, devices: dict[str, list[str]], *common: str, **edits: Any) -> None:
    """Write a spec of devices with their variables."""
    spec: dict[str, Any] = {
        "cdiVersion": "0.3.0",
        "kind": KIND,
        "devices": [
            {"name": name, "containerEdits": {"env": env, **edits}} for name, env in devices.items()
        ],
    }
    if common:
        spec["containerEdits"] = {"env": list(common)}
    dump = yaml.safe_dump if path.suffix == ".yaml" else json.dumps
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(spec))


def env(edits: ContainerEdits) -> list[str]:
    return ["=".join(pair) for pair in edits.env]


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_device_brings_the_edits_of_its_file_first(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, {"one": ["A=1"], "two": ["A=2", "B=x=y"]}, "COMMON=c")
    found = resolve([tmp_path], [f"{KIND}=two", f"{KIND}=one"])
    assert env(found) == ["COMMON=c", "A=2", "B=x=y", "A=1"]


def test_no_ids_read_no_file(tmp_path: Path) -> None:
    assert resolve([tmp_path / "none"], []) == ContainerEdits()


def test_every_missing_id_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.json", {"one": ["A=1"]})
    with pytest.raises(UnresolvableDevices, match=f"unresolvable CDI devices {KIND}=x, {KIND}=y$"):
        resolve([tmp_path], [f"{KIND}=x", f"{KIND}=one", f"{KIND}=y"])


def test_a_later_directory_wins(tmp_path: Path) -> None:
    write(tmp_path / "etc" / "a.json", {"one": ["A=static"]})
    write(tmp_path / "run" / "a.json", {"one": ["A=dynamic"]})
    assert env(resolve([tmp_path / "etc", tmp_path / "run"], [f"{KIND}=one"])) == ["A=dynamic"]


def test_two_files_of_one_directory_that_define_an_id_define_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.json", {"one": ["A=1"], "two": ["A=2"]})
    write(tmp_path / "b.json", {"one": ["A=3"]})
    with pytest.raises(UnresolvableDevices):
        resolve([tmp_path], [f"{KIND}=one"])
    assert env(resolve([tmp_path], [f"{KIND}=two"])) == ["A=2"]


def test_a_conflict_is_settled_by_a_directory_of_higher_priority(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write(tmp_path / "etc" / name, {"one": [f"A={name}"]})
    write(tmp_path / "run" / "c.json", {"one": ["A=run"]})
    assert env(resolve([tmp_path / "etc", tmp_path / "run"], [f"{KIND}=one"])) == ["A=run"]


@cases("name", {"tmp": "a.json.tmp", "txt": "a.txt", "bare": "json", "subdir": "sub/a.json"})
def test_other_files_are_no_specs(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, {"one": ["A=1"]})
    with pytest.raises(UnresolvableDevices):
        resolve([tmp_path], [f"{KIND}=one"])


@pytest.mark.parametrize("text", ["{", "[]", '{"cdiVersion": "0.3.0"}', "\x00"])
def test_a_broken_file_defines_nothing_and_harms_no_other(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    write(tmp_path / "good.json", {"one": ["A=1"]})
    assert env(resolve([tmp_path], [f"{KIND}=one"])) == ["A=1"]
    with pytest.raises(InvalidCdiSpec, match=r"broken\.json"):
        load_spec(tmp_path / "broken.json")


def test_edits_without_meaning_for_a_process_are_named(tmp_path: Path) -> None:
    nodes = [{"path": "/dev/x"}]
    mounts = [{"hostPath": "/a", "containerPath": "/b"}]
    write(tmp_path / "a.json", {"one": ["A=1"]}, deviceNodes=nodes, mounts=mounts, hooks=[])
    assert resolve([tmp_path], [f"{KIND}=one"]).ignored == ("deviceNodes", "mounts")
