"""The claims that are prepared on this node, and the only code that changes them.

CDI files, checkpoint and what is published each hold the set; the checkpoint is the one that
counts. A call makes all three agree with what it wants, in a fixed order, so that a process killed
after any single write is put right by the kubelet's retry or by the next start:

    up     CDI file, checkpoint, publisher, answer to the kubelet
    down   CDI file, checkpoint, publisher, answer to the kubelet

A file without checkpoint entry is therefore rubbish, and an entry without file lost its file. The
files change under one lock, under which the publisher is told too; the calls wait for it after
that. Called by `plugin.driver` for the kubelet, by `plugin.sync` and `dra.garbage` on their own.
Source: KEP-3063 on idempotence; kubernetes pkg/kubelet/cm/dra/manager.go for when calls repeat.
"""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from api.errors import DriverError
from api.objects import ClaimUID
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.prepared import PreparedClaim, check_free
from dra.devicestate.publisher import Change, Precondition, Publisher
from dra.errors import (
    AllocationChanged,
    CheckpointCorrupt,
    InvalidCdiSpec,
    InvalidClaimUid,
    PluginStopped,
)
from dra.repairs import Repair, Report
from ops.logs import get_logger

_LOG = get_logger("state")


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """A claim in the checkpoint.

    Attributes:
        claim: with its devices.
        call: number of the call that prepared it last.
        certain: whether its devices are; if not, it is prepared once it was published.
    """

    claim: PreparedClaim
    call: int
    certain: bool = True


class State:
    """The prepared claims; every method may be called from any thread."""

    def __init__(
        self,
        directory: CdiDirectory,
        checkpoint: Checkpoint,
        publisher: Publisher,
        *,
        report: Report,
    ) -> None:
        """Keep prepared claims in three places.

        Args:
            directory: of the CDI files.
            checkpoint: what counts when the three differ.
            publisher: shows the claims to others.
            report: tells people what had to be repaired.
        """
        self._directory = directory
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._report = report
        self._lock = threading.Lock()
        self._calls = itertools.count(1)
        self._entries: dict[ClaimUID, CheckpointEntry] = {}
        self._left = False

    def recover(self) -> None:
        """Take up what an earlier process left; call it before anything else, again if it fails.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            NodeError: the checkpoint or a CDI file cannot be written.
            DriverError: of the publisher.
        """
        with self._lock:
            self._publisher.check()
            claims = self._load()
            self._directory.ensure_common()
            self._mend_directory(claims)
            self._entries = {
                uid: CheckpointEntry(claim, next(self._calls)) for uid, claim in claims.items()
            }
        self._publisher.restore(claims.values())

    def prepare(self, claim: PreparedClaim, precondition: Precondition | None = None) -> None:
        """Make the claim prepared with exactly these devices; any number of times.

        Args:
            claim: with its devices.
            precondition: under which its devices are right, None if they are certain. Then the
                claim is prepared only if the publisher finds that it holds.

        Raises:
            AllocationChanged: it does not hold, or another call prepares the claim too; nothing
                was changed.
            DeviceInUse: another claim has one of the devices; nothing was changed.
            PluginStopped: after `leave`; nothing was changed.
            NodeError: a file cannot be written.
            DriverError: of the publisher; the next call goes on from there.
        """
        change = self._take(claim, precondition)
        try:
            self._publisher.flush(change)
        except DriverError:
            self._withdraw(change)
            raise
        if precondition is not None:
            self._confirm(change)
            if self.find(claim.uid) != claim:
                raise AllocationChanged(f"{claim} was changed by another call meanwhile; try again")

    def unprepare(self, uid: ClaimUID) -> None:
        """Forget the claim everywhere; one that was never prepared is fine.

        Raises:
            NodeError: a file cannot be written or removed.
            DriverError: of the publisher; the next call goes on from there.
        """
        with self._lock:
            change = self._drop(uid)
        self._publisher.flush(change)

    def discard(self, entry: CheckpointEntry) -> bool:
        """Unprepare a claim, unless it was prepared again since its entry was read.

        Returns:
            Whether the claim is gone.
        """
        uid = entry.claim.uid
        with self._lock:
            present = self._entries.get(uid)
            if present is None or present.call != entry.call:
                return False
            change = self._drop(uid)
        self._publisher.flush(change)
        return True

    def mend_files(self) -> None:
        """Make the checkpoint and the CDI files say again what is prepared, if others changed them.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            NodeError: the checkpoint or a CDI file cannot be written.
        """
        with self._lock:
            if self._left:
                return
            claims = {uid: entry.claim for uid, entry in self._entries.items()}
            self._mend_checkpoint(claims)
            self._directory.ensure_common()
            self._mend_directory(claims)

    def leave(self) -> None:
        """Take the node's files away for good, unless a claim is prepared.

        The next start makes them again; if the driver is uninstalled there is none.

        Raises:
            NodeError: a file cannot be removed.
        """
        with self._lock:
            if self._entries:
                return
            self._left = True
            self._directory.remove_common()
            self._checkpoint.remove()

    def find(self, uid: ClaimUID) -> PreparedClaim | None:
        """Return the claim if it is prepared, and not only about to be under a precondition."""
        with self._lock:
            entry = self._entries.get(uid)
            return entry.claim if entry and entry.certain else None

    def entries(self) -> list[CheckpointEntry]:
        """Return all entries of the checkpoint."""
        with self._lock:
            return list(self._entries.values())

    def _take(self, claim: PreparedClaim, precondition: Precondition | None) -> Change:
        """Write the files of a claim."""
        with self._lock:
            if self._left:
                raise PluginStopped(
                    f"the plugin has stopped, {claim} is prepared when it has started again; "
                    "if it does not, see why its pod is gone"
                )
            entry = self._entries.get(claim.uid)
            if precondition is not None and entry is not None:
                raise AllocationChanged(f"{claim} was prepared by another call; try again")
            self._publisher.check()
            others = self._others(claim.uid)
            check_free(claim, others)
            self._directory.ensure(claim)
            if entry is None or entry.claim != claim:
                self._checkpoint.save([*others, claim])
            change = Change(next(self._calls), claim.uid, claim, precondition)
            certain = precondition is None
            self._entries[claim.uid] = CheckpointEntry(claim, change.call, certain)
            self._publisher.submit(change)
            return change

    def _drop(self, uid: ClaimUID) -> Change:
        """Remove the files of a claim; called with the lock."""
        self._publisher.check()
        self._forget(uid)
        change = Change(next(self._calls), uid)
        self._publisher.submit(change)
        return change

    def _forget(self, uid: ClaimUID) -> None:
        self._directory.remove(uid)
        if uid in self._entries:
            self._checkpoint.save(self._others(uid))
            del self._entries[uid]

    def _confirm(self, change: Change) -> None:
        """Call the devices of a change certain, now that its precondition held."""
        with self._lock:
            entry = self._entries.get(change.uid)
            if entry is not None and entry.call == change.call:
                self._entries[change.uid] = replace(entry, certain=True)

    def _withdraw(self, change: Change) -> None:
        """Forget a claim whose precondition does not hold; leave others to the next call."""
        with self._lock:
            entry = self._entries.get(change.uid)
            if entry is not None and entry.call == change.call and not entry.certain:
                self._forget(change.uid)

    def _others(self, uid: ClaimUID) -> list[PreparedClaim]:
        return [entry.claim for entry in self._entries.values() if entry.claim.uid != uid]

    def _mend_checkpoint(self, claims: Mapping[ClaimUID, PreparedClaim]) -> None:
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

    def _mend_directory(self, claims: Mapping[ClaimUID, PreparedClaim]) -> None:
        found = self._directory.survey(claims.values())
        for claim in claims.values():
            self._directory.ensure(claim)
        self._directory.collect(claims)
        for uid in found.missing:
            self._report(Repair.FILE_MISSING, f"CDI file of {claims[uid]} was missing, written")
        for uid in found.wrong:
            self._report(Repair.FILE_WRONG, f"CDI file of {claims[uid]} was wrong, written anew")
        for name in found.surplus:
            self._report(
                Repair.FILE_SURPLUS, f"CDI file {name} belongs to no prepared claim, removed"
            )

    def _load(self) -> dict[ClaimUID, PreparedClaim]:
        try:
            return self._checkpoint.load()
        except CheckpointCorrupt as error:
            rebuilt = self._rebuild()
            aside = self._checkpoint.keep_aside()
            self._checkpoint.save(rebuilt.values())
            self._report(
                Repair.CHECKPOINT,
                f"{error}; rebuilt with {len(rebuilt)} prepared claims from what the API "
                f"server shows, the file is kept as {aside}",
            )
            return rebuilt

    def _rebuild(self) -> dict[ClaimUID, PreparedClaim]:
        """Return the claims that are published, with labels as in their CDI files."""
        rebuilt: dict[ClaimUID, PreparedClaim] = {}
        for shown in self._publisher.published():
            try:
                label = self._directory.find_label(shown.uid) or shown.name
                claim = replace(shown, label=label)
                self._directory.check(claim)
            except (InvalidClaimUid, InvalidCdiSpec) as error:
                _LOG.warning("Published claim left out", err=str(error))
            else:
                rebuilt[claim.uid] = claim
        return rebuilt
