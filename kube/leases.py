"""Who leads among several candidates: the rules of leader election by a Lease, without I/O.

One object in the API server names the leader. The leader renews it, the others watch it, and one of
them takes it when it has not changed for as long as it says. No clock of another machine is
believed: a candidate counts, on its own monotonic clock, from the moment when it saw a change.

Safety: a leader counts its renew deadline from the moment when it *sent* its last renewal that
worked; others count the longer lease duration from when they saw that renewal, which was later. So
the leader has given up before anybody takes over, as long as clocks run at about the same rate.
elector.py does what these rules say.

Source: client-go tools/leaderelection LeaderElector, which counts the deadline from the beginning
of the first renewal that fails, one retry period later.
"""

from dataclasses import dataclass
from typing import Final

from api.objects import JSON
from api.resources import LEASES
from api.times import micro_time
from kube.cache import revision

RELEASED_SECONDS: Final = 1
"""`leaseDurationSeconds` of a released Lease, for candidates that look at nothing else."""

_JITTER: Final = 0.2
_TRIES_PER_PERIOD: Final = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """The three times of an election, in seconds; see `problem` for how they depend.

    Attributes:
        duration: how long a Lease that does not change is another's; a whole number.
        renew_deadline: how long a leader goes on without a renewal that works.
        retry_period: from one renewal to the next, and between two looks of the others.
    """

    duration: int = 15
    renew_deadline: float = 10.0
    retry_period: float = 5.0

    def problem(self) -> str | None:
        """Return why these times cannot work, None if they can."""
        if self.retry_period <= 0:
            return "the retry period has to be more than 0"
        if self.renew_deadline <= self.retry_period * (1 + _JITTER):
            return "the renew deadline has to be more than 1.2 times the retry period"
        if self.duration <= self.renew_deadline:
            return "the lease duration has to be longer than the renew deadline"
        return None


class ElectionState:
    """What one candidate knows of the Lease; not thread-safe, times are given.

    A candidate that led and lost is out: it never leads again.
    """

    def __init__(self, identity: str, timing: Timing) -> None:
        """Begin as a candidate that has not seen the Lease.

        Args:
            identity: `holderIdentity`, of this candidate alone and never used before.
            timing: valid times.
        """
        self._identity = identity
        self._timing = timing
        self._lease: JSON | None = None
        self._changed_at = 0.0
        self._sent: float | None = None
        self._failed = False
        self._is_out = False

    @property
    def leading(self) -> bool:
        """Whether this candidate leads, unless `is_over` says that it should stop."""
        return self._sent is not None

    @property
    def is_out(self) -> bool:
        """Whether this candidate led once and does no longer."""
        return self._is_out

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as we know; empty for nobody."""
        return holder_of(self._lease)

    def seen(self, lease: JSON | None, now: float, asked: float | None = None) -> None:
        """Take in what the API server has; None if there is no Lease.

        What is not newer than what is known already changes nothing: a watch may lag behind. But
        what was asked for after that is older only if etcd was restored from a backup.

        Args:
            lease: as it is stored.
            now: when it came.
            asked: when the API server was asked for it; None for what a watch reports.
        """
        if lease is not None and self._lease is not None:
            found, known = revision(lease), revision(self._lease)
            restored = found < known and asked is not None and asked >= self._changed_at
            if found <= known and not restored:
                return
        self._lease = lease
        self._changed_at = now

    def is_free(self, now: float) -> bool:
        """Tell whether this candidate may write the Lease: it is nobody's, ours, or expired."""
        return self.holder in ("", self._identity) or now >= self._expires()

    def claim(self, namespace: str, name: str, wall: float) -> JSON:
        """Return the Lease to write so as to take or to keep it.

        Without a resourceVersion it has to be created. `wall` is in seconds since 1970, for people
        to read.
        """
        spec = _spec(self._lease)
        mine = self.holder == self._identity
        transitions = int(spec.get("leaseTransitions") or 0)
        return self._body(
            namespace,
            name,
            {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": self._timing.duration,
                "acquireTime": spec.get("acquireTime") if mine else micro_time(wall),
                "renewTime": micro_time(wall),
                "leaseTransitions": transitions + (0 if mine or self._lease is None else 1),
            },
        )

    def release(self, namespace: str, name: str, wall: float) -> JSON | None:
        """Return the Lease to write so that others may take it at once; None if it is not ours."""
        if self.holder != self._identity:
            return None
        return self._body(
            namespace,
            name,
            {
                "holderIdentity": "",
                "leaseDurationSeconds": RELEASED_SECONDS,
                "acquireTime": micro_time(wall),
                "renewTime": micro_time(wall),
                "leaseTransitions": int(_spec(self._lease).get("leaseTransitions") or 0),
            },
        )

    def won(self, lease: JSON, sent: float, now: float) -> bool:
        """Take in that a claim was stored; tell whether this candidate leads only now.

        An answer that comes after its own renew deadline makes nobody a leader.

        Args:
            lease: as stored.
            sent: when the claim was sent.
            now: when the answer came.
        """
        self.seen(lease, now)
        self._failed = False
        if self._is_out or self.is_over(now) or now >= sent + self._timing.renew_deadline:
            return False
        first = self._sent is None
        self._sent = sent
        return first

    def failed(self) -> None:
        """Take in that reading or writing the Lease failed."""
        self._failed = True

    def is_over(self, now: float) -> bool:
        """Tell whether a leader has to stop: it could not renew, or the Lease is another's."""
        if self._sent is None:
            return False
        taken = self.holder not in ("", self._identity)
        return taken or now >= self._sent + self._timing.renew_deadline

    def give_up(self) -> None:
        """Lead no longer, and never again."""
        self._sent = None
        self._is_out = True

    def seconds_left(self, now: float) -> float | None:
        """Return after how many seconds without a renewal a leader stops; None for the others."""
        if self._sent is None:
            return None
        return max(0.0, self._sent + self._timing.renew_deadline - now)

    def pause(self, now: float, rand: float) -> float:
        """Return the seconds until the Lease has to be looked at or renewed.

        Renewals come once every retry period, and five times as often after a failure, so that the
        deadline leaves room for several. The others look at a Lease up to a fifth earlier than
        that, each at another moment, and exactly when it expires.

        Args:
            now: monotonic.
            rand: in [0, 1), for jitter.
        """
        period = self._timing.retry_period
        if self._sent is not None:
            again = now + period / _TRIES_PER_PERIOD
            return max(0.0, (again if self._failed else self._sent + period) - now)
        pause = period * (1 - _JITTER * rand)
        left = self._expires() - now
        return min(pause, left) if self.holder and left > 0 else pause

    def _expires(self) -> float:
        told = _spec(self._lease).get("leaseDurationSeconds")
        return self._changed_at + (told if isinstance(told, int) else self._timing.duration)

    def _body(self, namespace: str, name: str, spec: JSON) -> JSON:
        meta = {"name": name, "namespace": namespace}
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": self._lease["metadata"] if self._lease is not None else meta,
            "spec": spec,
        }


def holder_of(lease: JSON | None) -> str:
    """Return who holds a Lease; empty for nobody."""
    return str(_spec(lease).get("holderIdentity") or "")


def _spec(lease: JSON | None) -> JSON:
    spec = lease.get("spec") if lease is not None else None
    return spec if isinstance(spec, dict) else {}
