import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from api.contract import FAKE
from api.objects import ClaimUID
from dra.devicestate import cdi
from dra.devicestate.directory import CdiDirectory, Differences
from dra.driver import Edits, PreparedClaim, PreparedDevice
from dra.errors import CdiWriteFailed, InvalidCdiSpec

UID = ClaimUID("uid-1")
COMMON = Edits({"NODE": "n"})
CLAIM = PreparedClaim(UID, "ns", "claim", "gpu", (PreparedDevice("p", "a", Edits({"A": "1"})),))
BARE = replace(CLAIM, devices=(PreparedDevice("p", "a", Edits()),))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "cdi"


@pytest.fixture
def directory(root: Path) -> CdiDirectory:
    return CdiDirectory(root, FAKE, COMMON)


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_claim_brings_the_common_file_along(directory: CdiDirectory, root: Path) -> None:
    assert directory.ensure(CLAIM)
    assert names(root) == sorted([cdi.claim_file(FAKE, UID), cdi.common_file(FAKE)])
    assert json.loads((root / cdi.claim_file(FAKE, UID)).read_text()) == cdi.claim_spec(FAKE, CLAIM)


def test_runtimes_may_read_the_files(directory: CdiDirectory, root: Path) -> None:
    former = os.umask(0o077)
    try:
        directory.ensure(CLAIM)
    finally:
        os.umask(former)
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o644}


def test_file_that_is_right_is_left_alone(directory: CdiDirectory, root: Path) -> None:
    directory.ensure(CLAIM)
    before = (root / cdi.claim_file(FAKE, UID)).stat().st_ino
    assert not directory.ensure(CLAIM)
    assert (root / cdi.claim_file(FAKE, UID)).stat().st_ino == before


def test_symbolic_link_is_replaced_and_its_target_kept(
    directory: CdiDirectory, root: Path, tmp_path: Path
) -> None:
    root.mkdir(parents=True)
    target = tmp_path / "target"
    target.write_text("precious")
    (root / cdi.claim_file(FAKE, UID)).symlink_to(target)
    assert directory.ensure(CLAIM)
    assert target.read_text() == "precious"
    assert not (root / cdi.claim_file(FAKE, UID)).is_symlink()


def test_claim_without_devices_is_refused(directory: CdiDirectory, root: Path) -> None:
    with pytest.raises(InvalidCdiSpec, match="no devices"):
        directory.ensure(PreparedClaim(UID, "ns", "claim", "gpu", ()))
    assert not root.exists()


def test_remove_is_fine_twice(directory: CdiDirectory, root: Path) -> None:
    directory.ensure(CLAIM)
    directory.remove(UID)
    directory.remove(UID)
    assert names(root) == [cdi.common_file(FAKE)]


@pytest.mark.parametrize("content", ["", "[]", "7", None])
def test_file_that_cannot_be_read(directory: CdiDirectory, root: Path, content: str | None) -> None:
    root.mkdir(parents=True)
    if content is not None:
        (root / cdi.claim_file(FAKE, UID)).write_text(content)
    assert directory.read(UID) is None


def test_what_the_files_say_is_read(directory: CdiDirectory) -> None:
    directory.ensure(CLAIM)
    assert directory.read(UID) == cdi.claim_spec(FAKE, CLAIM)
    assert directory.read_common() == cdi.common_spec(FAKE, COMMON)


def test_claim_that_edits_nothing_has_no_file(directory: CdiDirectory, root: Path) -> None:
    directory.ensure(CLAIM)
    assert not directory.ensure(BARE)
    assert names(root) == [cdi.common_file(FAKE)]
    assert directory.compare([BARE]) == Differences((), (), ())


def test_driver_without_a_common_device(root: Path, directory: CdiDirectory) -> None:
    directory.ensure_common()
    bare = CdiDirectory(root, FAKE)
    bare.ensure_common()
    bare.ensure(CLAIM)
    assert bare.compare([CLAIM]) == Differences((), (), (cdi.common_file(FAKE),))
    bare.collect([CLAIM])
    assert names(root) == [cdi.claim_file(FAKE, UID)]


def test_common_device_that_runtimes_refuse_is_not_written(root: Path) -> None:
    with pytest.raises(InvalidCdiSpec, match="edits nothing"):
        CdiDirectory(root, FAKE, Edits()).ensure_common()
    assert not root.exists()


def test_collect_takes_only_what_is_ours_and_not_needed(
    directory: CdiDirectory, root: Path
) -> None:
    directory.ensure(CLAIM)
    ours = [
        f"{FAKE.cdi_file_prefix}uid-2.json",
        f"{FAKE.cdi_file_prefix}uid-1.yaml",
        f"{FAKE.cdi_file_prefix}uid-1.json.abc.tmp",
    ]
    theirs = ["vendor.json", "k8s.fake.resource.3-shake.com-other_x.json", "notes.txt"]
    for name in ours + theirs:
        (root / name).touch()
    (root / f"{FAKE.cdi_file_prefix}directory.json").mkdir()
    (root / f"{FAKE.cdi_file_prefix}link.json").symlink_to("nowhere")
    found = directory.collect([CLAIM])
    assert sorted(found) == sorted([*ours, f"{FAKE.cdi_file_prefix}link.json"])
    kept = [
        cdi.claim_file(FAKE, UID),
        cdi.common_file(FAKE),
        f"{FAKE.cdi_file_prefix}directory.json",
        *theirs,
    ]
    assert names(root) == sorted(kept)


def test_nothing_to_collect_in_a_missing_directory(directory: CdiDirectory) -> None:
    assert directory.collect([]) == []


def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directory = CdiDirectory(tmp_path / "file" / "cdi", FAKE)
    with pytest.raises(CdiWriteFailed, match=r"CDI_ROOT"):
        directory.ensure(CLAIM)
    with pytest.raises(CdiWriteFailed, match="listed"):
        directory.collect([])


def test_file_that_cannot_be_removed(directory: CdiDirectory, root: Path) -> None:
    (root / cdi.claim_file(FAKE, UID)).mkdir(parents=True)
    with pytest.raises(CdiWriteFailed, match="removed"):
        directory.remove(UID)
