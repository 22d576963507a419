"""What several claims may have of one device at the same time: pure.

A claim has a device alone, whole or split, or it has a share of it: then it is one of the clients
of a time-sliced device. Each of them was promised that they are at most so many. Where clients with
different promises meet, the smallest counts for all of them.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from api.devices import Share
from api.objects import ClaimUID, DeviceID


@dataclass(frozen=True, slots=True)
class Clients:
    """The claims that have shares of a device.

    Attributes:
        numbers: of the clients.
        count: of the claims.
        limit: the smallest promise that one of them was given; None if there is none.
    """

    numbers: frozenset[int] = frozenset()
    count: int = 0
    limit: int | None = None

    @classmethod
    def of(cls, shares: Iterable[Share]) -> "Clients":
        """Return those who have these shares, one claim each."""
        clients = cls()
        for share in shares:
            clients = clients.having(share)
        return clients

    def room(self, max_clients: int) -> int:
        """Return how many more claims with a promise of `max_clients` there may be."""
        return max(0, self._least(max_clients) - self.count)

    def next_share(self, max_clients: int) -> Share:
        """Return the share of the next claim: it gets the first number that is not taken."""
        free = (number for number in itertools.count() if number not in self.numbers)
        return Share(next(free), max_clients)

    def may_have(self, share: Share | None) -> bool:
        """Tell whether one more claim may have this of the device; None is all of it."""
        if share is None:
            return not self.count
        return share.client not in self.numbers and self.room(share.max_clients) > 0

    def having(self, share: Share) -> "Clients":
        """Return these and one more claim."""
        return Clients(
            self.numbers | {share.client}, self.count + 1, self._least(share.max_clients)
        )

    def _least(self, max_clients: int) -> int:
        return max_clients if self.limit is None else min(self.limit, max_clients)


def sharers(
    held: Iterable[tuple[DeviceID, ClaimUID, Share | None]],
) -> Mapping[DeviceID, Clients]:
    """Return who shares each of the devices that are shared, and that nobody has alone.

    Args:
        held: what each claim has of each device; None is all of it. A claim with two shares of a
            device counts for both.
    """
    alone: set[DeviceID] = set()
    shares: dict[DeviceID, set[tuple[ClaimUID, Share]]] = {}
    for device, uid, share in held:
        if share is None:
            alone.add(device)
        else:
            shares.setdefault(device, set()).add((uid, share))
    return {
        device: Clients.of(share for _, share in each)
        for device, each in shares.items()
        if device not in alone
    }


def conflict(held: Collection[Share | None]) -> str | None:
    """Tell why claims can't hold a device at the same time, None if they can.

    Args:
        held: what each of them has of the device; None is all of it.
    """
    if len(held) < 2:
        return None
    shares = [share for share in held if share is not None]
    if len(shares) < len(held):
        return "which one of them has alone"
    if len({share.client for share in shares}) < len(shares):
        return "two of which are the same client"
    limit = min(share.max_clients for share in shares)
    if len(shares) > limit:
        return f"one of which was promised that they are at most {limit}"
    return None
