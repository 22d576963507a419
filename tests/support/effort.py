"""How much the random tests try: FUZZ=10 in the environment is ten times as much as usual."""

import os

VARIABLE = "FUZZ"


def tries(usual: int) -> int:
    """Return how many random inputs or lives a test makes instead of `usual`, at least one.

    Raises:
        ValueError: FUZZ is no positive number.
    """
    factor = float(os.environ.get(VARIABLE) or 1)
    if not 0 < factor < float("inf"):
        raise ValueError(f"{VARIABLE}={factor}: give a positive number, such as 0.1 or 10")
    return max(1, round(usual * factor))
