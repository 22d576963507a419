"""What a life of the driver is there for: promises, of which a refused request breaks some."""

from collections.abc import Callable
from contextlib import suppress

from api.errors import DriverError


class Promises:
    """Promises in the order in which they are made.

    Attributes:
        kept: those that were kept.
        made: those that there were.
    """

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.made: list[str] = []

    def promise(self, text: str, is_kept: Callable[[], bool]) -> None:
        """Note whether something is so."""
        kept = False
        with suppress(DriverError):
            kept = is_kept()
        self.note(text, kept)

    def note(self, text: str, kept: bool) -> None:
        """Note what is known already."""
        self.made.append(text)
        if kept:
            self.kept.add(text)

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do something that may be refused; tell whether it was done."""
        try:
            act()
        except DriverError:
            return False
        return True
