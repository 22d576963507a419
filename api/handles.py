"""What claims say themselves of the devices that they were given: the handle of the driver.

Up to Kubernetes 1.30 that is `status.allocation.resourceHandles[].data`, a text; in 1.31 it stands
in `status.allocation.devices.config[].opaque`, as an object. Both say what an entry of
`allocatedClaims` in a NAS says. A claim without handle has its entry there.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from api.claims.view import ClaimView
from api.contract import Contract
from api.errors import MalformedHandle, MalformedState
from api.nas import AllocatedClaim, NodeAllocationState, parse_nas
from api.objects import ClaimUID, NodeName


def given(claim: ClaimView, contract: Contract) -> AllocatedClaim | None:
    """Return what a claim says that it was given, None if it has no handle of the driver.

    Raises:
        MalformedHandle: somebody else wrote what we cannot read.
    """
    handle = claim.handle(contract.driver_name)
    if handle is None:
        return None
    try:
        read = json.loads(handle) if isinstance(handle, str) else handle
        found = _as_entry(claim.uid, read, contract.device_key)
    except (ValueError, MalformedState) as error:
        raise MalformedHandle(
            f"ResourceClaim {claim.key} was given devices that cannot be read: {error}; delete "
            "its pods and the claim, so that the controller allocates it again"
        ) from error
    return replace(found, namespace=claim.namespace, name=claim.name)


def by_node(claims: Iterable[ClaimView], contract: Contract) -> dict[NodeName, list[ClaimView]]:
    """Return the claims of a driver by the node that they are allocated on."""
    found: dict[NodeName, list[ClaimView]] = {}
    for claim in claims:
        if node := claim.node(contract.driver_name):
            found.setdefault(node, []).append(claim)
    return found


def with_claims(
    state: NodeAllocationState, claims: Iterable[ClaimView], contract: Contract
) -> NodeAllocationState:
    """Return the state of a node with what claims on it say themselves."""
    found: dict[ClaimUID, AllocatedClaim] = {}
    unreadable = ""
    for claim in claims:
        if claim.node(contract.driver_name) != state.node:
            continue
        try:
            devices = given(claim, contract)
        except MalformedHandle as error:
            unreadable = str(error)
        else:
            if devices is not None:
                found[claim.uid] = devices
    if not found and not unreadable and not state.in_claims:
        return state
    return replace(state, in_claims=MappingProxyType(found), unreadable=unreadable)


def all_with_claims(
    states: Iterable[NodeAllocationState], claims: Iterable[ClaimView], contract: Contract
) -> list[NodeAllocationState]:
    """Return the states of nodes with what claims of the cluster say themselves."""
    there = by_node(claims, contract)
    return [with_claims(each, there.get(each.node, ()), contract) for each in states]


def _as_entry(uid: ClaimUID, handle: object, key: str) -> AllocatedClaim:
    """Read a handle by what reads NASes, so that both say the same in the same way."""
    spec = {"allocatedClaims": {uid: handle}}
    return parse_nas({"metadata": {"name": ""}, "spec": spec}, key).allocated[uid]
