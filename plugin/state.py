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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from api.nas import AllocatedClaim, NodeAllocationState
from api.objects import ClaimUID, DeviceID
from ops.logs import get_logger
from plugin import cdi
from plugin.cdi_directory import CdiDirectory
from plugin.checkpoint import Checkpoint
from plugin.errors import CheckpointCorrupt, DeviceInUse, InvalidCdiSpec, InvalidClaimUid
from plugin.prepared import Devices, PreparedClaim

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
        warn: Callable[[str], None],
    ) -> None:
        """Keep prepared claims in three places.

        Args:
            directory: of the CDI files.
            checkpoint: what counts when the three differ.
            record: the node's NAS.
            warn: tells people that the checkpoint had to be rebuilt.
        """
        self._directory = directory
        self._checkpoint = checkpoint
        self._record = record
        self._warn = warn
        self._lock = threading.Lock()
        self._calls = itertools.count(1)
        self._held: dict[ClaimUID, Holding] = {}

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
            for claim in claims.values():
                if self._directory.ensure(claim):
                    _LOG.info("CDI file was missing, written again", claim=claim)
            for name in self._directory.collect(claims):
                _LOG.info("CDI file belongs to no prepared claim, removed", file=name)
            self._held = {uid: Holding(claim, next(self._calls)) for uid, claim in claims.items()}
            self._publish(shown)

    def prepare(self, claim: PreparedClaim) -> None:
        """Make the claim prepared with exactly these devices; any number of times.

        Raises:
            DeviceInUse: another claim has one of the devices; nothing was changed.
            NodeError: a file cannot be written.
            MalformedState: the NAS cannot be read; nothing was changed.
            KubeError: the NAS cannot be written; the next call goes on from there.
        """
        with self._lock:
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
            self._publish(self._record.current())

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

    def _publish(self, shown: NodeAllocationState) -> None:
        changes = differences(shown.prepared, {u: h.claim for u, h in self._held.items()})
        if changes:
            self._record.write_prepared(changes, last=not self._held)

    def _load(self, shown: NodeAllocationState) -> dict[ClaimUID, PreparedClaim]:
        try:
            return self._checkpoint.load()
        except CheckpointCorrupt as error:
            rebuilt = dict(self._rebuild(shown))
            aside = self._checkpoint.keep_aside()
            self._checkpoint.save(rebuilt.values())
            self._warn(
                f"{error}; rebuilt with {len(rebuilt)} prepared claims from the "
                f"NodeAllocationState, the file is kept as {aside}"
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
