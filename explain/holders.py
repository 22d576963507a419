"""Who holds devices: claims, the pods that these are reserved for, and since when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from allocation.inuse import DeviceID, device_id
from api.claims.view import allocation_of, consumers, results_of
from api.humantime import age
from api.objects import JSON, key_of
from api.texts import listed

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Holder:
    """A claim that holds devices.

    Attributes:
        claim: `namespace/name`.
        consumers: what it is reserved for, such as `pod default/x`.
        since: RFC 3339: of the allocation, before 1.36 of the claim; empty if unknown.
        admin: whether it has the device for administration only, which keeps nobody from it.
        share: whether it has a share of the device.
        consumed: what the share takes of the device's capacity, by name.
    """

    claim: str
    consumers: tuple[str, ...]
    since: str
    admin: bool = False
    share: bool = False
    consumed: tuple[tuple[str, str], ...] = ()

    def told(self, now: datetime) -> str:
        """Return it for people."""
        whom = listed(self.consumers, _SHOWN) or "reserved for nobody"
        since = f" for {age(self.since, now)}" if self.since else ""
        return f"claim {self.claim} ({whom}){since}"


def holders(claims: Iterable[JSON]) -> Mapping[DeviceID, Sequence[Holder]]:
    """Return who holds each device; several hold shares of one."""
    found: dict[DeviceID, list[Holder]] = {}
    for claim in claims:
        allocation = allocation_of(claim) or {}
        for result in results_of(claim):
            found.setdefault(device_id(result), []).append(_holder(claim, allocation, result))
    return found


def _holder(claim: JSON, allocation: JSON, result: JSON) -> Holder:
    since = allocation.get("allocationTimestamp") or claim["metadata"].get("creationTimestamp", "")
    admin, share = bool(result.get("adminAccess")), bool(result.get("shareID"))
    consumed = tuple(sorted((result.get("consumedCapacity") or {}).items()))
    return Holder(key_of(claim), consumers(claim), since, admin, share, consumed)
