"""Which tests run on which cluster."""

from pathlib import Path

import pytest

from tests.support.choice import Choice


@pytest.mark.parametrize(
    ("k8s", "structured"),
    [("", False), ("1.30", False), ("1.31.4", False), ("1.32.1", True), ("1.34", True)],
    ids=["embedded", "classic", "last classic", "first structured", "by default"],
)
def test_kind_of_claims_of_a_version(k8s: str, structured: bool) -> None:
    assert Choice(k8s=k8s).is_structured is structured


def test_nothing_is_known_of_a_user_s_own_cluster(tmp_path: Path) -> None:
    assert not Choice(kubeconfig=str(tmp_path / "config")).is_structured
