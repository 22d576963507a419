"""What a pod waits for before it is bound: binding conditions of its allocated devices; pure.

Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.37 (isClaimReadyForBinding,
isClaimTimeout).
"""

from typing import Final

from api.claims.view import ClaimView, true_conditions
from api.objects import JSON
from api.times import parse_time
from devcluster.errors import DevicesNotReady

TIMEOUT_SECONDS: Final = 600.0
"""BindingTimeout of the scheduler plugin, by default."""


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
    true = true_conditions(claim.raw, result)
    for name in result.get("bindingFailureConditions") or ():
        if name in true:
            reason, message = (true[name].get(field, "") for field in ("reason", "message"))
            raise DevicesNotReady(
                f'device binding failed: claim={claim.name}, reason={reason}, message="{message}"'
            )
    return all(name in true for name in result["bindingConditions"])


def _has_timed_out(claim: ClaimView, now: float) -> bool:
    allocated = (
        parse_time(claim.allocation.raw.get("allocationTimestamp")) if claim.allocation else None
    )
    return allocated is not None and allocated.timestamp() + TIMEOUT_SECONDS < now
