"""Shows the prepared claims in the node's NAS, with one write for all calls that wait for it.

Calls change the set of prepared claims in turn, which is quick, and then each wants its change
shown, which is a request. Whose turn it is shows the changes of all, and the others find it done.

Devices that a call took from the watch cache may be those of a former allocation. They are shown
by a write that the API server refuses unless it has the same allocation, and never by another one.
Called by `dra.devicestate.state`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from api.nas import NodeAllocationState
from api.objects import JSON, ClaimUID
from dra.devicestate.prepared import Devices, PreparedClaim


class NodeRecord(Protocol):
    """The node's NAS, as far as prepared claims go."""

    def current(self) -> NodeAllocationState:
        """Return what the NAS shows, with every write of ours in it."""

    def write_prepared(self, changes: Mapping[ClaimUID, Devices | None], *, last: bool) -> None:
        """Change some entries of `preparedDevices`, or with `last` remove all of it."""

    def write_tested(
        self, prepared: Mapping[ClaimUID, Devices], allocated: Mapping[ClaimUID, JSON]
    ) -> None:
        """Make `prepared` the whole of `preparedDevices` if `allocated` is what is stored."""


@dataclass(frozen=True, slots=True)
class Unshown:
    """What a call has changed about a claim and not shown yet.

    Attributes:
        call: its number.
        seen: the allocation in the watch cache that the devices are from; None if it was read
            live, or the claim is unprepared.
    """

    call: int
    seen: JSON | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All prepared claims at one moment, and which changes are not shown yet."""

    claims: Mapping[ClaimUID, PreparedClaim]
    unshown: Mapping[ClaimUID, Unshown]

    def doubtful(self) -> dict[ClaimUID, JSON]:
        """Return the allocations that have to be tested."""
        return {uid: each.seen for uid, each in self.unshown.items() if each.seen is not None}


class Publisher:
    """One write at a time."""

    def __init__(
        self,
        record: NodeRecord,
        look: Callable[[], Snapshot],
        shown: Callable[[Mapping[ClaimUID, Unshown]], None],
    ) -> None:
        """Show what `look` returns in `record`, and tell `shown` which changes that were."""
        self._record = record
        self._look = look
        self._shown = shown
        self._turn = threading.Lock()

    def show(self, uid: ClaimUID) -> None:
        """Show a change of this claim, unless another call has.

        Raises:
            AllocationChanged: the claim is, or another one was, prepared for a former allocation.
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        with self._turn:
            found = self._look()
            own = found.unshown.get(uid)
            if own is None:
                return
            doubtful = found.doubtful()
            if own.seen is None:
                self._write_certain(found, doubtful)
                self._shown({u: each for u, each in found.unshown.items() if u not in doubtful})
            else:
                devices = {u: claim.devices for u, claim in found.claims.items()}
                self._record.write_tested(devices, doubtful)
                self._shown(found.unshown)

    def mend(self) -> list[ClaimUID]:
        """Undo what others wrote; return the claims that the NAS was wrong about.

        What a call has not shown yet is left to that call.

        Raises:
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        with self._turn:
            found = self._look()
            changes = differences(self._record.current().prepared, found.claims)
            wrong = {uid: each for uid, each in changes.items() if uid not in found.unshown}
            if wrong:
                self._record.write_prepared(wrong, last=not found.claims)
            return sorted(wrong)

    def _write_certain(self, found: Snapshot, doubtful: Mapping[ClaimUID, JSON]) -> None:
        certain = {uid: claim for uid, claim in found.claims.items() if uid not in doubtful}
        changes = differences(self._record.current().prepared, certain)
        if changes:
            self._record.write_prepared(changes, last=not certain)


def differences(
    shown: Mapping[ClaimUID, Devices], wanted: Mapping[ClaimUID, PreparedClaim]
) -> dict[ClaimUID, Devices | None]:
    """Return the changes that turn `shown` into `wanted`; None removes an entry."""
    changes: dict[ClaimUID, Devices | None] = {
        uid: claim.devices for uid, claim in wanted.items() if shown.get(uid) != claim.devices
    }
    changes.update(dict.fromkeys(shown.keys() - wanted.keys()))
    return changes
