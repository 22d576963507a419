import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.objects import ClaimUID
from dra.devicestate.checkpoint import FILE_NAME, Checkpoint, checksum, render
from dra.driver import (
    Config,
    Consumer,
    DeviceNode,
    Edits,
    Hook,
    Mount,
    PreparedClaim,
    PreparedDevice,
    Result,
)
from dra.errors import CheckpointCorrupt, CheckpointWriteFailed, DirectoryUnusable
from tests.support import driveredits

RESULT = Result(
    "r", "p", "d", "s", {"memory": "1Gi"}, True, (Config("FromClaim", "spec", {"a": [1, None]}),)
)
EDITS = Edits(
    {"A": "1"},
    (Mount("/h", "/c"),),
    (DeviceNode("/dev/x", major=0),),
    (Hook("poststop", "/x", timeout=1),),
    (7,),
)
CLAIM = PreparedClaim(
    ClaimUID("uid-1"),
    "ns",
    "claim",
    "gpu",
    (PreparedDevice("p", "d", EDITS, ("r",), "s", "child", 4),),
    (RESULT,),
    (Consumer("pods", "pod", "uid-pod"),),
)
PREPARING = replace(CLAIM, devices=())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path, FAKE)


def test_no_file_is_no_claims(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() == {}


@pytest.mark.parametrize("claim", [CLAIM, PREPARING], ids=["prepared", "preparing"])
def test_what_was_saved_is_loaded(checkpoint: Checkpoint, claim: PreparedClaim) -> None:
    checkpoint.save([claim])
    assert checkpoint.load() == {claim.uid: claim}
    assert stat.S_IMODE(checkpoint.path.stat().st_mode) == 0o600


def test_shares_are_kept_beside_other_claims_and_written_anew_when_they_change(
    checkpoint: Checkpoint,
) -> None:
    others = [PreparedClaim(ClaimUID(f"uid-{n}"), "ns", "x", "") for n in (2, 3)]
    shared = replace(CLAIM, devices=(replace(CLAIM.devices[0], share_id="0", max_clients=2),))
    moved = replace(CLAIM, devices=(replace(CLAIM.devices[0], share_id="1", max_clients=2),))
    for claims in ([shared], [shared, *others], [moved, *others], [others[0], moved]):
        checkpoint.save(claims)
        assert checkpoint.load() == {claim.uid: claim for claim in claims}
        assert checkpoint.path.read_bytes() == render(claims)


@given(st.lists(driveredits.claims, max_size=3, unique_by=lambda c: c.uid))
def test_every_claim_survives_the_file_or_could_not_be_prepared(
    tmp_path_factory: pytest.TempPathFactory, found: list[PreparedClaim]
) -> None:
    """Also the order of the variables, in which CDI files have them."""
    checkpoint = Checkpoint(tmp_path_factory.getbasetemp(), FAKE)
    checkpoint.path.write_bytes(render(found))
    try:
        loaded = checkpoint.load()
    except CheckpointCorrupt as error:
        assert "has a claim that cannot be" in str(error)  # noqa: PT017
        return
    assert loaded == {claim.uid: claim for claim in found}
    assert render(loaded.values()) == render(found)


def test_form_of_the_file_is_a_contract_with_later_releases(checkpoint: Checkpoint) -> None:
    checkpoint.save([CLAIM, PreparedClaim(ClaimUID("uid-2"), "ns", "x", "")])
    document = json.loads(checkpoint.path.read_bytes())
    assert document["version"] == "v2"
    assert document["data"] == {
        "claims": {
            "uid-1": {
                "state": "prepared",
                "namespace": "ns",
                "name": "claim",
                "label": "gpu",
                "devices": [
                    {
                        "pool": "p",
                        "device": "d",
                        "edits": {
                            "env": {"A": "1"},
                            "mounts": [
                                {"host_path": "/h", "container_path": "/c", "options": ["bind"]}
                            ],
                            "device_nodes": [{"path": "/dev/x", "major": 0}],
                            "hooks": [{"name": "poststop", "path": "/x", "timeout": 1}],
                            "additional_gids": [7],
                        },
                        "requests": ["r"],
                        "share_id": "s",
                        "name": "child",
                        "max_clients": 4,
                    }
                ],
                "results": [
                    {
                        "request": "r",
                        "pool": "p",
                        "device": "d",
                        "share_id": "s",
                        "consumed": {"memory": "1Gi"},
                        "admin": True,
                        "config": [
                            {
                                "source": "FromClaim",
                                "field": "spec",
                                "parameters": {"a": [1, None]},
                            }
                        ],
                    }
                ],
                "consumers": [{"resource": "pods", "name": "pod", "uid": "uid-pod"}],
            },
            "uid-2": {"state": "preparing", "namespace": "ns", "name": "x", "label": ""},
        }
    }
    assert document["checksum"] == checksum(document["data"])


def test_checksum_ignores_order_and_white_space(checkpoint: Checkpoint) -> None:
    document = json.loads(render([CLAIM]))
    shuffled = dict(reversed(document.items()))
    checkpoint.path.write_text(json.dumps(shuffled, indent=2))
    assert checkpoint.load() == {CLAIM.uid: CLAIM}


@given(st.data())
def test_no_changed_character_passes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A flipped bit is noticed, or it did not change the meaning."""
    checkpoint = Checkpoint(tmp_path_factory.getbasetemp(), FAKE)
    content = bytearray(render([CLAIM]))
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= 1 << data.draw(st.integers(0, 7))
    checkpoint.path.write_bytes(content)
    try:
        found = checkpoint.load()
    except CheckpointCorrupt:
        return
    assert found == {CLAIM.uid: CLAIM}


def signed(data: Any, version: str = "v2") -> bytes:
    return json.dumps({"version": version, "checksum": checksum(data), "data": data}).encode()


def entry(**changed: Any) -> Any:
    made = json.loads(render([CLAIM]))["data"]["claims"]["uid-1"]
    return {"claims": {"uid-1": {**made, **changed}}}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "claims by uid"),
        ({"claims": []}, "claims by uid"),
        ({"claims": {}, "more": 1}, "nothing else"),
        ({"claims": {"u": {}}}, "incomplete"),
        ({"claims": {"u": 7}}, "must be dict, is int"),
        (entry(namespace=1), "namespace must be str, is int"),
        (entry(more=1), "unknown fields more"),
        (entry(devices=[{}]), r"devices\[0\] is incomplete"),
        (entry(devices={}), "devices must be list"),
        (entry(devices=[]), "'prepared' with 0 devices"),
        (entry(state="preparing"), "'preparing' with 1 devices"),
        (entry(state=None), "None with 1 devices"),
    ],
)
def test_signed_nonsense_is_corrupt(checkpoint: Checkpoint, data: Any, fault: str) -> None:
    checkpoint.path.write_bytes(signed(data))
    with pytest.raises(CheckpointCorrupt, match=f"malformed.*{fault}"):
        checkpoint.load()


@pytest.mark.parametrize("version", ["v1", "v3", ""])
def test_version_that_the_driver_never_had(checkpoint: Checkpoint, version: str) -> None:
    checkpoint.path.write_bytes(signed({"claims": {}}, version))
    with pytest.raises(CheckpointCorrupt, match=f"version {version!r} is not known"):
        checkpoint.load()


def test_a_file_that_another_process_wrote_is_told_from_ours(tmp_path: Path) -> None:
    one, other = Checkpoint(tmp_path, FAKE), Checkpoint(tmp_path, FAKE)
    told = [one.changed()]
    one.save([CLAIM])
    told += [one.changed(), other.changed()]
    other.load()
    told += [other.changed()]
    other.save([])
    told += [one.changed()]
    other.remove()
    assert [*told, one.changed()] == [False, False, True, False, True, False]


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
