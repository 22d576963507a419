"""Manifests in the version that a cluster of the tests serves."""

from pathlib import Path

import pytest
import yaml

from tests.support.anycluster import ROOT
from tests.support.structuredcluster import served_text

MANIFESTS = [
    path
    for folder in ("demo/structured", "drivers/gpu/demo")
    for path in sorted((ROOT / folder).glob("*.yaml"))
]
ONLY_V1 = "kind: DeviceTaintRule"
CONVERTIBLE = [path for path in MANIFESTS if ONLY_V1 not in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda it: it.stem)
@pytest.mark.parametrize("minor", [34, 37])
def test_a_manifest_stays_where_its_version_is_served(path: Path, minor: int) -> None:
    """Also of a kind that has no older version."""
    text = path.read_text(encoding="utf-8")
    written = [obj for obj in yaml.safe_load_all(text) if obj]
    assert list(yaml.safe_load_all(served_text(minor, text))) == written


@pytest.mark.parametrize("path", CONVERTIBLE, ids=lambda it: it.stem)
@pytest.mark.parametrize("minor", [32, 33])
def test_a_manifest_is_converted_where_its_version_is_not_served(path: Path, minor: int) -> None:
    text = path.read_text(encoding="utf-8")
    versions = {obj["apiVersion"] for obj in yaml.safe_load_all(served_text(minor, text)) if obj}
    assert "resource.k8s.io/v1" not in versions
