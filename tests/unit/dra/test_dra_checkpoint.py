import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.nas import PreparedDevice
from api.objects import ClaimUID, DeviceID
from dra.devicestate.checkpoint import FILE_NAME, Checkpoint, _parse, checksum, render
from dra.devicestate.prepared import PreparedClaim
from dra.errors import CheckpointCorrupt, CheckpointWriteFailed, DirectoryUnusable

CLAIM = PreparedClaim(
    ClaimUID("uid-1"), "ns", "claim", "gpu", (PreparedDevice(DeviceID("c"), DeviceID("p")),)
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
devices = st.builds(PreparedDevice, text, st.none() | text)
claims = st.builds(PreparedClaim, text, text, text, text, st.lists(devices, max_size=3).map(tuple))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path, FAKE)


def test_no_file_is_no_claims(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() == {}


def test_what_was_saved_is_loaded(checkpoint: Checkpoint) -> None:
    checkpoint.save([CLAIM])
    assert checkpoint.load() == {CLAIM.uid: CLAIM}
    assert stat.S_IMODE(checkpoint.path.stat().st_mode) == 0o600


@given(st.lists(claims, max_size=3, unique_by=lambda c: c.uid))
def test_every_claim_survives_the_file(found: list[PreparedClaim]) -> None:
    assert _parse(render(found), Path("x")) == {claim.uid: claim for claim in found}


def test_form_of_the_file_is_a_contract_with_later_releases(checkpoint: Checkpoint) -> None:
    checkpoint.save([CLAIM])
    document = json.loads(checkpoint.path.read_bytes())
    assert document["version"] == "v1"
    assert document["data"] == {
        "claims": {
            "uid-1": {
                "namespace": "ns",
                "name": "claim",
                "label": "gpu",
                "devices": [{"uuid": "c", "parentUUID": "p"}],
            }
        }
    }
    assert document["checksum"] == checksum(document["data"])


def test_checksum_ignores_order_and_white_space(checkpoint: Checkpoint) -> None:
    document = json.loads(render([CLAIM]))
    shuffled = dict(reversed(document.items()))
    checkpoint.path.write_text(json.dumps(shuffled))
    assert checkpoint.load() == {CLAIM.uid: CLAIM}


@given(st.data())
def test_no_changed_character_passes(data: st.DataObject) -> None:
    """A flipped bit is noticed, or it did not change the meaning."""
    content = bytearray(render([CLAIM]))
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = _parse(bytes(content), Path("x"))
    except CheckpointCorrupt:
        return
    assert found == {CLAIM.uid: CLAIM}


def signed(data: Any) -> bytes:
    return json.dumps({"version": "v1", "checksum": checksum(data), "data": data}).encode()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"claims": []},
        {"claims": {"u": {}}},
        {"claims": {"u": {"namespace": 1, "name": "", "label": "", "devices": []}}},
        {"claims": {"u": {"namespace": "", "name": "", "label": "", "devices": [{}]}}},
        {"claims": {}, "more": 1},
    ],
)
def test_signed_nonsense_is_corrupt(checkpoint: Checkpoint, data: Any) -> None:
    checkpoint.path.write_bytes(signed(data))
    with pytest.raises(CheckpointCorrupt, match="malformed"):
        checkpoint.load()


def test_temporary_files_of_a_killed_process_are_removed(checkpoint: Checkpoint) -> None:
    stale = checkpoint.path.with_name(f"{FILE_NAME}.abc.tmp")
    stale.touch()
    checkpoint.load()
    assert not stale.exists()


def test_file_that_cannot_be_read(checkpoint: Checkpoint) -> None:
    checkpoint.path.mkdir()
    with pytest.raises(DirectoryUnusable, match="KUBELET_PLUGINS_DIRECTORY_PATH"):
        checkpoint.load()


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CheckpointWriteFailed, match="writable"):
        Checkpoint(tmp_path / "none", FAKE).save([])


def test_corrupt_files_are_kept_apart(checkpoint: Checkpoint) -> None:
    kept = []
    for content in (b"a", b"b"):
        checkpoint.path.write_bytes(content)
        kept.append(checkpoint.keep_aside())
    assert [path.read_bytes() for path in kept] == [b"a", b"b"]
