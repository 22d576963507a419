"""Shows prepared claims to nobody: a structured driver's are known from the ResourceClaims.

Called by `dra.devicestate.state` through its port.
"""

from collections.abc import Iterable

from dra.devicestate.directory import CdiDirectory
from dra.devicestate.publisher import Change
from dra.driver import PreparedClaim


class Nothing:
    """A `dra.devicestate.publisher.Publisher` without anything to publish."""

    def __init__(self, directory: CdiDirectory) -> None:
        """Know prepared claims from the CDI files that containers get them by."""
        self._directory = directory

    def check(self) -> None:
        """Find nothing wrong."""

    def published(self) -> list[PreparedClaim]:
        """Return what the CDI files show: devices without pools, and no names of claims.

        Raises:
            CdiWriteFailed: the directory cannot be read.
        """
        return self._directory.claims()

    def restore(self, claims: Iterable[PreparedClaim]) -> None:
        """Do nothing."""

    def submit(self, change: Change) -> None:
        """Do nothing."""

    def flush(self, change: Change) -> None:
        """Do nothing."""
