"""The stations in the life of a claim: created, allocated, prepared, running, released.

Objects tell some of the times. Of the others it is known between which two looks at the claim they
came, if it was looked at before; a station that lies before the first look has no time. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.claims.view import allocation_of, consumers
from api.conditions import condition_of
from api.objects import JSON

CREATED: Final = "created"
ALLOCATED: Final = "allocated"
PREPARED: Final = "prepared"
RUNNING: Final = "running"
RELEASED: Final = "released"
ORDER: Final = (CREATED, ALLOCATED, PREPARED, RUNNING, RELEASED)

ENDED: Final = ("Succeeded", "Failed")
"""Phases of pods that run no more."""


@dataclass(frozen=True, slots=True)
class Station:
    """A station that a claim has reached.

    Attributes:
        at: RFC 3339; empty if it was reached before anybody looked.
        seen: whether the time is that of our look, and not one that an object tells.
    """

    name: str
    at: str = ""
    seen: bool = False


def reached(claim: JSON, pods: Sequence[JSON], *, prepared: bool) -> Mapping[str, str]:
    """Return the stations that a claim has reached now, with the time that objects tell.

    Args:
        claim: the ResourceClaim.
        pods: those that use it.
        prepared: whether its driver has published that it is prepared.
    """
    allocation = allocation_of(claim) or {}
    found = {CREATED: str(claim["metadata"].get("creationTimestamp", ""))}
    if not allocation:
        return found
    found[ALLOCATED] = str(allocation.get("allocationTimestamp") or "")
    ready = [str(each.get("lastTransitionTime") or "") for _, each in readiness(claim, "True")]
    running = [each for each in pods if (each.get("status") or {}).get("phase") == "Running"]
    if prepared or ready or running:
        found[PREPARED] = max(ready, default="")
    if running:
        found[RUNNING] = min(map(_since, running))
    ended = pods and all((each.get("status") or {}).get("phase") in ENDED for each in pods)
    if ended and not consumers(claim):
        found[RELEASED] = ""
    return found


def line(
    before: Sequence[Station] | None, now: Mapping[str, str], clock: str
) -> tuple[Station, ...]:
    """Return the stations of a claim, in order.

    Args:
        before: those of the look before; None at the first one.
        now: what it has reached, see `reached`; what is not in it any more is released.
        clock: RFC 3339, of this look.
    """
    known = {each.name: each for each in before or ()}
    if ALLOCATED in known and ALLOCATED not in now:
        return _released(known, clock)
    if ALLOCATED in now and RELEASED in known and RELEASED not in now:
        known = {CREATED: known[CREATED]}
    fresh = {name: _station(name, at, known.get(name), before, clock) for name, at in now.items()}
    # a pod that ends leaves what was before it
    passed = {name: each for name, each in known.items() if name not in fresh}
    return tuple({**passed, **fresh}[name] for name in ORDER if name in {**passed, **fresh})


def gone(before: Iterable[Station], clock: str) -> tuple[Station, ...]:
    """Return the stations of a claim that is deleted."""
    return _released({each.name: each for each in before}, clock)


def _released(known: Mapping[str, Station], clock: str) -> tuple[Station, ...]:
    end = known.get(RELEASED) or Station(RELEASED, clock, seen=True)
    return tuple({**known, RELEASED: end}[name] for name in ORDER if name in {*known, RELEASED})


def _station(name: str, at: str, known: Station | None, before: object, clock: str) -> Station:
    if at:
        return Station(name, at)
    if known is not None:
        return replace(known)
    return Station(name, clock, seen=True) if before is not None else Station(name)


def readiness(claim: JSON, status: str) -> Iterator[tuple[JSON, JSON]]:
    """Yield the devices of which a driver says this of being ready, each with that condition."""
    for device in (claim.get("status") or {}).get("devices") or ():
        for each in device.get("conditions") or ():
            if each.get("type") == "Ready" and each.get("status") == status:
                yield device, each


def _since(pod: JSON) -> str:
    ready = condition_of(pod, "Ready")
    if ready.get("status") == "True" and ready.get("lastTransitionTime"):
        return str(ready["lastTransitionTime"])
    return str((pod.get("status") or {}).get("startTime") or "")
