"""Seconds for whoever takes a clock or a sleep as an argument."""


class Clock:
    """Monotonic seconds or those of the day; they pass when told to, or by a step at each look.

    Attributes:
        now: what it shows.
        sleeps: how long was slept each time.
    """

    def __init__(self, now: float = 0.0, *, step: float = 0.0) -> None:
        self.now = now
        self.sleeps: list[float] = []
        self._step = step

    def __call__(self) -> float:
        """Return what it shows, after a step."""
        self.now += self._step
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, and note how much."""
        self.sleeps.append(seconds)
        self.now += seconds
