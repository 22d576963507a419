"""Keys in, outcomes out.

The one place where an outcome becomes a queue operation, an event, a metric and a log line.
Level-triggered: a key says which object to look at, never what happened to it. A key is never
handled by two workers at once.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from api.errors import DriverError, UserError
from api.events import Events
from api.objects import JSON, Key
from controller.claims.scheduling import RECHECK_SECONDS
from controller.errors import StaleWorld
from controller.outcome import ANY_NODE, After, Again, Blocked, Done, Outcome, Topic, Warned
from kube.errors import ApiError, Conflict, KubeError
from kube.workqueue import WorkQueue
from ops.logs import get_logger

CLAIM = "claim"
SCHEDULING = "psc"
STATE = "nas"

_LOG = get_logger("reconcile")


@dataclass(frozen=True, slots=True)
class KeyHandler:
    """What to do with the keys of one prefix.

    Attributes:
        sync: looks at an object and does what it needs.
        find: returns an object as it is cached.
    """

    sync: Callable[[Key], Outcome]
    find: Callable[[Key], JSON | None]


class UnknownKey(DriverError):
    """A queue key that nobody handles."""


def queue_key(prefix: str, key: Key) -> str:
    """Return the queue key of an object."""
    return f"{prefix}:{key}"


def parse_key(queued: str) -> tuple[str, Key]:
    """Return prefix and object key of a queue key.

    Raises:
        UnknownKey: it is not `<prefix>:<namespace>/<name>`.
    """
    prefix, _, key = queued.partition(":")
    if prefix not in (CLAIM, SCHEDULING, STATE) or key.count("/") != 1:
        raise UnknownKey(f"unexpected key format: {queued}")
    return prefix, Key(key)


class Waiters:
    """Queue keys that a change of a topic should wake; thread-safe.

    A PodSchedulingContext waits for its unsuitable nodes, a claim for parameters that do not exist
    yet. What changes after a key was looked at, and before it waits, counts too. Waking is a
    shortcut; the periodic recheck of the reconciler is the safety net.
    """

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._lock = threading.Lock()
        self._topics: dict[str, frozenset[Topic]] = {}
        self._keys: defaultdict[Topic, set[str]] = defaultdict(set)
        self._missed: dict[str, set[Topic]] = {}

    @contextmanager
    def handling(self, key: str) -> Iterator[None]:
        """Note the topics that change while it is found out what `key` has to wait for."""
        with self._lock:
            self._missed[key] = set()
        try:
            yield
        finally:
            with self._lock:
                del self._missed[key]

    def wait(self, key: str, topics: Iterable[Topic]) -> bool:
        """Let `key` wait for just these topics from now on; tell whether one was missed."""
        wanted = frozenset(topics)
        with self._lock:
            self._drop(key)
            if wanted:
                self._topics[key] = wanted
            for topic in wanted:
                self._keys[topic].add(key)
            return not wanted.isdisjoint(self._missed.get(key, ()))

    def wake(self, topic: Topic) -> list[str]:
        """Return the keys that wait for a topic, sorted; they go on waiting."""
        with self._lock:
            for missed in self._missed.values():
                missed.add(topic)
            return sorted(self._keys.get(topic, ()))

    def _drop(self, key: str) -> None:
        for topic in self._topics.pop(key, frozenset()):
            self._keys[topic].discard(key)
            if not self._keys[topic]:
                del self._keys[topic]


class Reconciler:
    """Works through the queue."""

    def __init__(
        self,
        queue: WorkQueue,
        handlers: Mapping[str, KeyHandler],
        waiters: Waiters,
        events: Events,
        durations: Mapping[tuple[str, str], Callable[[float], object]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Handle keys of `queue` with the prefixes CLAIM, SCHEDULING and STATE."""
        self._queue = queue
        self._handlers = handlers
        self._waiters = waiters
        self._events = events
        self._durations = durations
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
        prefix, key = parse_key(queued)
        handler = self._handlers[prefix]
        outcome: Outcome | Exception
        with self._waiters.handling(queued):
            try:
                outcome = handler.sync(key)
            except UserError as error:
                found = handler.find(key)
                outcome = Blocked(error, (found,) if found else (), frozenset({ANY_NODE}))
            except (StaleWorld, Conflict) as error:
                _LOG.debug("world has changed, trying again", key=queued, reason=str(error))
                outcome = Again()
            except KubeError as error:
                self._report(handler.find(key), queued, error)
                outcome = error
            except Exception as error:  # noqa: BLE001 - one bad object must not stop the worker
                _LOG.error("reconcile failed unexpectedly", key=queued, exc=error)
                outcome = error
            result = self._apply(queued, outcome)
        self._durations[prefix, result](self._clock() - began)

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
        missed = self._waiters.wait(queued, topics)
        self._queue.forget(queued)
        if missed:
            self._queue.add(queued)
        else:
            self._queue.add_after(queued, seconds)

    def _tell(
        self, result: str, queued: str, error: DriverError, subjects: tuple[JSON, ...]
    ) -> None:
        reason = type(error).__name__
        _LOG.info(result, key=queued, reason=reason, message=str(error))
        for subject in subjects:
            self._events.warning(subject, reason, str(error))

    def _report(self, found: JSON | None, queued: str, error: KubeError) -> None:
        _LOG.warning("request failed, trying again", key=queued, error=str(error))
        permanent = isinstance(error, ApiError) and 400 <= error.status < 429
        if permanent and found is not None:
            self._events.warning(found, type(error).__name__, str(error))
