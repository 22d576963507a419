"""The file of held claims."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.kubelet.checkpoint import Checkpoint, ClaimInfo, Handle
from devcluster.kubelet.draclient import CdiDevice
from devcluster.kubelet.errors import CheckpointCorrupt
from tests.support.tables import cases

CLAIM = ClaimInfo(
    "ns",
    "claim",
    "uid",
    (Handle("driver", "data"), Handle("other")),
    frozenset({"pod-1", "pod-2"}),
    {"driver": (CdiDevice("a/b=c", frozenset({"r1", "r2"})), CdiDevice("a/b=d"))},
)

texts = st.text(max_size=8)
claims = st.builds(
    ClaimInfo,
    namespace=texts,
    name=texts,
    uid=texts,
    handles=st.lists(st.builds(Handle, texts, texts), max_size=2).map(tuple),
    pods=st.frozensets(texts, max_size=3),
    devices=st.dictionaries(
        texts,
        st.lists(st.builds(CdiDevice, texts, st.frozensets(texts, max_size=2)), max_size=2).map(
            tuple
        ),
        max_size=2,
    ),
)


def test_nothing_was_stored(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "state").load() == []


@given(held=st.lists(claims, max_size=3))
def test_what_was_stored_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, held: list[ClaimInfo]
) -> None:
    checkpoint = Checkpoint(tmp_path_factory.mktemp("checkpoint") / "state")
    checkpoint.store(held)
    assert checkpoint.load() == held


def test_the_last_store_wins_and_leaves_one_file(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state")
    checkpoint.store([CLAIM])
    checkpoint.store([])
    assert checkpoint.load() == []
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@cases(
    ("damage", "text"),
    {
        "cut": (lambda text: text[:-10], "cannot be read"),
        "changed": (lambda text: text.replace("pod-1", "pod-3"), "checksum"),
        "version": (lambda text: text.replace('"v1"', '"v0"'), "version 'v0' is not 'v1'"),
        "list": (lambda text: "[]", "cannot be read"),
        "empty-object": (lambda text: "{}", "version"),
        "empty": (lambda text: "", "cannot be read"),
    },
)
def test_a_damaged_file_is_refused_with_a_remedy(tmp_path: Path, damage: object, text: str) -> None:
    path = tmp_path / "state"
    Checkpoint(path).store([CLAIM])
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(CheckpointCorrupt, match=text) as failure:
        Checkpoint(path).load()
    assert str(path) in str(failure.value)
    assert "remove the file" in str(failure.value)


def test_a_claim_without_fields_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint = Checkpoint(path)
    checkpoint.store([])
    content = json.loads(path.read_text())
    checkpoint.store([CLAIM])
    entries = json.loads(path.read_text())["claims"]
    path.write_text(json.dumps({**content, "claims": entries}))
    with pytest.raises(CheckpointCorrupt):
        checkpoint.load()
