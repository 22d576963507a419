"""How long to wait after failures in a row: doubled each time, up to a limit; pure.

Source: client-go util/workqueue, ItemExponentialFailureRateLimiter.
"""

from dataclasses import dataclass

_MOST_DOUBLINGS = 64  # long after any limit, and long before a float overflows


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses of one kind of work.

    Attributes:
        first: seconds after the first failure.
        longest: seconds at the most.
    """

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Return the seconds after some failures in a row; 0 after none."""
        if failures < 1:
            return 0.0
        doubled: float = self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(doubled, self.longest)

    def jittered(self, failures: int, chance: float) -> float:
        """Return the same, shortened by up to half; `chance` is in [0, 1)."""
        return self.pause(failures) * (1 + chance) / 2
