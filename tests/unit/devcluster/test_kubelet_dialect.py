"""How the minors differ."""

import pytest

from devcluster.kubelet.dialect import DIALECTS


@pytest.mark.parametrize("minor", DIALECTS)
def test_a_dialect_says_which_minor_it_is(minor: str) -> None:
    assert DIALECTS[minor].version.startswith(f"v{minor}.")


@pytest.mark.parametrize(("minor", "seconds"), [("1.27", 10.0), ("1.28", 45.0), ("1.31", 45.0)])
def test_how_long_a_call_may_take(minor: str, seconds: float) -> None:
    assert DIALECTS[minor].call_seconds == seconds


@pytest.mark.parametrize(
    ("property_", "minors"),
    [
        ("structured", {"1.34", "1.35", "1.36", "1.37"}),
        ("prepares_unused", {"1.31", "1.34", "1.35", "1.36", "1.37"}),
        ("shows_health", {"1.36", "1.37"}),
        ("monitors_resources", {"1.30"}),
        ("annotates", {"1.27", "1.28", "1.29", "1.30"}),
    ],
)
def test_who_does_what(property_: str, minors: set[str]) -> None:
    assert {minor for minor, d in DIALECTS.items() if getattr(d, property_)} == minors
