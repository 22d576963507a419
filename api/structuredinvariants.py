"""What holds of claims and published devices where kube-scheduler allocates.

Pure; the command `fake-dra fsck` reports it. Classic claims and node states have no place there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from api.claims.view import ClaimView
from api.contract import Contract
from api.invariants import Fault, Violation
from api.objects import JSON, ClaimUID, NodeName

Offered: TypeAlias = Collection[tuple[str, str]]
"""Pool and name of each device."""

_NODE = NodeName("-")


def offered_devices(slices: Iterable[JSON]) -> Offered:
    """Return the devices in ResourceSlices of any version."""
    return {
        (slice_["spec"]["pool"]["name"], device["name"])
        for slice_ in slices
        for device in slice_["spec"].get("devices") or []
    }


def check_structured(
    offered: Offered, states: Iterable[NodeName], claims: Collection[ClaimView], contract: Contract
) -> list[Violation]:
    """Return what is wrong, sorted.

    Args:
        offered: devices of the driver.
        states: nodes that still have a NodeAllocationState.
        claims: all of the cluster.
        contract: of the driver.
    """
    found = [*_left_states(states), *_left_finalizers(claims, contract)]
    return sorted([*found, *_not_offered(offered, claims, contract), *_shared(claims, contract)])


def _left_states(states: Iterable[NodeName]) -> Iterator[Violation]:
    for node in states:
        message = "the NodeAllocationState is of classic claims, which the API server has not"
        remedy = "the controller deletes it once no pod uses a claim of it"
        yield Violation(Fault.LEFT_OVER, node, ClaimUID(""), message, remedy)


def _left_finalizers(claims: Iterable[ClaimView], contract: Contract) -> Iterator[Violation]:
    for claim in claims:
        if contract.finalizer in claim.finalizers:
            message = f"ResourceClaim {claim.key} has the finalizer {contract.finalizer}"
            remedy = "the controller removes it once no pod uses the claim"
            yield Violation(Fault.LEFT_OVER, _NODE, claim.uid, message, remedy)


def _not_offered(
    offered: Offered, claims: Iterable[ClaimView], contract: Contract
) -> Iterator[Violation]:
    for claim in claims:
        for result in claim.results(contract.driver_name):
            if (result.pool, result.device) not in offered:
                message = f"device {result.device} of ResourceClaim {claim.key} is in no slice"
                remedy = "start the plugin of the node, or delete the pods and the claim"
                node = NodeName(result.pool)
                yield Violation(Fault.NOT_OFFERED, node, claim.uid, message, remedy)


def _shared(claims: Iterable[ClaimView], contract: Contract) -> Iterator[Violation]:
    """Yield devices that several claims hold alone: without admin access, and not a share."""
    alone = [
        (result.pool, result.device, claim)
        for claim in claims
        for result in claim.results(contract.driver_name)
        if not result.admin and result.share_id is None
    ]
    holders = Counter((pool, device) for pool, device, _ in alone)
    for pool, device, claim in alone:
        if holders[pool, device] > 1:
            message = f"device {device} of ResourceClaim {claim.key} is allocated to others too"
            remedy = "delete the pods of all but one of these claims, and then these claims"
            yield Violation(Fault.DEVICE_SHARED, NodeName(pool), claim.uid, message, remedy)
