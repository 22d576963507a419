from decimal import Decimal

import pytest

from api.quantities import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("80Gi", "85899345920"),
        ("0.5Ki", "512"),
        ("500m", "0.5"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1000000000000000000"),
        ("-1.5k", "-1500"),
        ("5.", "5"),
        (".5", "0.5"),
        ("1n", "0.000000001"),
    ],
)
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "80GB", "1 Gi", "Gi", "1K", ".", "1e", "0x1", "1_0", "1\n"])
def test_other_texts_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)
