"""What prepared claims say about devices: which are held, and by whom."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from api.objects import JSON, ClaimUID
from api.texts import counted
from dra.devicestate.codec import from_json, to_json
from dra.driver import Edits, PreparedClaim, PreparedDevice
from dra.errors import DeviceInUse, InvalidCdiSpec

Whole: TypeAlias = tuple[str, str]
"""Pool and name of an allocated device."""

Remake: TypeAlias = Callable[[PreparedClaim, JSON | None], PreparedClaim]
"""Completes a claim of which only the names of its devices are known: with pools and edits.

The second argument is the claim's CDI file, None if there is none that can be read.
"""


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """A claim in the checkpoint.

    Attributes:
        claim: with its devices; none while it is only preparing.
        call: number of the call that changed it last.
        certain: whether its devices are; if not, it is prepared once it was published.
        shown: whether the publisher took it; if not, the call that prepared it has failed.
    """

    claim: PreparedClaim
    call: int
    certain: bool = True
    shown: bool = True

    @property
    def prepared(self) -> bool:
        """Whether the claim is prepared, and not only about to be."""
        return self.certain and bool(self.claim.devices)


def taken_up(
    claims: Mapping[ClaimUID, PreparedClaim],
    known: Mapping[ClaimUID, CheckpointEntry],
    calls: Iterator[int],
) -> dict[ClaimUID, CheckpointEntry]:
    """Return the entries of a checkpoint that was read, each numbered anew unless it was known."""
    return {
        uid: known[uid]
        if uid in known and known[uid].claim == claim
        else CheckpointEntry(claim, next(calls))
        for uid, claim in claims.items()
    }


def check_free(claim: PreparedClaim, others: Iterable[PreparedClaim]) -> None:
    """Check that no device of a claim, nor another child of it, is another claim's.

    Two claims may have shares of a device, and with admin access any device. Allocations may be
    lost, with an object that is deleted, while containers use the devices.

    Raises:
        DeviceInUse: naming device and holder.
    """
    alone, shares = _alone(claim), _shares(claim)
    own = {device for _, device in alone | shares}
    for other in others:
        if own.isdisjoint(_names(other)):
            continue
        taken = _alone(other)
        shared = (alone & (taken | _shares(other))) | (shares & taken)
        if shared:
            names = ", ".join(sorted(device for _, device in shared))
            raise DeviceInUse(
                f"device {names} of {claim} is prepared for {other}; wait "
                "until the pods of that claim have ended, or delete them"
            )


def checked(claim: PreparedClaim) -> PreparedClaim:
    """Return a claim as the checkpoint will have it, whatever lists and mappings it is made of.

    Raises:
        InvalidCdiSpec: a driver has put in what the types of its port do not allow.
    """
    try:
        return from_json(PreparedClaim, json.loads(json.dumps(to_json(claim))), "claim")
    except (TypeError, ValueError) as error:
        raise InvalidCdiSpec(
            f"{claim} cannot be written down: {error}; see what the driver returns from prepare"
        ) from error


def unedited(device: str, parent: str | None) -> PreparedDevice:
    """Return a device, or child of `parent`, of which nothing but ids is known."""
    if parent is None:
        return PreparedDevice("", device, Edits())
    return PreparedDevice("", parent, Edits(), name=device)


def described(devices: Sequence[PreparedDevice]) -> str:
    """Return how many devices a claim has, and how many children of others, for people."""
    whole = [device for device in devices if not device.name]
    parents = {(device.pool, device.device) for device in devices if device.name}
    parts = [counted(len(whole), "device")] if whole else []
    if parents:
        children = len(devices) - len(whole)
        parts.append(f"{children} children of {counted(len(parents), 'device')}")
    return " and ".join(parts)


def _names(claim: PreparedClaim) -> set[str]:
    """Return the names of all devices of a claim, which most often are no other claim's."""
    return {each.device for each in claim.devices} | {each.device for each in claim.results}


def _alone(claim: PreparedClaim) -> frozenset[Whole]:
    """Return the devices of which a claim has all, or children that are not shares."""
    return _held(claim, shares=False)


def _shares(claim: PreparedClaim) -> frozenset[Whole]:
    return _held(claim, shares=True)


def _held(claim: PreparedClaim, *, shares: bool) -> frozenset[Whole]:
    """Return what a claim has, or is about to have, and not only for administration."""
    admin = {(r.pool, r.device, r.share_id) for r in claim.results if r.admin}
    given = {(d.pool, d.device, d.share_id) for d in claim.devices}
    given |= {(r.pool, r.device, r.share_id) for r in claim.results}
    return frozenset(
        (pool, device) for pool, device, share in given - admin if (share is not None) == shares
    )
