"""Decides what becomes of an occurrence: a new Event, one more count on an old one, or nothing.

The same thing that happens to the same object again is one Event with a count, and an object about
which too much is reported is not heard for a while. No threads and no requests; events.py has both.
Source: client-go tools/record EventCorrelator, with its limits, but without its joining of events
that differ in their message only.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Self, TypeAlias

from api.objects import JSON
from kube.lru import LRU
from kube.ratelimit import TokenBucket

EventLevel: TypeAlias = Literal["Normal", "Warning"]

_REMEMBERED: Final = 4096
_SPAM_BURST: Final = 25
_SPAM_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The object of an Event; another resourceVersion of it is the same object.

    Attributes:
        api_version: e.g. `v1`.
        kind: e.g. `Pod`.
        namespace: empty for a cluster-scoped object.
        name: of the object.
        uid: of the object.
        resource_version: of the copy that was looked at.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str = field(default="", compare=False)

    @classmethod
    def of(cls, obj: JSON) -> Self:
        """Refer to an object; what it lacks stays empty."""
        meta: JSON = obj.get("metadata") or {}
        return cls(
            api_version=str(obj.get("apiVersion", "")),
            kind=str(obj.get("kind", "")),
            namespace=str(meta.get("namespace") or ""),
            name=str(meta.get("name", "")),
            uid=str(meta.get("uid", "")),
            resource_version=str(meta.get("resourceVersion", "")),
        )


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to an object; equal if it is the same at another time."""

    object: ObjectRef
    type: EventLevel
    reason: str
    message: str
    nanoseconds: int = field(compare=False)
    """When, since the epoch."""


@dataclass(slots=True)
class Series:
    """The same occurrence again and again.

    Attributes:
        first: nanoseconds since the epoch of the first one.
        count: how often so far.
        name: of the Event that stands for it, empty if there is none yet.
    """

    first: int
    count: int = 0
    name: str = ""


class Correlator:
    """Remembers what was reported of late; not thread-safe, bounded in size."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing; `clock` in seconds, monotonic, refills the budget of each object."""
        self._clock = clock
        self._series: LRU[Occurrence, Series] = LRU(_REMEMBERED)
        self._budgets: LRU[ObjectRef, TokenBucket] = LRU(_REMEMBERED)

    def observe(self, occurrence: Occurrence) -> Series | None:
        """Count an occurrence; return its series, None if its object has used up its budget.

        An object may be reported on 25 times at once and then once in 5 minutes. What goes beyond
        that is part of the count that is written next.
        """
        series = self._series.setdefault(occurrence, lambda: Series(first=occurrence.nanoseconds))
        series.count += 1
        budget = self._budgets.setdefault(occurrence.object, self._budget)
        return series if budget.try_take() else None

    def _budget(self) -> TokenBucket:
        return TokenBucket(1 / _SPAM_SECONDS, _SPAM_BURST, clock=self._clock)
