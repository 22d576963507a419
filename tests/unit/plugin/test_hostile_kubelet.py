"""A kubelet that repeats, cancels and overlaps its calls."""

from pathlib import Path

import pytest

from tests.support.overlapping import Overlapping


def test_overlapping_calls_agree_at_the_end(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)
    assert Overlapping(short_path).wrong(200, 1) == []


def test_disagreement_is_told(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Overlapping(short_path)
    monkeypatch.setattr(made.rig.node_state, "write_prepared", lambda *_, **__: None)
    assert made.wrong(8, 1) != []
