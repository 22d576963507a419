"""Keys in, outcomes out.

The one place where an outcome becomes a queue operation, an event, a metric and a log line.
Level-triggered: a key says which object to look at, never what happened to it. A key is never
handled by two workers at once.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from api.errors import DriverError, UserError
from api.objects import JSON, Key
from controller.claims.scheduling import RECHECK_SECONDS
from controller.errors import StaleWorld
from controller.outcome import ANY_NODE, After, Again, Blocked, Done, Outcome, Topic, Warned
from controller.queue.waiting import Waiters
from kube.errors import ApiError, Conflict, KubeError
from kube.workqueue import WorkQueue
from ops.logs import get_logger

CLAIM = "claim"
SCHEDULING = "psc"
STATE = "nas"

_LOG = get_logger("reconcile")


class Sync(Protocol):
    """Brings one object up to date."""

    def sync(self, key: Key) -> Outcome:
        """Look at the object and do what it needs."""
        ...


class Events(Protocol):
    """Tells the readers of an object."""

    def warning(self, obj: JSON, reason: str, message: str) -> None:
        """Record a Warning event."""
        ...


class Observer(Protocol):
    """Measures reconciles."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Count one reconcile of a kind with its result and duration."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How to handle the keys of one kind."""

    sync: Sync
    find: Callable[[Key], JSON | None]


class UnknownKey(DriverError):
    """A queue key that no kind can handle."""


def queue_key(kind: str, key: Key) -> str:
    """Return the queue key of an object."""
    return f"{kind}:{key}"


def parse_key(queued: str) -> tuple[str, Key]:
    """Return kind and object key of a queue key.

    Raises:
        UnknownKey: it is not `<kind>:<namespace>/<name>`.
    """
    kind, _, key = queued.partition(":")
    if kind not in (CLAIM, SCHEDULING, STATE) or key.count("/") != 1:
        raise UnknownKey(f"unexpected key format: {queued}")
    return kind, Key(key)


class Reconciler:
    """Works through the queue."""

    def __init__(
        self,
        queue: WorkQueue,
        kinds: Mapping[str, Kind],
        waiters: Waiters,
        events: Events,
        observer: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Handle keys of `queue` with the kinds CLAIM, SCHEDULING and STATE."""
        self._queue = queue
        self._kinds = kinds
        self._waiters = waiters
        self._events = events
        self._observer = observer
        self._clock = clock

    def run(self) -> None:
        """Work until the queue is shut down; the body of one worker thread."""
        while (queued := self._queue.get()) is not None:
            try:
                self.handle(queued)
            finally:
                self._queue.done(queued)

    def handle(self, queued: str) -> None:
        """Reconcile one key and apply the outcome."""
        began = self._clock()
        kind, key = parse_key(queued)
        outcome = self._outcome(kind, key)
        result = self._apply(queued, outcome)
        self._observer.reconciled(kind, result, self._clock() - began)

    def _outcome(self, kind: str, key: Key) -> Outcome | Exception:
        try:
            return self._kinds[kind].sync.sync(key)
        except UserError as error:
            found = self._kinds[kind].find(key)
            return Blocked(error, (found,) if found else (), frozenset({ANY_NODE}))
        except (StaleWorld, Conflict) as error:
            _LOG.debug("world has changed, trying again", kind=kind, key=key, reason=str(error))
            return Again()
        except KubeError as error:
            self._report(kind, key, error)
            return error
        except Exception as error:  # noqa: BLE001 - one bad object must not stop the worker
            _LOG.error("reconcile failed unexpectedly", kind=kind, key=key, exc=error)
            return error

    def _apply(self, queued: str, outcome: Outcome | Exception) -> str:
        match outcome:
            case Done():
                self._forget(queued)
                return "done"
            case Warned(error, subjects):
                self._tell("warned", queued, error, subjects)
                self._forget(queued)
                return "done"
            case After(seconds, topics):
                self._later(queued, seconds, topics)
                return "waiting"
            case Blocked(error, subjects, topics):
                self._tell("blocked", queued, error, subjects)
                self._later(queued, RECHECK_SECONDS, topics)
                return "blocked"
            case Again(topics):
                self._waiters.wait(queued, topics)
                self._queue.add_rate_limited(queued)
                return "again"
            case _:
                self._queue.add_rate_limited(queued)
                return "error"

    def _forget(self, queued: str) -> None:
        self._waiters.wait(queued, ())
        self._queue.forget(queued)

    def _later(self, queued: str, seconds: float, topics: frozenset[Topic]) -> None:
        self._waiters.wait(queued, topics)
        self._queue.forget(queued)
        self._queue.add_after(queued, seconds)

    def _tell(
        self, result: str, queued: str, error: DriverError, subjects: tuple[JSON, ...]
    ) -> None:
        reason = type(error).__name__
        _LOG.info(result, key=queued, reason=reason, message=str(error))
        for subject in subjects:
            self._events.warning(subject, reason, str(error))

    def _report(self, kind: str, key: Key, error: KubeError) -> None:
        _LOG.warning("request failed, trying again", kind=kind, key=key, error=str(error))
        permanent = isinstance(error, ApiError) and 400 <= error.status < 429
        found = self._kinds[kind].find(key) if permanent else None
        if found is not None:
            self._events.warning(found, type(error).__name__, str(error))
