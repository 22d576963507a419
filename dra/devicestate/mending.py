"""What is done about files that are missing, damaged or changed by others, and told to people.

Called by `state` under its lock.
"""

from collections.abc import Callable, Iterable, Mapping

from api.objects import ClaimUID
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.prepared import Remake, checked
from dra.driver import PreparedClaim
from dra.errors import CheckpointCorrupt, InvalidCdiSpec, InvalidClaimUid
from dra.repairs import Repair, Report
from ops.logs import get_logger

_LOG = get_logger("state")


class Mender:
    """Mends the checkpoint and the CDI files of one node."""

    def __init__(
        self, directory: CdiDirectory, checkpoint: Checkpoint, report: Report, remake: Remake
    ) -> None:
        """Mend files; `remake` completes the claims of which only the publisher knows."""
        self._directory = directory
        self._checkpoint = checkpoint
        self._report = report
        self._remake = remake

    def load(
        self, published: Callable[[], Iterable[PreparedClaim]]
    ) -> dict[ClaimUID, PreparedClaim]:
        """Return the claims of the checkpoint, or those that are published if it is corrupt.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            CheckpointWriteFailed: the checkpoint cannot be written.
            DriverError: of the publisher.
        """
        try:
            return self._checkpoint.load()
        except CheckpointCorrupt as error:
            rebuilt = self._rebuild(published())
            aside = self._checkpoint.keep_aside()
            self._checkpoint.save(rebuilt.values())
            self._report(
                Repair.CHECKPOINT,
                f"{error}; rebuilt with {len(rebuilt)} prepared claims from what is "
                f"published, the file is kept as {aside}",
            )
            return rebuilt

    def mend_checkpoint(self, claims: Mapping[ClaimUID, PreparedClaim]) -> None:
        """Make the checkpoint have exactly these claims.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            CheckpointWriteFailed: the checkpoint cannot be written.
        """
        try:
            if self._checkpoint.load() == claims:
                return
            what = f"{self._checkpoint.path} was changed or removed by others"
        except CheckpointCorrupt as error:
            what = f"{error}; the file is kept as {self._checkpoint.keep_aside()}"
        self._checkpoint.save(claims.values())
        self._report(
            Repair.CHECKPOINT,
            f"{what}; written anew with {len(claims)} prepared claims from memory",
        )

    def mend_directory(self, claims: Mapping[ClaimUID, PreparedClaim]) -> None:
        """Make the CDI files those of these claims, as far as they are prepared.

        Raises:
            CdiWriteFailed: a file cannot be written or removed.
        """
        self._directory.ensure_common()
        prepared = [claim for claim in claims.values() if claim.devices]
        found = self._directory.compare(prepared)
        for claim in prepared:
            self._directory.ensure(claim)
        self._directory.collect(prepared)
        for uid in found.missing:
            self._report(Repair.FILE_MISSING, f"CDI file of {claims[uid]} was missing, written")
        for uid in found.wrong:
            self._report(Repair.FILE_WRONG, f"CDI file of {claims[uid]} was wrong, written anew")
        for name in found.surplus:
            self._report(
                Repair.FILE_SURPLUS, f"CDI file {name} belongs to no prepared claim, removed"
            )

    def _rebuild(self, published: Iterable[PreparedClaim]) -> dict[ClaimUID, PreparedClaim]:
        """Return the claims that are published, completed with what their CDI files tell."""
        rebuilt: dict[ClaimUID, PreparedClaim] = {}
        for shown in published:
            try:
                claim = checked(self._remake(shown, self._directory.read(shown.uid)))
                self._directory.check(claim)
            except (InvalidClaimUid, InvalidCdiSpec) as error:
                _LOG.warning("Published claim left out", err=str(error))
            else:
                rebuilt[claim.uid] = claim
        return rebuilt
