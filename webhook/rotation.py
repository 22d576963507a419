"""When which certificate serves, and which authorities clients trust: decided, not done.

A new pair is made well before the present one is over. For some time both authorities are trusted
and the old pair serves; then the new pair serves and both are trusted still, since other replicas
may be behind; then the old authority goes. So at no moment does a replica serve what no API server
trusts, however late it or the API servers hear of a step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from webhook import certificates
from webhook.certificates import Pair
from webhook.errors import UnusableCertificate


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things last.

    Attributes:
        lifetime: of a pair.
        renewal: before its end, when the next one is made.
        overlap: of each step of a rotation.
    """

    lifetime: timedelta = timedelta(days=90)
    renewal: timedelta = timedelta(days=30)
    overlap: timedelta = timedelta(minutes=10)


TIMING: Final = Timing()

_LOST: Final = 2
"""Authorities that stay trusted for a while when what was kept is lost, as in a rotation."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What all replicas know.

    Attributes:
        serving: what they serve with.
        coming: what they are going to serve with.
        former: authority of what they served with before.
        since: when one of these changed.
    """

    serving: Pair
    since: datetime
    coming: Pair | None = None
    former: str = ""

    @property
    def authorities(self) -> str:
        """All that clients have to trust now, as PEM."""
        coming = self.coming.authority if self.coming else ""
        return "".join(filter(None, (self.serving.authority, coming, self.former)))


def advance(
    kept: Kept | None,
    now: datetime,
    trusted: str,
    names: tuple[str, ...],
    make: Callable[[], Pair],
    timing: Timing = TIMING,
) -> Kept:
    """Return what is to be kept from now on; `kept` itself if nothing is due.

    Args:
        kept: so far; None if there is nothing, or nothing that can be read.
        now: the time.
        trusted: the authorities that API servers were told to trust.
        names: of the server.
        make: makes a pair.
        timing: how long things last.
    """
    if kept is None or not _serves(kept.serving, now, names):
        # other replicas go on with what they had until they look again
        return Kept(make(), now, former=certificates.first(trusted, _LOST))
    if kept.coming is not None and not _serves(kept.coming, now, names):
        return replace(kept, coming=make(), since=now)
    if kept.since > now + certificates.SKEW:
        # a clock was ahead when it was written
        return replace(kept, since=now)
    settled = now >= kept.since + timing.overlap
    if kept.coming is not None and settled and kept.coming.authority in trusted:
        return Kept(kept.coming, now, former=kept.serving.authority)
    if kept.former and settled:
        return replace(kept, former="", since=now)
    rotates = kept.coming is not None or bool(kept.former)
    if not rotates and now >= certificates.over(kept.serving) - timing.renewal:
        return replace(kept, coming=make(), since=now)
    return kept


def _serves(pair: Pair, now: datetime, names: tuple[str, ...]) -> bool:
    try:
        return certificates.proves(pair, names) and certificates.is_good(pair, now)
    except UnusableCertificate:
        return False
