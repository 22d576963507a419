"""What the state of a node's claims needs of whoever shows them to others: a port.

The state tells every change as a value, in order and at once, and waits for it to be published
afterwards, so that one write may publish the changes of all calls that wait. Implemented in
`dra.publish`; called by `state`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType, Protocol

from api.objects import ClaimUID
from dra.driver import PreparedClaim

Precondition = NewType("Precondition", object)
"""What must not have changed when a claim is published; only its publisher looks into it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a call did to a claim.

    Attributes:
        call: its number; no two changes have the same.
        uid: of the claim.
        claim: as it is prepared now, None if it is not any more.
        precondition: of publishing it; None if the devices are certain.
    """

    call: int
    uid: ClaimUID
    claim: PreparedClaim | None = None
    precondition: Precondition | None = None


class Publisher(Protocol):
    """Shows the prepared claims of a node; every method may be called from any thread."""

    def check(self) -> None:
        """Raise a DriverError if nothing could be published at present."""

    def published(self) -> list[PreparedClaim]:
        """Return the claims that are shown as prepared, as far as that tells what they are.

        Raises:
            DriverError: that cannot be told.
        """

    def restore(self, claims: Iterable[PreparedClaim]) -> None:
        """Publish exactly these claims; called before any change.

        Raises:
            DriverError: they are not published; restore them again.
        """

    def submit(self, change: Change) -> None:
        """Take a change over, after all earlier ones; waits for nothing."""

    def flush(self, change: Change) -> None:
        """Publish a submitted change, unless it is published or overtaken by a newer one.

        Raises:
            DriverError: it is not published. A change with a precondition is withdrawn: the claim
                is not prepared. Any other is published by the next chance.
        """
