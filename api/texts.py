"""Words for messages, which have to stay short."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return a number of things, the noun of which has a regular plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first `most` names, and how many there are besides."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
