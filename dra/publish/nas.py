"""Shows the prepared claims in the node's NAS, with one write for all calls that wait for it.

Changes of the claims are submitted in turn, which is quick, and then each call wants its own
published, which is a request. Whose turn it is publishes the changes of all, and the others find it
done. Only the thread whose turn it is looks at what was submitted.

Devices that a call took from the watch cache may be those of a former allocation. They are shown
by a write that the API server refuses unless it has the same allocation, and never by another one.
Called by `dra.devicestate.state` through its port, and by `plugin.classic.repairs`.
"""

import threading
from collections.abc import Iterable, Mapping
from queue import SimpleQueue
from typing import Protocol

from api.errors import DriverError
from api.nas import AllocatedClaim, NodeAllocationState, PreparedDevice
from api.objects import ClaimUID, DeviceID
from dra.devicestate.prepared import share_of, unedited
from dra.devicestate.publisher import Change, Precondition
from dra.driver import PreparedClaim
from dra.publish.nodestate import Devices
from dra.repairs import Repair, Report


class NodeRecord(Protocol):
    """The node's NAS, as far as prepared claims go."""

    def current(self) -> NodeAllocationState:
        """Return what the NAS shows, with every write of ours in it."""

    def write_prepared(self, changes: Mapping[ClaimUID, Devices | None], *, last: bool) -> None:
        """Change some entries of `preparedDevices`, or with `last` remove all of it."""

    def write_tested(
        self, prepared: Mapping[ClaimUID, Devices], allocated: Mapping[ClaimUID, Precondition]
    ) -> None:
        """Make `prepared` the whole of `preparedDevices` if `allocated` is what is stored."""


class NasPublisher:
    """One write at a time; a `dra.devicestate.publisher.Publisher`."""

    def __init__(self, record: NodeRecord, *, report: Report) -> None:
        """Publish in `record`, and report what others wrote there."""
        self._record = record
        self._report = report
        self._submitted: SimpleQueue[Change] = SimpleQueue()
        self._turn = threading.Lock()
        self._wanted: dict[ClaimUID, PreparedClaim] = {}
        self._pending: dict[ClaimUID, Change] = {}

    def check(self) -> None:
        """Check that there is a NAS that can be written.

        Raises:
            MalformedState: the NAS cannot be read.
        """
        self._record.current()

    def published(self) -> list[PreparedClaim]:
        """Return what the NAS shows: no label, no edits, no names without an allocation.

        Raises:
            MalformedState: the NAS cannot be read.
        """
        return shown_claims(self._record.current())

    def restore(self, claims: Iterable[PreparedClaim]) -> None:
        """Make the NAS show exactly these claims.

        Raises:
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        with self._turn:
            self._wanted = {claim.uid: claim for claim in claims}
        self.reconcile()

    def submit(self, change: Change) -> None:
        """Take a change over, after all earlier ones."""
        self._submitted.put(change)

    def flush(self, change: Change) -> None:
        """Show a submitted change, unless another call has.

        Raises:
            AllocationChanged: the claim is, or another one was, prepared for a former allocation.
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        with self._turn:
            self._take()
            newest = self._pending.get(change.uid)
            if newest is None:
                return
            try:
                self._write(tested=newest.precondition is not None)
            except DriverError:
                self._withdraw(change)
                raise

    def reconcile(self) -> None:
        """Undo what others wrote; what a call has not published yet is left to that call.

        Raises:
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        with self._turn:
            self._take()
            changes = differences(self._record.current().prepared, self._wanted)
            wrong = {uid: each for uid, each in changes.items() if uid not in self._pending}
            if wrong:
                self._record.write_prepared(wrong, last=not self._wanted)
        if wrong:
            told = ", ".join(sorted(wrong))
            self._report(Repair.PREPARED, f"preparedDevices was wrong about claim {told}, written")

    def _take(self) -> None:
        """Look at what was submitted so far."""
        for _ in range(self._submitted.qsize()):
            change = self._submitted.get()
            self._pending[change.uid] = change
            if change.claim is None:
                self._wanted.pop(change.uid, None)
            else:
                self._wanted[change.uid] = change.claim

    def _write(self, *, tested: bool) -> None:
        """Show what is certain, or with `tested` everything if all preconditions hold."""
        doubtful = {
            uid: change.precondition
            for uid, change in self._pending.items()
            if change.precondition is not None
        }
        if tested:
            devices = {uid: shown_devices(claim) for uid, claim in self._wanted.items()}
            self._record.write_tested(devices, doubtful)
            self._pending = {}
        else:
            self._write_certain(doubtful)
            self._pending = {uid: self._pending[uid] for uid in doubtful}

    def _write_certain(self, doubtful: Mapping[ClaimUID, Precondition]) -> None:
        certain = {uid: claim for uid, claim in self._wanted.items() if uid not in doubtful}
        changes = differences(self._record.current().prepared, certain)
        if changes:
            self._record.write_prepared(changes, last=not certain)

    def _withdraw(self, change: Change) -> None:
        """Leave a claim that is certain to the next chance, and forget any other."""
        if self._pending.get(change.uid) == change:
            del self._pending[change.uid]
            if change.precondition is not None:
                self._wanted.pop(change.uid, None)


def shown_claims(state: NodeAllocationState) -> list[PreparedClaim]:
    """Return the prepared claims that a NAS shows."""
    return [
        published_claim(uid, devices, state.allocated.get(uid))
        for uid, devices in state.prepared.items()
    ]


def published_claim(
    uid: ClaimUID, devices: Devices, allocated: AllocatedClaim | None
) -> PreparedClaim:
    """Return a prepared claim as far as a NAS tells; names are empty where it does not."""
    namespace, name = (allocated.namespace, allocated.name) if allocated else ("", "")
    found = tuple(unedited(device.id, device.parent, device.share) for device in devices)
    return PreparedClaim(uid, namespace, name, "", found)


def shown_devices(claim: PreparedClaim) -> Devices:
    """Return the devices of a claim as a NAS shows them: by ids, children with their parents."""
    return tuple(
        PreparedDevice(DeviceID(device.name), DeviceID(device.device))
        if device.name
        else PreparedDevice(DeviceID(device.device), share=share_of(device))
        for device in claim.devices
    )


def differences(
    shown: Mapping[ClaimUID, Devices], wanted: Mapping[ClaimUID, PreparedClaim]
) -> dict[ClaimUID, Devices | None]:
    """Return the changes that turn `shown` into `wanted`; None removes an entry."""
    devices = {uid: shown_devices(claim) for uid, claim in wanted.items()}
    changes: dict[ClaimUID, Devices | None] = {
        uid: each for uid, each in devices.items() if shown.get(uid) != each
    }
    changes.update(dict.fromkeys(shown.keys() - wanted.keys()))
    return changes
