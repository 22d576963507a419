"""The claims that are prepared on this node, and the only code that changes them.

CDI files, checkpoint and what is published each hold the set; the checkpoint is the one that
counts. A call makes all three agree with what it wants, in a fixed order, so that a process killed
after any single write is put right by the kubelet's retry or by the next start:

    up     checkpoint (preparing), the driver, CDI file, checkpoint (prepared), publisher, answer
    down   the driver, CDI file, checkpoint, publisher, answer to the kubelet

A file without prepared entry is therefore rubbish, and a prepared entry without file lost its file.
An entry that is only preparing has no devices: its driver may have begun, and has to undo that. The
files change under one lock, under which the publisher is told too; the calls wait for it after
that, and for the driver outside of it. Calls that come at the same time share a write of the
checkpoint. Called by `dra.node` for the kubelet, by `dra.sync` and `dra.garbage` on their own.
Source: KEP-3063 on idempotence; kubernetes pkg/kubelet/cm/dra/manager.go for when calls repeat.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TypeAlias

from api.errors import DriverError
from api.objects import ClaimUID
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.files import Keep
from dra.devicestate.groupcommit import GroupCommit
from dra.devicestate.mending import Mender
from dra.devicestate.prepared import CheckpointEntry, Remake, check_free, checked, taken_up
from dra.devicestate.publisher import Change, Precondition, Publisher
from dra.driver import PreparedClaim
from dra.errors import AllocationChanged, CheckpointCorrupt, PluginStopped
from dra.repairs import Report
from ops.logs import get_logger

_LOG = get_logger("state")

Guard: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Keeps other processes from changing the same files."""


class State:
    """The prepared claims; every method may be called from any thread.

    Attributes:
        write_ahead: whether claims are written down before their driver does something for them.
    """

    def __init__(
        self,
        directory: CdiDirectory,
        checkpoint: Checkpoint,
        publisher: Publisher,
        *,
        report: Report,
        write_ahead: bool = True,
        remake: Remake = lambda claim, _file: claim,
        guard: Guard | None = None,
    ) -> None:
        """Keep prepared claims in three places.

        Args:
            directory: of the CDI files.
            checkpoint: what counts when the three differ.
            publisher: shows the claims to others.
            report: tells people what had to be repaired.
            write_ahead: whether `begin` writes; not needed for a driver without side effects.
            remake: completes the claims that the publisher shows when the checkpoint is corrupt.
            guard: entered around every change if another process has the same files: that of the
                next release, which starts before this one ends. What that wrote is read first.
        """
        self._directory = directory
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._mender = Mender(directory, checkpoint, report, remake)
        self.write_ahead = write_ahead
        self._shared = guard is not None
        self._guarded: Guard = guard or nullcontext
        self._lock = threading.Lock()
        self._group = GroupCommit(self._changing)
        self._calls = itertools.count(1)
        self._entries: dict[ClaimUID, CheckpointEntry] = {}
        self._keep: Keep | None = None
        self._told: list[Change] = []
        self._left = False

    def recover(
        self, together: Callable[[Iterable[PreparedClaim]], None] = lambda _claims: None
    ) -> None:
        """Take up what an earlier process left; call it before anything else, again if it fails.

        Args:
            together: given the claims while nobody changes them; recovers other files of theirs.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            NodeError: the checkpoint or a CDI file cannot be written.
            DriverError: of the publisher.
        """
        with self._lock, self._guarded():
            self._publisher.check()
            claims = self._mender.load(self._publisher.published)
            self._mender.mend_directory(claims)
            self._entries = taken_up(claims, {}, self._calls)
            together(claims.values())
        self._publisher.restore(claim for claim in claims.values() if claim.devices)

    def begin(self, claim: PreparedClaim, *, undone: PreparedClaim | None = None) -> PreparedClaim:
        """Write down that the driver is about to prepare a claim, before it changes anything.

        Args:
            claim: with results and consumers.
            undone: the claim as an earlier call returned it, and the driver has unprepared it.

        Returns:
            The claim as the checkpoint has it, with devices if it was prepared before. Its
            consumers are those of the first time; results that differ are those of a former
            allocation, which the driver has to unprepare first.

        Raises:
            DeviceInUse: another claim has one of the devices; nothing was changed.
            PluginStopped: after `leave`; nothing was changed.
            NodeError: the claim cannot be written down.
            DriverError: of the publisher.
        """
        return self._group.run(lambda: self._begin(claim, undone))

    def prepare(self, claim: PreparedClaim, precondition: Precondition | None = None) -> None:
        """Make the claim prepared with exactly these devices; any number of times.

        Args:
            claim: with its devices.
            precondition: under which its devices are right, None if they are certain. Then the
                claim is prepared only if the publisher finds that it holds.

        Raises:
            AllocationChanged: it does not hold, or another call prepares the claim too; nothing
                was changed.
            InvalidCdiSpec: runtimes would refuse the edits; nothing was changed.
            DeviceInUse: another claim has one of the devices; nothing was changed.
            PluginStopped: after `leave`; nothing was changed.
            NodeError: a file cannot be written.
            DriverError: of the publisher; the next call goes on from there.
        """
        claim = checked(claim)
        change = self._group.run(lambda: self._take(claim, precondition))
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

        Its driver has undone before what it did for it, also if the claim was only preparing.

        Raises:
            NodeError: a file cannot be written or removed.
            DriverError: of the publisher; the next call goes on from there.
        """
        self._publisher.flush(self._group.run(lambda: self._drop(uid)))

    def discard(self, entry: CheckpointEntry) -> bool:
        """Unprepare a claim, unless it was prepared again since its entry was read.

        Returns:
            Whether the claim is gone.
        """
        change = self._group.run(lambda: self._drop_if(entry))
        if change is not None:
            self._publisher.flush(change)
        return change is not None

    def mend_files(self) -> None:
        """Make the checkpoint and the CDI files say again what is prepared, if others changed them.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
            NodeError: the checkpoint or a CDI file cannot be written.
        """
        with self._changing():
            if self._left:
                return
            claims = {uid: entry.claim for uid, entry in self._entries.items()}
            self._mender.mend_checkpoint(claims)
            self._mender.mend_directory(claims)

    def leave(self) -> None:
        """Take the node's files away for good, unless a claim is prepared.

        The next start makes them again; if the driver is uninstalled there is none. Files that
        another process may have are left to it.

        Raises:
            NodeError: a file cannot be removed.
        """
        with self._lock:
            if self._entries:
                return
            self._left = True
            if not self._shared:
                self._directory.remove_common()
                self._checkpoint.remove()

    def find(self, uid: ClaimUID) -> PreparedClaim | None:
        """Return the claim if it is prepared, and not only about to be under a precondition."""
        entry = self.entry(uid)
        return entry.claim if entry and entry.prepared else None

    def entry(self, uid: ClaimUID) -> CheckpointEntry | None:
        """Return the claim's entry, also if it is only preparing, whichever process wrote it.

        Raises:
            DirectoryUnusable: the checkpoint cannot be read.
        """
        with self._lock:
            self._take_up()
            return self._entries.get(uid)

    def entries(self) -> list[CheckpointEntry]:
        """Return all entries that were known at the last change, also if only preparing."""
        with self._lock:
            return list(self._entries.values())

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let nobody else change the files, and write down what was changed at the end."""
        with self._lock, self._guarded():
            self._take_up()
            before = dict(self._entries)
            try:
                yield
                if self._keep is not None:
                    self._checkpoint.save((x.claim for x in self._entries.values()), self._keep)
                told = self._told
            except BaseException:
                self._entries = before
                raise
            finally:
                self._keep, self._told = None, []
            for change in told:
                self._publisher.submit(change)

    def _to_be_saved(self, keep: Keep) -> None:
        self._keep = keep if self._keep is not Keep.NEW else self._keep

    def _take_up(self) -> None:
        """Take up what another process wrote; a damaged file is written anew by the next change."""
        if not (self._shared and self._checkpoint.changed()):
            return
        try:
            claims = self._checkpoint.read()
        except CheckpointCorrupt as error:
            _LOG.warning("Another process left a checkpoint that is not read", err=str(error))
            return
        self._entries = taken_up(claims, self._entries, self._calls)

    def _begin(self, claim: PreparedClaim, undone: PreparedClaim | None) -> PreparedClaim:
        self._check_open(claim)
        entry = self._entries.get(claim.uid)
        # without name it is from a corrupt checkpoint, and only its devices are known
        if entry is not None and entry.claim.name and entry.claim != undone:
            return entry.claim
        if not self.write_ahead:
            return claim
        self._publisher.check()
        devices = entry.claim.devices if entry is not None and undone is None else ()
        begun = checked(replace(claim, devices=devices))
        check_free(begun, self._others(claim.uid))
        self._directory.check_uid(claim.uid)
        if undone is not None:
            self._directory.remove(claim.uid)
        self._to_be_saved(Keep.NEW)
        self._entries[claim.uid] = CheckpointEntry(begun, next(self._calls))
        return begun

    def _take(self, claim: PreparedClaim, precondition: Precondition | None) -> Change:
        """Write the files of a claim."""
        self._check_open(claim)
        entry = self._entries.get(claim.uid)
        if precondition is not None and entry is not None:
            raise AllocationChanged(f"{claim} was prepared by another call; try again")
        self._publisher.check()
        check_free(claim, self._others(claim.uid))
        self._directory.ensure(claim)
        if entry is None or entry.claim != claim:
            # a power cut may leave the former file: with the claim as preparing, or, of a driver
            # without side effects, without it, which the kubelet's next call makes up for
            self._to_be_saved(Keep.NEW if entry is None and self.write_ahead else Keep.EITHER)
        change = Change(next(self._calls), claim.uid, claim, precondition)
        self._entries[claim.uid] = CheckpointEntry(claim, change.call, precondition is None)
        self._told.append(change)
        return change

    def _check_open(self, claim: PreparedClaim) -> None:
        if self._left:
            raise PluginStopped(
                f"the plugin has stopped, {claim} is prepared when it has started again; "
                "if it does not, see why its pod is gone"
            )

    def _drop(self, uid: ClaimUID) -> Change:
        """Remove the files of a claim."""
        self._publisher.check()
        self._forget(uid)
        self._told.append(change := Change(next(self._calls), uid))
        return change

    def _drop_if(self, entry: CheckpointEntry) -> Change | None:
        """Remove the files of a claim unless a later call has changed it."""
        present = self._entries.get(entry.claim.uid)
        same = present is not None and present.call == entry.call
        return self._drop(entry.claim.uid) if same else None

    def _forget(self, uid: ClaimUID) -> None:
        self._directory.remove(uid)
        if uid in self._entries:
            # a claim too many is unprepared once more
            self._to_be_saved(Keep.EITHER)
            del self._entries[uid]

    def _confirm(self, change: Change) -> None:
        """Call the devices of a change certain, now that its precondition held."""
        with self._changing():
            entry = self._entries.get(change.uid)
            if entry is not None and entry.call == change.call:
                self._entries[change.uid] = replace(entry, certain=True)

    def _withdraw(self, change: Change) -> None:
        """Forget a claim whose precondition does not hold; leave others to the next call."""
        with self._changing():
            entry = self._entries.get(change.uid)
            if entry is None or entry.call != change.call:
                return
            if entry.certain:
                self._entries[change.uid] = replace(entry, shown=False)
            else:
                self._forget(change.uid)

    def _others(self, uid: ClaimUID) -> list[PreparedClaim]:
        return [entry.claim for entry in self._entries.values() if entry.claim.uid != uid]
