"""Quantities, such as `80Gi`, as exact numbers.

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go.
"""

import re
from fractions import Fraction
from typing import Final

_SHAPE: Final = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?"
)
_MOST_POWER: Final = 64
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final[dict[str, int]] = {f"{sign}i": 1024 ** (n + 1) for n, sign in enumerate("KMGTPE")}


def parse_quantity(given: object) -> Fraction | None:
    """Return a quantity as a number, None if it is none."""
    match = _SHAPE.fullmatch(str(given)) if not isinstance(given, bool) else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if suffix in _BINARY:
        return Fraction(number) * _BINARY[suffix]
    power = int(exponent[1:]) if exponent else _DECIMAL.get(suffix, 0)
    if abs(power) > _MOST_POWER:
        return None
    factor: int = 10 ** abs(power)
    return Fraction(number) * factor if power >= 0 else Fraction(number) / factor
