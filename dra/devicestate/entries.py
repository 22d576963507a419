"""What the state knows of a claim beside the checkpoint. Called by the state and its callers."""

from dataclasses import dataclass

from dra.driver import PreparedClaim


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """A claim in the checkpoint.

    Attributes:
        claim: with its devices; none while it is only preparing.
        call: number of the call that changed it last.
        certain: whether its devices are; if not, it is prepared once it was published.
        shown: whether the publisher took it; if not, the call that prepared it has failed.
    """

    claim: PreparedClaim
    call: int
    certain: bool = True
    shown: bool = True

    @property
    def prepared(self) -> bool:
        """Whether the claim is prepared, and not only about to be."""
        return self.certain and bool(self.claim.devices)
