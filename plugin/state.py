"""The claims that are prepared on this node, and the only code that changes them.

CDI files, checkpoint and NAS each hold the set; the checkpoint is the one that counts. A call makes
all three agree with what it wants, in a fixed order and under one lock, so that a process killed
after any single write is put right by the kubelet's retry or by the next start:

    up     CDI file, checkpoint, NAS, answer to the kubelet
    down   CDI file, checkpoint, NAS, answer to the kubelet

A file without checkpoint entry is therefore rubbish, and an entry without file lost its file.
Called by `plugin.driver` for the kubelet, by `plugin.sync` and `plugin.garbage` on their own.
Source: KEP-3063 on idempotence; kubernetes pkg/kubelet/cm/dra/manager.go for when calls repeat.
"""

import itertools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from api.nas import AllocatedClaim, NodeAllocationState
from api.objects import ClaimUID, DeviceID
from ops.logs import get_logger
from plugin import cdi
from plugin.cdi_directory import CdiDirectory
from plugin.checkpoint import Checkpoint
from plugin.errors import (
    CheckpointCorrupt,
    DeviceInUse,
    InvalidCdiSpec,
    InvalidClaimUid,
    PluginStopped,
)
from plugin.prepared import Devices, PreparedClaim
from plugin.repairs import Repair, Report

_LOG = get_logger("state")


class NodeRecord(Protocol):
    """The node's NAS, as far as prepared claims go."""

    def current(self) -> NodeAllocationState:
        """Return what the NAS shows, with every write of ours in it."""

    def write_prepared(self, changes: Mapping[ClaimUID, Devices | None], *, last: bool) -> None:
        """Change some entries of `preparedDevices`, or with `last` remove all of it."""


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
            self._mend_record(shown)

    def prepare(self, claim: PreparedClaim) -> None:
        """Make the claim prepared with exactly these devices; any number of times.

        Raises:
            DeviceInUse: another claim has one of the devices; nothing was changed.
            PluginStopped: after `leave`; nothing was changed.
            NodeError: a file cannot be written.
            MalformedState: the NAS cannot be read; nothing was changed.
            KubeError: the NAS cannot be written; the next call goes on from there.
        """
        with self._lock:
            if self._left:
                raise PluginStopped(
                    f"the plugin has stopped, {claim} is prepared when it has started again; "
                    "if it does not, see why its pod is gone"
                )
            shown = self._record.current()
            check_free(claim, self._others(claim.uid))
            self._directory.ensure(claim)
            held = self._held.get(claim.uid)
            if held is None or held.claim != claim:
                self._checkpoint.save([*self._others(claim.uid), claim])
            self._held[claim.uid] = Holding(claim, next(self._calls))
            self._publish(shown)

    def unprepare(self, uid: ClaimUID) -> None:
        """Forget the claim everywhere; one that was never prepared is fine.

        Raises:
            NodeError: a file cannot be written or removed.
            MalformedState: the NAS cannot be read; nothing was changed.
            KubeError: the NAS cannot be written; the next call goes on from there.
        """
        with self._lock:
            self._unprepare(uid)

    def discard(self, seen: Holding) -> bool:
        """Unprepare a claim, unless it was prepared again since it was seen.

        Returns:
            Whether the claim is gone.
        """
        with self._lock:
            if self._held.get(seen.claim.uid) != seen:
                return False
            self._unprepare(seen.claim.uid)
            return True

    def reconcile(self) -> None:
        """Make the NAS show the prepared claims, whatever others wrote there."""
        with self._lock:
            self._mend_record(self._record.current())

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
        """Return the claim if it is prepared."""
        with self._lock:
            held = self._held.get(uid)
            return held.claim if held else None

    def holdings(self) -> list[Holding]:
        """Return all prepared claims."""
        with self._lock:
            return list(self._held.values())

    def _unprepare(self, uid: ClaimUID) -> None:
        shown = self._record.current()
        self._directory.remove(uid)
        if uid in self._held:
            self._checkpoint.save(self._others(uid))
            del self._held[uid]
        self._publish(shown)

    def _others(self, uid: ClaimUID) -> list[PreparedClaim]:
        return [held.claim for held in self._held.values() if held.claim.uid != uid]

    def _publish(self, shown: NodeAllocationState) -> Mapping[ClaimUID, Devices | None]:
        changes = differences(shown.prepared, {u: h.claim for u, h in self._held.items()})
        if changes:
            self._record.write_prepared(changes, last=not self._held)
        return changes

    def _mend_record(self, shown: NodeAllocationState) -> None:
        changes = self._publish(shown)
        if changes:
            told = ", ".join(sorted(changes))
            self._report(Repair.PREPARED, f"preparedDevices was wrong about claim {told}, written")

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
                cdi.validate(cdi.claim_spec(claim))
            except (InvalidClaimUid, InvalidCdiSpec) as error:
                _LOG.warning("Prepared claim of the NodeAllocationState left out", err=str(error))
            else:
                rebuilt[uid] = claim
        return rebuilt


def check_free(claim: PreparedClaim, others: Iterable[PreparedClaim]) -> None:
    """Check that no device of a claim, nor its parent or a child of it, is another claim's.

    Allocations may be lost, with a NAS that is deleted, while containers use the devices.

    Raises:
        DeviceInUse: naming device and holder.
    """
    wanted = whole_devices(claim)
    for other in others:
        shared = wanted & whole_devices(other)
        if shared:
            raise DeviceInUse(
                f"device {', '.join(sorted(shared))} of {claim} is prepared for {other}; wait "
                "until the pods of that claim have ended, or delete them"
            )


def whole_devices(claim: PreparedClaim) -> frozenset[DeviceID]:
    """Return the ids of the node's devices that a claim has, whole or children of."""
    return frozenset(device.parent or device.id for device in claim.devices)


def differences(
    shown: Mapping[ClaimUID, Devices], wanted: Mapping[ClaimUID, PreparedClaim]
) -> dict[ClaimUID, Devices | None]:
    """Return the changes that turn `shown` into `wanted`; None removes an entry."""
    changes: dict[ClaimUID, Devices | None] = {
        uid: claim.devices for uid, claim in wanted.items() if shown.get(uid) != claim.devices
    }
    changes.update(dict.fromkeys(shown.keys() - wanted.keys()))
    return changes


def restored(
    uid: ClaimUID, devices: Devices, allocated: AllocatedClaim | None, label: str
) -> PreparedClaim:
    """Return a prepared claim as far as a NAS tells; names are empty where it does not."""
    namespace, name = (allocated.namespace, allocated.name) if allocated else ("", "")
    return PreparedClaim(uid, namespace, name, label or name, devices)
