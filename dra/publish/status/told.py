"""Tells people why the status of devices is not shown: each thing once. Counts every write."""

import enum
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from api.claims.view import ClaimView
from api.events import Events
from api.objects import ClaimUID
from kube.lru import LRU
from ops.logs import get_logger

REASON: Final = "DeviceStatusNotShown"
"""Of the events."""

SILENT_SECONDS: Final = 600.0
"""Until the API server is asked again what it has refused, since it may be allowed by then."""

_LOG: Final = get_logger("status")
_REMEMBERED: Final = 4096
_WRITTEN: Final = "written"
_FAILED: Final = "failed"


class Refusal(enum.Enum):
    """Why the API server does not store the status of a device."""

    FORBIDDEN = "forbidden"
    FORBIDDEN_DEVICE = "forbidden_device"
    NOT_STORED = "not_stored"
    UNPUBLISHABLE = "unpublishable"
    INVALID = "invalid"


_ADVICE: Final = {
    Refusal.FORBIDDEN: "grant the driver update and patch of resourceclaims/status",
    Refusal.FORBIDDEN_DEVICE: "grant the driver associated-node:update and associated-node:patch "
    "(of devices that are not of one node arbitrary-node:update and arbitrary-node:patch) of "
    "resourceclaims/driver in resource.k8s.io for its name",
    Refusal.NOT_STORED: "switch the feature gate DRAResourceClaimDeviceStatus of the API server on",
    Refusal.UNPUBLISHABLE: "the API server compares opaque parameters byte by byte with what the "
    "creator of the claim sent; create the claim with parameters without white space",
    Refusal.INVALID: "see what the driver passes to publish_status",
}
_OF_ALL_CLAIMS: Final = (Refusal.FORBIDDEN, Refusal.NOT_STORED)
_FINAL: Final = (*_OF_ALL_CLAIMS, Refusal.FORBIDDEN_DEVICE, Refusal.UNPUBLISHABLE)


class Told:
    """Log lines, events on the claim, and a metric by result; thread-safe."""

    def __init__(
        self, events: Events, registry: CollectorRegistry, *, clock: Callable[[], float]
    ) -> None:
        """Be silent.

        Args:
            events: of the program.
            registry: of the program's metrics.
            clock: seconds, monotonic.
        """
        self._events = events
        self._clock = clock
        self._writes = Counter(
            "fake_dra_plugin_device_status_writes",
            "Writes of what the driver shows of a claim's devices, by result.",
            ["result"],
            registry=registry,
        )
        for result in (_WRITTEN, _FAILED, *(each.value for each in Refusal)):
            self._writes.labels(result)
        self._said = LRU[tuple[Refusal, ClaimUID | None, str], list[None]](_REMEMBERED)
        self._silent = LRU[ClaimUID | None, list[float]](_REMEMBERED)

    def silent(self, uid: ClaimUID) -> bool:
        """Tell whether a claim cannot be written, as far as is known, and is not to be tried."""
        now = self._clock()
        return any(now < max(self._silent_until(key), default=now) for key in (None, uid))

    def written(self) -> None:
        """Count a success."""
        self._writes.labels(_WRITTEN).inc()

    def failed(self, claim: ClaimView, error: Exception) -> None:
        """Tell of a failure that passes by itself."""
        self._writes.labels(_FAILED).inc()
        _LOG.warning("Device status not written", claim=_name(claim), err=str(error))

    def refused(self, claim: ClaimView, refusal: Refusal, why: str) -> None:
        """Tell, unless it was told, that the API server does not store a status."""
        self._writes.labels(refusal.value).inc()
        everywhere = refusal in _OF_ALL_CLAIMS
        if refusal in _FINAL:
            silent = self._silent_until(None if everywhere else claim.uid)
            silent[:] = [self._clock() + SILENT_SECONDS]
        once = refusal in (*_OF_ALL_CLAIMS, Refusal.FORBIDDEN_DEVICE)
        key = (refusal, None if once else claim.uid, why if refusal is Refusal.INVALID else "")
        if key in self._said:
            return
        self._said.setdefault(key, list)
        text = f"the status of devices is not shown: {why}; {_ADVICE[refusal]}"
        _LOG.warning("Device status refused", claim=_name(claim), reason=REASON, message=text)
        self._events.warning(claim.raw, REASON, text)

    def _silent_until(self, key: ClaimUID | None) -> list[float]:
        return self._silent.setdefault(key, list)


def _name(claim: ClaimView) -> str:
    return f"{claim.namespace}/{claim.name}"
