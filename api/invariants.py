"""What holds for node states, claims and the files of a node, whatever has failed before.

Pure: values in, violations out. The controller and the plugin repair what they find here, the
command `fake-dra fsck` reports it, and the tests use it as their oracle. While a claim is on its
way up or down some of it is between two writes, so a violation counts when it lasts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from api.claims.view import ClaimView
from api.contract import Contract
from api.handles import all_with_claims
from api.nas import AllocatedClaim, AllocatedDevice, NodeAllocationState, PreparedDevice, Share
from api.objects import ClaimUID, DeviceID, NodeName
from api.sharing import conflict


class Fault(StrEnum):
    """The kinds of violations; also the values of the label `kind` of the metrics of repairs."""

    MALFORMED = "MalformedState"
    DEVICE_SHARED = "DeviceShared"
    NOT_OFFERED = "NotOffered"
    ORPHANED = "OrphanedAllocation"
    MISPLACED = "MisplacedAllocation"
    ABANDONED = "AbandonedAllocation"
    UNPROTECTED = "MissingFinalizer"
    LOST = "LostAllocation"
    NOT_ALLOCATED = "PreparedNotAllocated"
    WRONG_CHILDREN = "WrongChildren"
    FILE_MISSING = "CDIFileMissing"
    FILE_SURPLUS = "CDIFileSurplus"
    FILE_WRONG = "CDIFileWrong"
    CHECKPOINT_CORRUPT = "CheckpointCorrupt"
    PREPARED_DIFFERS = "PreparedDiffers"
    LEFT_OVER = "LeftOver"


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing that is not as it should be.

    Attributes:
        kind: of the violation.
        node: on which it is.
        claim: uid, empty where it is about no single claim.
        message: what is wrong, and with what.
        remedy: who repairs it, or what to do.
    """

    kind: Fault
    node: NodeName
    claim: ClaimUID
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The files of one node, as its disk has them.

    Attributes:
        checkpoint: prepared devices by claim; None for a checkpoint that cannot be trusted.
        missing: claims of the checkpoint without CDI file.
        wrong: claims whose CDI file is not what the checkpoint says.
        surplus: names of CDI files of ours that no claim of the checkpoint needs.
    """

    checkpoint: Mapping[ClaimUID, tuple[PreparedDevice, ...]] | None = field(
        default_factory=lambda: MappingProxyType({})
    )
    missing: tuple[ClaimUID, ...] = ()
    wrong: tuple[ClaimUID, ...] = ()
    surplus: tuple[str, ...] = ()


def check(
    states: Iterable[NodeAllocationState],
    claims: Iterable[ClaimView],
    contract: Contract,
    gone: Collection[NodeName] = (),
) -> list[Violation]:
    """Return what is wrong with node states and claims, sorted.

    Args:
        states: of all nodes.
        claims: all of the cluster, also those of other drivers.
        contract: of the driver.
        gone: nodes that are known not to exist.
    """
    by_uid = {claim.uid: claim for claim in claims}
    known = all_with_claims(states, by_uid.values(), contract)
    by_name = {each.node: each for each in known}
    found = [
        violation for state in by_name.values() for violation in check_node(state, by_uid, contract)
    ]
    return sorted([*found, *lost(by_name, by_uid.values(), contract, gone)])


def check_node(
    state: NodeAllocationState, claims: Mapping[ClaimUID, ClaimView], contract: Contract
) -> Iterator[Violation]:
    """Yield what is wrong with one node's state, given all claims by uid."""
    yield from shared(state)
    yield from not_offered(state)
    yield from not_allocated(state)
    for uid, entry in state.holders.items():
        yield from entry_faults(state.node, uid, entry, claims.get(uid), contract)


def shared(state: NodeAllocationState) -> Iterator[Violation]:
    """Yield devices that more claims of a node hold than may."""
    holders: dict[DeviceID, list[tuple[ClaimUID, Share | None]]] = {}
    for uid, entry in state.holders.items():
        for device in entry.devices:
            holders.setdefault(device.id, []).append((uid, device.share))
    for device_id, held in holders.items():
        why = conflict([share for _, share in held])
        if why:
            yield Violation(
                Fault.DEVICE_SHARED,
                state.node,
                held[-1][0],
                f"device {device_id} is allocated to {', '.join(uid for uid, _ in held)}, {why}",
                "delete the pods of claims that are too many, and then these claims",
            )


def not_offered(state: NodeAllocationState) -> Iterator[Violation]:
    """Yield allocated devices that the node does not have."""
    offered = {device.id for device in state.allocatable}
    for uid, entry in state.holders.items():
        for device in entry.devices:
            if device.id not in offered:
                yield Violation(
                    Fault.NOT_OFFERED,
                    state.node,
                    uid,
                    f"device {device.id} of {_named(entry, uid)} is not offered by the node",
                    "bring the device back (NUM_DEVICES), or delete the pod and its claim",
                )


def not_allocated(state: NodeAllocationState) -> Iterator[Violation]:
    """Yield prepared devices that are not, or not so, allocated to their claim."""
    for uid, devices in state.prepared.items():
        entry = state.holders.get(uid)
        if entry is None:
            yield Violation(
                Fault.NOT_ALLOCATED,
                state.node,
                uid,
                f"claim {uid} is prepared and not allocated",
                "the plugin unprepares it once its claim is gone; the controller enters it again "
                "while its claim is allocated",
            )
        elif not _made_of(devices, entry.devices):
            yield Violation(
                Fault.WRONG_CHILDREN,
                state.node,
                uid,
                f"the prepared devices of {_named(entry, uid)} are not those allocated, nor all "
                "of their children",
                "delete the pod so that the claim is prepared anew",
            )


def entry_faults(
    node: NodeName,
    uid: ClaimUID,
    entry: AllocatedClaim,
    claim: ClaimView | None,
    contract: Contract,
) -> Iterator[Violation]:
    """Yield what is wrong between an entry of `allocatedClaims` and its claim.

    Args:
        node: that has the entry.
        uid: of the entry.
        entry: its value.
        claim: of that uid; None if there is none.
        contract: of the driver.
    """
    name = _named(entry, uid)
    takes_back = "the controller takes the devices back"
    if claim is None:
        yield Violation(
            Fault.ORPHANED,
            node,
            uid,
            f"devices are allocated to {name}, which is gone",
            f"{takes_back}, or fake-dra fsck --repair",
        )
    elif misplaced(claim, node, contract):
        chosen = claim.node(contract.driver_name)
        where = f"on node {chosen}" if chosen else "by another driver"
        message = f"devices are allocated to {name}, which is allocated {where}"
        yield Violation(Fault.MISPLACED, node, uid, message, takes_back)
    elif contract.finalizer not in claim.finalizers:
        yield Violation(
            Fault.UNPROTECTED,
            node,
            uid,
            f"devices are allocated to {name}, which lacks the finalizer {contract.finalizer}",
            "the controller adds the finalizer, or fake-dra fsck --repair",
        )
    elif claim.allocation is None:
        message = f"devices are allocated to {name}, whose allocation was never completed"
        remedy = "the controller completes it, or takes the devices back after some minutes"
        yield Violation(Fault.ABANDONED, node, uid, message, remedy)


def misplaced(claim: ClaimView, node: NodeName, contract: Contract) -> bool:
    """Tell whether a claim is allocated, and not by this driver on that node."""
    if claim.allocation is None:
        return False
    driver = contract.driver_name
    return not claim.allocated_by(driver) or claim.node(driver) not in (None, node)


def lost(
    states: Mapping[NodeName, NodeAllocationState],
    claims: Iterable[ClaimView],
    contract: Contract,
    gone: Collection[NodeName] = (),
) -> Iterator[Violation]:
    """Yield claims that are allocated on a node whose state has no devices for them."""
    for claim in claims:
        node = claim.node(contract.driver_name)
        if node is None or claim.leaving:
            continue
        state = states.get(node)
        if state is None or claim.uid not in state.holders:
            why, remedy = _loss(state, node in gone)
            message = f"ResourceClaim {claim.key} is allocated, {why}"
            yield Violation(Fault.LOST, node, claim.uid, message, remedy)


def _loss(state: NodeAllocationState | None, gone: bool) -> tuple[str, str]:
    """Return what became of the devices of a claim, and the remedy."""
    if state is not None:
        why = "and the node has no devices for it"
        remedy = (
            "the controller enters them again while they are free; else delete the pod and the "
            "claim"
        )
    elif gone:
        why = "and its node is gone"
        remedy = (
            "delete the pods that use it with kubectl delete pod --force, as no kubelet ends them, "
            "and the claim too if it is an Immediate one; or bring the node back"
        )
    else:
        why = "and its node has no NodeAllocationState"
        remedy = (
            "start the node's kubelet plugin, which makes it anew; the controller then enters the "
            "devices again"
        )
    return why, remedy


def check_files(state: NodeAllocationState, files: NodeFiles) -> list[Violation]:
    """Return where the NAS of a node, its checkpoint and its CDI files differ, sorted.

    Args:
        state: of the node, with its claims.
        files: of the node.
    """
    return sorted(_file_faults(state, files))


def _file_faults(state: NodeAllocationState, files: NodeFiles) -> Iterator[Violation]:
    remedy = "the plugin repairs it within a minute; see its log if it does not"
    node, nobody = state.node, ClaimUID("")
    if files.checkpoint is None:
        text = "the checkpoint cannot be trusted"
        yield Violation(Fault.CHECKPOINT_CORRUPT, node, nobody, text, remedy)
        return
    for uid in files.missing:
        yield Violation(Fault.FILE_MISSING, node, uid, f"claim {uid} has no CDI file", remedy)
    for uid in files.wrong:
        text = f"the CDI file of claim {uid} is not what its checkpoint says"
        yield Violation(Fault.FILE_WRONG, node, uid, text, remedy)
    for name in files.surplus:
        text = f"CDI file {name} belongs to no prepared claim"
        yield Violation(Fault.FILE_SURPLUS, node, nobody, text, remedy)
    if not state.prepared_here:
        yield from not_allocated(replace(state, prepared=files.checkpoint))
        return
    for uid in sorted({*files.checkpoint, *state.prepared}):
        if files.checkpoint.get(uid) != state.prepared.get(uid):
            text = f"checkpoint and preparedDevices differ about claim {uid}"
            yield Violation(Fault.PREPARED_DIFFERS, node, uid, text, remedy)


def whole(devices: Iterable[PreparedDevice]) -> tuple[AllocatedDevice, ...]:
    """Return the allocation that prepared devices were made from, in their order."""
    children: dict[DeviceID, int] = {}
    shares: dict[DeviceID, Share | None] = {}
    for device in devices:
        parent = device.parent or device.id
        children[parent] = children.get(parent, 0) + (device.parent is not None)
        shares[parent] = device.share
    return tuple(
        AllocatedDevice(parent, split, shares[parent]) for parent, split in children.items()
    )


def _made_of(prepared: tuple[PreparedDevice, ...], allocated: tuple[AllocatedDevice, ...]) -> bool:
    given = tuple(AllocatedDevice(d.id, d.split if d.split > 1 else 0, d.share) for d in allocated)
    return whole(prepared) == given and len({d.id for d in prepared}) == len(prepared)


def _named(entry: AllocatedClaim, uid: ClaimUID) -> str:
    return f"ResourceClaim {entry.namespace}/{entry.name} ({uid})" if entry.name else f"claim {uid}"
