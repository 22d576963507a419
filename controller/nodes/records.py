"""Where it is written down which claims have devices of a node: a port, and its two answers.

Every allocation begins as an entry in the node's NAS. What differs is where it stands when it is
complete: there, or in the claim itself, see docs/adr/0015-allocations-in-claims.md. Either way the
devices of a claim are taken wherever that is written, so that a cluster may change from one to the
other with claims allocated.
"""

from collections.abc import Sequence
from typing import Protocol

from api.contract import Contract
from api.nas import AllocatedDevice, NodeAllocationState, allocation_json
from api.nasvalues import Allocated
from api.objects import JSON


class Records(Protocol):
    """Where allocations are written down."""

    def told(self, claim: JSON, devices: Sequence[AllocatedDevice]) -> JSON:
        """Return an allocated claim with what it has to say itself of its devices."""
        ...

    def kept(self, state: NodeAllocationState, allocated: Allocated) -> Allocated:
        """Return what of `allocated` has to stand in a node's NAS, given what claims say."""
        ...

    def needs_writer(self, state: NodeAllocationState) -> bool:
        """Tell whether the next write has to say whose it is, as the NAS does not tell all."""
        ...


class Handles(Protocol):
    """What is needed of controller.versions.dialect.Dialect."""

    def with_handle(self, claim: JSON, handle: JSON, /) -> JSON:
        """Return a claim that says itself what it was given."""
        ...


class InNodeStates:
    """In the NAS, for as long as the claim has the devices."""

    def told(self, claim: JSON, _devices: Sequence[AllocatedDevice]) -> JSON:
        """Return the claim as it is."""
        return claim

    def kept(self, _state: NodeAllocationState, allocated: Allocated) -> Allocated:
        """Return everything."""
        return allocated

    def needs_writer(self, state: NodeAllocationState) -> bool:
        """Tell whether claims are left that were allocated the other way."""
        return bool(state.in_claims or state.unreadable)


class InClaims:
    """In the claim; in the NAS while an allocation is not complete, and some seconds longer."""

    def __init__(self, contract: Contract, dialect: Handles) -> None:
        """Write claims of a version, as `contract.device_key` names the devices."""
        self._key = contract.device_key
        self._dialect = dialect

    def told(self, claim: JSON, devices: Sequence[AllocatedDevice]) -> JSON:
        """Return the claim with its handle, unless that would be too large for one."""
        return self._dialect.with_handle(claim, allocation_json(devices, self._key))

    def kept(self, state: NodeAllocationState, allocated: Allocated) -> Allocated:
        """Return those whose claims do not say it yet, or cannot."""
        return {uid: entry for uid, entry in allocated.items() if uid not in state.in_claims}

    def needs_writer(self, _state: NodeAllocationState) -> bool:
        """Tell so of every write."""
        return True
