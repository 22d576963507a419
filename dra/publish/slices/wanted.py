"""What is to be in the slices of a pool, from what its driver offers and what is allocated."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from api.objects import JSON
from dra.inventory import Pool
from dra.publish.slices.compare import with_times
from dra.publish.slices.layout import (
    SHARED,
    Offer,
    Style,
    contents,
    offered,
    retained,
    still_shared,
    without_counters,
)
from dra.publish.slices.plan import Identity

REMOVED: Final = "removed"
"""Key, below the driver's name, of the taint of an allocated device that is offered no more."""


@dataclass(frozen=True, slots=True)
class View:
    """A pool at one time.

    Attributes:
        identity: of its slices.
        pool: as the driver offers it.
        static: what the driver offers where counters are not stored; None is the same.
        stored: its slices.
        allocated: names of devices that claims have; may be empty while none of them matters.
        kept: what was published of devices that were only allocated, in the form of slices; a
            kubelet that starts deletes all stored ones.
        former: what the driver knows of these devices.
        shares: names of devices of which claims have shares.
    """

    identity: Identity
    pool: Pool
    static: Pool | None
    stored: Sequence[JSON]
    allocated: Collection[str]
    kept: Sequence[JSON] = ()
    former: Pool = field(default_factory=Pool)
    shares: Collection[str] = ()

    @property
    def names(self) -> frozenset[str]:
        """Names of the devices that the driver offers."""
        return frozenset(device.name for device in self.pool.devices)

    def offer(self) -> Offer:
        """Return what the driver offers, and what is allocated besides."""
        former = offered(self.former, self.identity.node)
        known = {"spec": {"devices": [*former.devices], "sharedCounters": [*former.sets]}}
        return self._retained(offered(self.pool, self.identity.node), [known, *self.kept])

    def leaving(self) -> bool:
        """Tell whether devices are published that are not offered any more, or not shared."""
        names = self.names
        shared = {device.name for device in self.pool.devices if device.shared}
        return any(
            device["name"] not in (shared if device.get(SHARED) else names)
            for each in (*self.stored, *self.kept)
            for device in each["spec"].get("devices") or []
        )

    def besides(self, offer: Offer) -> Sequence[JSON]:
        """Return what `kept` has to be from now on."""
        names = self.names
        left = [each for each in offer.devices if each["name"] not in names]
        used = [each for each in offer.devices if "consumesCounters" in each]
        spec = {"devices": [*used, *left], "sharedCounters": list(offer.sets)}
        return [{"spec": spec}] if left else []

    def wanted(self, offer: Offer, style: Style) -> tuple[JSON, ...]:
        """Return the contents of the slices for what `offer` returned."""
        if style is Style.NONE and offer.counted:
            offer = without_counters(self._static_offer(offer), self.allocated)
        offer = still_shared(offer, self.allocated, self.shares, self._key)
        return with_times(contents(offer, style), self.stored)

    def holds(self, style: Style) -> bool:
        """Tell whether something else would be published if nothing was allocated."""
        if not self.allocated:
            return False
        free = replace(self, allocated=frozenset(), shares=frozenset())
        return self.wanted(self.offer(), style) != free.wanted(free.offer(), style)

    def _static_offer(self, offer: Offer) -> Offer:
        """Return what the driver prefers of devices that overlap, with what they consume."""
        if self.static is None:
            return offer
        consumed = {
            each["name"]: each["consumesCounters"]
            for each in offer.devices
            if "consumesCounters" in each
        }
        static = offered(self.static, self.identity.node)
        devices = tuple(
            {"consumesCounters": consumed[each["name"]], **each}
            if each["name"] in consumed
            else each
            for each in static.devices
        )
        known = {"spec": {"devices": [*offer.devices]}}
        return self._retained(replace(static, devices=devices, sets=offer.sets), [known])

    def _retained(self, offer: Offer, known: Sequence[JSON]) -> Offer:
        """Keep what is allocated, as it is known."""
        return retained(offer, (*known, *self.stored), self.allocated, self._key)

    @property
    def _key(self) -> str:
        return f"{self.identity.driver}/{REMOVED}"
