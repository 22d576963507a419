"""The claims that are prepared on this node, and the only code that changes them.

CDI files, checkpoint and NAS each hold the set; the checkpoint is the one that counts. A call makes
all three agree with what it wants, in a fixed order, so that a process killed after any single
write is put right by the kubelet's retry or by the next start:

    up     CDI file, checkpoint, NAS, answer to the kubelet
    down   CDI file, checkpoint, NAS, answer to the kubelet

A file without checkpoint entry is therefore rubbish, and an entry without file lost its file. The
files change under one lock, the NAS after it and for several calls at once, see dra.publish.nas.
Called by `plugin.driver` for the kubelet, by `plugin.sync` and `plugin.garbage` on their own.
Source: KEP-3063 on idempotence; kubernetes pkg/kubelet/cm/dra/manager.go for when calls repeat.
"""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from api.errors import DriverError
from api.nas import AllocatedClaim, NodeAllocationState
from api.objects import JSON, ClaimUID
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.prepared import Devices, PreparedClaim, check_free
from dra.errors import (
    AllocationChanged,
    CheckpointCorrupt,
    InvalidCdiSpec,
    InvalidClaimUid,
    PluginStopped,
)
from dra.publish.nas import NodeRecord, Publisher, Snapshot, Unshown
from dra.repairs import Repair, Report
from ops.logs import get_logger

_LOG = get_logger("state")


@dataclass(frozen=True, slots=True)
class Holding:
    """A prepared claim and the number of the call that prepared it last."""

    claim: PreparedClaim
    call: int


class State:
    """The prepared claims; every method may be called from any thread."""

    def __init__(
        self,
        directory: CdiDirectory,
        checkpoint: Checkpoint,
        record: NodeRecord,
        *,
        report: Report,
    ) -> None:
        """Keep prepared claims in three places.

        Args:
            directory: of the CDI files.
            checkpoint: what counts when the three differ.
            record: the node's NAS.
            report: tells people what had to be repaired.
        """
        self._directory = directory
        self._checkpoint = checkpoint
        self._record = record
        self._report = report
        self._lock = threading.Lock()
        self._calls = itertools.count(1)
        self._held: dict[ClaimUID, Holding] = {}
        self._unshown: dict[ClaimUID, Unshown] = {}
        self._publisher = Publisher(record, self._snapshot, self._shown)
        self._left = False

    def recover(self) -> None:
        """Take up what an earlier process left; call it before anything else, again if it fails.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            NodeError: the checkpoint or a CDI file cannot be written.
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        with self._lock:
            shown = self._record.current()
            claims = self._load(shown)
            self._directory.ensure_common()
            self._mend_directory(claims)
            self._held = {uid: Holding(claim, next(self._calls)) for uid, claim in claims.items()}
        self.reconcile()

    def prepare(self, claim: PreparedClaim, seen: JSON | None = None) -> None:
        """Make the claim prepared with exactly these devices; any number of times.

        Args:
            claim: with its devices.
            seen: the allocation in the watch cache that the devices are from, None if it was read
                live. Then the claim is prepared only if that is what the API server has.

        Raises:
            AllocationChanged: it has another allocation than `seen`, or another call prepares the
                claim too; nothing was changed.
            DeviceInUse: another claim has one of the devices; nothing was changed.
            PluginStopped: after `leave`; nothing was changed.
            NodeError: a file cannot be written.
            MalformedState: the NAS cannot be read; nothing was changed.
            KubeError: the NAS cannot be written; the next call goes on from there.
        """
        call = self._take(claim, seen)
        self._show(claim.uid, call)
        if seen is not None and self.find(claim.uid) != claim:
            raise AllocationChanged(f"{claim} was changed by another call meanwhile; try again")

    def unprepare(self, uid: ClaimUID) -> None:
        """Forget the claim everywhere; one that was never prepared is fine.

        Raises:
            NodeError: a file cannot be written or removed.
            MalformedState: the NAS cannot be read; nothing was changed.
            KubeError: the NAS cannot be written; the next call goes on from there.
        """
        with self._lock:
            call = self._drop(uid)
        self._show(uid, call)

    def discard(self, seen: Holding) -> bool:
        """Unprepare a claim, unless it was prepared again since it was seen.

        Returns:
            Whether the claim is gone.
        """
        with self._lock:
            if self._held.get(seen.claim.uid) != seen:
                return False
            call = self._drop(seen.claim.uid)
        self._show(seen.claim.uid, call)
        return True

    def reconcile(self) -> None:
        """Make the NAS show the prepared claims, whatever others wrote there."""
        wrong = self._publisher.mend()
        if wrong:
            told = ", ".join(wrong)
            self._report(Repair.PREPARED, f"preparedDevices was wrong about claim {told}, written")

    def mend_files(self) -> None:
        """Make the checkpoint and the CDI files say again what is prepared, if others changed them.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            NodeError: the checkpoint or a CDI file cannot be written.
        """
        with self._lock:
            if self._left:
                return
            claims = {uid: held.claim for uid, held in self._held.items()}
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
            if self._held:
                return
            self._left = True
            self._directory.remove_common()
            self._checkpoint.remove()

    def find(self, uid: ClaimUID) -> PreparedClaim | None:
        """Return the claim if it is prepared, and not only about to be by what the cache says."""
        with self._lock:
            held, change = self._held.get(uid), self._unshown.get(uid)
            doubtful = change is not None and change.seen is not None
            return held.claim if held and not doubtful else None

    def holdings(self) -> list[Holding]:
        """Return all prepared claims."""
        with self._lock:
            return list(self._held.values())

    def _take(self, claim: PreparedClaim, seen: JSON | None) -> int:
        """Write the files of a claim; return the number of the call."""
        with self._lock:
            if self._left:
                raise PluginStopped(
                    f"the plugin has stopped, {claim} is prepared when it has started again; "
                    "if it does not, see why its pod is gone"
                )
            held = self._held.get(claim.uid)
            if seen is not None and held is not None:
                raise AllocationChanged(f"{claim} was prepared by another call; try again")
            self._record.current()
            check_free(claim, self._others(claim.uid))
            self._directory.ensure(claim)
            if held is None or held.claim != claim:
                self._checkpoint.save([*self._others(claim.uid), claim])
            call = next(self._calls)
            self._held[claim.uid] = Holding(claim, call)
            self._unshown[claim.uid] = Unshown(call, seen)
            return call

    def _drop(self, uid: ClaimUID) -> int:
        """Remove the files of a claim; return the number of the call."""
        self._record.current()
        self._forget(uid)
        call = next(self._calls)
        self._unshown[uid] = Unshown(call, None)
        return call

    def _forget(self, uid: ClaimUID) -> None:
        self._directory.remove(uid)
        if uid in self._held:
            self._checkpoint.save(self._others(uid))
            del self._held[uid]

    def _show(self, uid: ClaimUID, call: int) -> None:
        try:
            self._publisher.show(uid)
        except DriverError:
            self._withdraw(uid, call)
            raise

    def _withdraw(self, uid: ClaimUID, call: int) -> None:
        """Leave the claim to the next call; what was not tested is not prepared."""
        with self._lock:
            own = self._unshown.get(uid)
            if own is None or own.call != call:
                return
            if own.seen is not None:
                self._forget(uid)
            del self._unshown[uid]

    def _snapshot(self) -> Snapshot:
        with self._lock:
            claims = {uid: held.claim for uid, held in self._held.items()}
            return Snapshot(claims, dict(self._unshown))

    def _shown(self, changes: Mapping[ClaimUID, Unshown]) -> None:
        with self._lock:
            for uid, change in changes.items():
                if self._unshown.get(uid) == change:
                    del self._unshown[uid]

    def _others(self, uid: ClaimUID) -> list[PreparedClaim]:
        return [held.claim for held in self._held.values() if held.claim.uid != uid]

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

    def _load(self, shown: NodeAllocationState) -> dict[ClaimUID, PreparedClaim]:
        try:
            return self._checkpoint.load()
        except CheckpointCorrupt as error:
            rebuilt = dict(self._rebuild(shown))
            aside = self._checkpoint.keep_aside()
            self._checkpoint.save(rebuilt.values())
            self._report(
                Repair.CHECKPOINT,
                f"{error}; rebuilt with {len(rebuilt)} prepared claims from the "
                f"NodeAllocationState, the file is kept as {aside}",
            )
            return rebuilt

    def _rebuild(self, shown: NodeAllocationState) -> dict[ClaimUID, PreparedClaim]:
        """Return the claims that the NAS shows as prepared, with labels as in their CDI files."""
        rebuilt: dict[ClaimUID, PreparedClaim] = {}
        for uid, devices in shown.prepared.items():
            try:
                label = self._directory.find_label(uid)
                claim = restored(uid, devices, shown.allocated.get(uid), label)
                self._directory.check(claim)
            except (InvalidClaimUid, InvalidCdiSpec) as error:
                _LOG.warning("Prepared claim of the NodeAllocationState left out", err=str(error))
            else:
                rebuilt[uid] = claim
        return rebuilt


def restored(
    uid: ClaimUID, devices: Devices, allocated: AllocatedClaim | None, label: str
) -> PreparedClaim:
    """Return a prepared claim as far as a NAS tells; names are empty where it does not."""
    namespace, name = (allocated.namespace, allocated.name) if allocated else ("", "")
    return PreparedClaim(uid, namespace, name, label or name, devices)
