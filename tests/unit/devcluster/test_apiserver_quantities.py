"""Quantities as numbers."""

from fractions import Fraction

import pytest

from devcluster.apiserver.quantities import parse_quantity


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("80Gi", 80 * 1024**3),
        ("80G", 80 * 10**9),
        ("1.5k", 1500),
        ("100m", Fraction(1, 10)),
        ("-1e3", -1000),
        ("1E2", 100),
        ("1E", 10**18),
        (".5", Fraction(1, 2)),
        ("1.", 1),
        (7, 7),
        (0.5, Fraction(1, 2)),
        ("80GB", None),
        ("", None),
        ("1 Gi", None),
        ("1e999999999", None),
        (True, None),
    ],
)
def test_quantity(given: object, number: Fraction | None) -> None:
    assert parse_quantity(given) == number
