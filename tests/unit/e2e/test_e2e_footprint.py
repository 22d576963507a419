from pathlib import Path

import pytest

from tests.e2e.cluster import footprint
from tests.e2e.cluster.errors import Unsuitable
from tests.e2e.cluster.footprint import Footprint


def test_brings_back_what_was_there(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", tmp_path / "absent"
    (there / "left").mkdir(parents=True)
    before = footprint.take([there, absent], [])

    for directory in (there, absent):
        (directory / "pods").mkdir(parents=True)
        (directory / "pods" / "file").write_text("")
        (directory / "link").symlink_to(directory / "pods")
    Footprint(before.emptied, before.created, {}).erase()

    assert list(there.iterdir()) == []
    assert not absent.exists()


def test_shared_directory_goes_only_if_it_was_not_there(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", tmp_path / "absent"
    there.mkdir()
    (there / "of another").write_text("")
    before = footprint.take([], [there, absent])
    absent.mkdir()

    Footprint(before.emptied, before.created, {}).erase()

    assert (there / "of another").exists()
    assert not absent.exists()


def test_refuses_to_lose_files_of_others(tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    (tmp_path / "pods" / "state").write_text("")
    with pytest.raises(Unsuitable, match="holds state: another kubelet"):
        footprint.take([tmp_path], [])


def test_is_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "footprint.json"
    before = Footprint(["/a"], ["/b"], {"vm/panic_on_oom": "0"})
    before.save(file)
    assert Footprint.load(file) == before


def test_control_groups_of_pods_go_in_both_versions(tmp_path: Path) -> None:
    for group in ("kubepods/pod1/container", "cpu/kubepods/pod1", "cpu/user"):
        (tmp_path / group).mkdir(parents=True)
    footprint.remove_cgroups(tmp_path)
    assert [p.name for p in tmp_path.rglob("*")] == ["cpu", "user"]
