from fractions import Fraction

import pytest

from api.quantities import is_quantity, quantity


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("0", 0),
        ("80Gi", 80 * 1024**3),
        ("80G", 80 * 10**9),
        ("0.5Ki", 512),
        ("500m", Fraction(1, 2)),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("-1.5k", -1500),
        ("5.", 5),
        (".5", Fraction(1, 2)),
        ("1n", Fraction(1, 10**9)),
        ("1234567890123456789012345678901", 1234567890123456789012345678901),
        (7, 7),
        (0.5, Fraction(1, 2)),
    ],
)
def test_a_quantity_is_a_number(given: object, number: Fraction | int) -> None:
    assert quantity(given) == number
    assert is_quantity(given)


@pytest.mark.parametrize(
    "given",
    ["", "80GB", "1 Gi", "Gi", "1K", ".", "1e", "0x1", "1_0", "1\n", "٣Gi", "1e٣", "1e999", True],
)
def test_other_values_are_none(given: object) -> None:
    assert not is_quantity(given)
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(given)
