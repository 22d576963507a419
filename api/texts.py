"""Lists in messages, which have to stay short."""

from collections.abc import Sequence


def listed(names: Sequence[str], most: int) -> str:
    """Return the first `most` names, and how many there are besides."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
