"""What prepared claims say about devices: which are held, and by whom."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from api.devices import Share
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

    Two claims may have different shares of a device, as many as each was promised, and with admin
    access any device. Allocations may be lost, with an object that is deleted, while containers use
    the devices.

    Raises:
        DeviceInUse: naming device and holder.
    """
    given = _given(claim)
    alone, shares = _devices(given, shares=False), _devices(given, shares=True)
    own = {device for _, device in alone | shares}
    sharing = [claim]
    for other in others:
        if own.isdisjoint(_names(other)):
            continue
        has = _given(other)
        taken, shared = _devices(has, shares=False), _devices(has, shares=True)
        same = {(pool, device) for pool, device, _ in given & has}
        if both := (alone & (taken | shared)) | (shares & taken) | same:
            raise _in_use(claim, both, str(other))
        if shares & shared:
            sharing.append(other)
    for device in shares:
        _check_room(device, claim, sharing)


def _check_room(device: Whole, claim: PreparedClaim, sharing: Sequence[PreparedClaim]) -> None:
    """Check that no claim with a share of a device was promised to share it with fewer."""
    limits = {
        each.uid: made.max_clients
        for each in sharing
        for made in each.devices
        if (made.pool, made.device) == device
    }
    limit = min((most for most in limits.values() if most is not None), default=len(limits))
    if len(limits) > limit:
        held = ", ".join(str(each) for each in sharing if each.uid in limits and each != claim)
        raise _in_use(claim, {device}, f"{held}, and no more than {limit} may share it")


def _in_use(claim: PreparedClaim, devices: Iterable[Whole], whom: str) -> DeviceInUse:
    names = ", ".join(sorted(device for _, device in devices))
    return DeviceInUse(
        f"device {names} of {claim} is prepared for {whom}; wait until the pods of that claim have "
        "ended, or delete them"
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


def unedited(device: str, parent: str | None, share: Share | None = None) -> PreparedDevice:
    """Return a device, a child of `parent`, or a share, of which nothing but ids is known."""
    if parent is not None:
        return PreparedDevice("", parent, Edits(), name=device)
    if share is None:
        return PreparedDevice("", device, Edits())
    number = str(share.client)
    return PreparedDevice("", device, Edits(), share_id=number, max_clients=share.max_clients)


def share_of(device: PreparedDevice) -> Share | None:
    """Return the share that a time-sliced device was made of, None for any other device."""
    if device.share_id is None or device.max_clients is None:
        return None
    return Share(int(device.share_id), device.max_clients)


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


def _given(claim: PreparedClaim) -> set[tuple[str, str, str | None]]:
    """Return what a claim has, or is about to have, and not only for administration."""
    admin = {(r.pool, r.device, r.share_id) for r in claim.results if r.admin}
    given = {(d.pool, d.device, d.share_id) for d in claim.devices}
    given |= {(r.pool, r.device, r.share_id) for r in claim.results}
    return given - admin


def _devices(given: Iterable[tuple[str, str, str | None]], *, shares: bool) -> set[Whole]:
    """Return the devices of which there are shares, or all, or children that are not shares."""
    return {(pool, device) for pool, device, share in given if (share is not None) == shares}
