"""What a pod waits for before it is bound: binding conditions of its allocated devices; pure.

As in Kubernetes a device has one status, whichever share of it a claim has.
Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.37 (isClaimReadyForBinding,
isClaimTimeout).
"""

from collections.abc import Mapping
from typing import Final

from api.claims.view import ClaimView
from api.objects import JSON
from api.times import parse_time
from devcluster.errors import DevicesNotReady

TIMEOUT_SECONDS: Final = 600.0
"""BindingTimeout of the scheduler plugin, by default."""

_DEVICE: Final = ("driver", "pool", "device")


def is_ready(claim: ClaimView, now: float) -> bool:
    """Tell whether all devices of a claim may be used.

    Args:
        claim: allocated or not, in which case there is nothing to use.
        now: seconds since the epoch.

    Raises:
        DevicesNotReady: they will never be, as a driver says, or they took too long.
    """
    if claim.allocation is None:
        return False
    ready = all(_is_device_ready(claim, result) for result in _awaited(claim))
    if not ready and _has_timed_out(claim, now):
        raise DevicesNotReady(f"device binding timeout: claim={claim.name}")
    return ready


def _awaited(claim: ClaimView) -> list[JSON]:
    entries = claim.allocation.entries if claim.allocation else []
    return [each for each in entries if each.get("bindingConditions")]


def _is_device_ready(claim: ClaimView, result: JSON) -> bool:
    true = _true_conditions(claim, result)
    for name in result.get("bindingFailureConditions") or ():
        if name in true:
            reason, message = (true[name].get(field, "") for field in ("reason", "message"))
            raise DevicesNotReady(
                f'device binding failed: claim={claim.name}, reason={reason}, message="{message}"'
            )
    return all(name in true for name in result["bindingConditions"])


def _true_conditions(claim: ClaimView, result: JSON) -> Mapping[str, JSON]:
    """Return the conditions of a device that are True, by type."""
    shown = (claim.raw.get("status") or {}).get("devices") or ()
    same = [each for each in shown if all(each.get(f) == result.get(f) for f in _DEVICE)]
    conditions = (same[0].get("conditions") if same else None) or ()
    return {each["type"]: each for each in conditions if each.get("status") == "True"}


def _has_timed_out(claim: ClaimView, now: float) -> bool:
    allocated = (
        parse_time(claim.allocation.raw.get("allocationTimestamp")) if claim.allocation else None
    )
    return allocated is not None and allocated.timestamp() + TIMEOUT_SECONDS < now
