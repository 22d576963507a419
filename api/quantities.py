"""Quantities, such as `80Gi` or `500m`, as exact numbers.

Source: apimachinery pkg/api/resource/quantity.go.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_POWERS: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18
}  # fmt: skip
_BINARY: Final = {f"{sign}i": 1024 ** (n + 1) for n, sign in enumerate("KMGTPE")}
_KIBI: Final = 1024
_DECIMAL: Final = {power: suffix for suffix, power in _POWERS.items()}
_MOST_POWER: Final = 64
_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE][+-]?[0-9]{1,4})"
)


def quantity(given: object) -> Fraction:
    """Return the number that a quantity stands for; JSON has some as numbers.

    Raises:
        ValueError: it is none.
    """
    number = _number(str(given)) if not isinstance(given, bool) else None
    if number is None:
        raise ValueError(f"{given!r} is no quantity")
    return number


@lru_cache(maxsize=4096)
def _number(text: str) -> Fraction | None:
    match = _QUANTITY.fullmatch(text)
    power = _power(match["suffix"]) if match else None
    return Fraction(match["number"]) * power if match and power is not None else None


def is_quantity(given: object) -> bool:
    """Tell whether a value is one."""
    try:
        quantity(given)
    except ValueError:
        return False
    return True


def canonical(number: Fraction, like: str) -> str:
    """Return a number as Kubernetes writes it.

    Args:
        number: what is finer than 1n is rounded up.
        like: a quantity with the kind of suffix to use: binary, decimal or an exponent.
    """
    match = _QUANTITY.fullmatch(like)
    suffix = match["suffix"] if match else ""
    if suffix in _BINARY and abs(number) >= _KIBI:
        whole, power = _shortened(-(-number // 1), _KIBI)
        return f"{whole}{('', *_BINARY)[power]}"
    whole, power = _shortened(-(-number * 10**9 // 1), 1000)
    exponent = 3 * power - 9 if whole else 0
    if suffix[:1] in ("e", "E") and suffix[1:]:
        return f"{whole}e{exponent}" if exponent else str(whole)
    return f"{whole}{_DECIMAL[exponent]}" if exponent in _DECIMAL else f"{whole}e{exponent}"


def _shortened(whole: int, base: int) -> tuple[int, int]:
    power = 0
    while whole and whole % base == 0 and not (base == _KIBI and power == len(_BINARY)):
        whole, power = whole // base, power + 1
    return whole, power


def _power(suffix: str) -> Fraction | None:
    if suffix in _BINARY:
        return Fraction(_BINARY[suffix])
    power = _POWERS[suffix] if suffix in _POWERS else int(suffix[1:])
    return Fraction(10) ** power if abs(power) <= _MOST_POWER else None
