"""Tells users by core/v1 Events what happened to an object of theirs (`kubectl describe`).

Whoever reports neither waits nor fails: a bounded queue takes what is reported, and a thread writes
it. An Event that cannot be written is dropped and counted. What becomes one Event, and what is too
much, is decided in eventseries.py. Each costs about as much as a write that somebody waits for, so
successes are told only as long as they are few.

Source: client-go tools/record.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from api.objects import JSON
from api.resources import EVENTS
from api.times import timestamp
from api.validation import SUBDOMAIN_LENGTH
from kube.client import Client
from kube.errors import KubeError, NotFound
from kube.eventseries import Correlator, EventLevel, ObjectRef, Occurrence, Series
from kube.ratelimit import TokenBucket

NORMAL_BURST: Final = 25
NORMAL_QPS: Final = 2.0
"""How many successes are told at once, and how many a second from then on."""

LONGEST_MESSAGE: Final = 1024
"""Bytes that a message may have; what is longer is cut."""

_QUEUED: Final = 1000
_HOME_OF_CLUSTER_SCOPED: Final = "default"


class EventRecorder:
    """Reports Events; thread-safe."""

    def __init__(
        self,
        client: Client,
        *,
        component: str,
        host: str = "",
        normal: bool = True,
        queued: int = _QUEUED,
        correlator: Correlator | None = None,
        successes: TokenBucket | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """Take in reports; they are written once `start` is called.

        Args:
            client: the API server.
            component: who reports, e.g. `kubelet`.
            host: node of who reports, if it matters.
            normal: whether Normal Events are written; Warnings are in any case.
            queued: how many reports may wait; further ones are dropped. Of normal ones half as many
                may, so that a flood of successes leaves room for failures.
            correlator: joins repeated reports and drops floods of them.
            successes: how many Normal Events are written; by default NORMAL_QPS and NORMAL_BURST.
            now: nanoseconds since the epoch.
        """
        self._successes = successes or TokenBucket(NORMAL_QPS, NORMAL_BURST)
        self._client = client
        self._component = component
        self._host = host
        self._normal = normal
        self._queued = queued
        self._correlator = correlator if correlator is not None else Correlator()
        self._now = now
        self._latest = 0
        self._changed = threading.Condition()
        self._waiting: deque[Occurrence] = deque()
        self._stopping = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="events", daemon=True)

    @property
    def dropped(self) -> int:
        """How many reports were not written: too many, or refused by the API server."""
        with self._changed:
            return self._dropped

    def normal(self, obj: JSON, reason: str, message: str) -> None:
        """Report that something went as it should, unless much has; never blocks or raises.

        Args:
            obj: with apiVersion, kind and metadata.
            reason: in CamelCase, for programs.
            message: for people; cut to 1024 bytes.
        """
        if not self._normal:
            return
        if self._successes.try_take():
            self._report(obj, "Normal", reason, message, self._queued // 2)
        else:
            with self._changed:
                self._dropped += 1

    def warning(self, obj: JSON, reason: str, message: str) -> None:
        """Report that something went wrong; like `normal`."""
        self._report(obj, "Warning", reason, message, self._queued)

    def start(self) -> None:
        """Start to write; to be called once."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write what is queued, for `timeout` seconds at most, and take in nothing more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        with self._changed:
            self._dropped += len(self._waiting)
            self._waiting.clear()

    def _report(self, obj: JSON, level: EventLevel, reason: str, message: str, room: int) -> None:
        ref, text = ObjectRef.of(obj), _cut(message, LONGEST_MESSAGE)
        with self._changed:
            if self._stopping or len(self._waiting) >= room:
                self._dropped += 1
                return
            # a clock that stands still or is set back must give no name twice
            self._latest = max(self._now(), self._latest + 1)
            self._waiting.append(Occurrence(ref, level, reason, text, self._latest))
            self._changed.notify()

    def _write_all(self) -> None:
        while (occurrence := self._next()) is not None:
            if not self._write(occurrence):
                with self._changed:
                    self._dropped += 1

    def _next(self) -> Occurrence | None:
        """Block for a report; None after `stop`, once all are written."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            return self._waiting.popleft() if self._waiting else None

    def _write(self, occurrence: Occurrence) -> bool:
        """Write a report; tell whether it was written."""
        series = self._correlator.observe(occurrence)
        if series is None:
            return False
        try:
            if not (series.name and self._count(occurrence, series)):
                self._create(occurrence, series)
        except KubeError:
            return False
        return True

    def _count(self, occurrence: Occurrence, series: Series) -> bool:
        """Write one more count on the Event of a series; False if the Event is gone by now."""
        patch = {"count": series.count, "lastTimestamp": timestamp(occurrence.nanoseconds // 10**9)}
        try:
            self._client.patch(EVENTS, series.name, patch, namespace=_home(occurrence.object))
        except NotFound:
            return False
        return True

    def _create(self, occurrence: Occurrence, series: Series) -> None:
        name = _event_name(occurrence.object.name, occurrence.nanoseconds)
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        body = {
            **_event(name, occurrence, series),
            "source": source,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        self._client.post(EVENTS, body)
        series.name = name


def _event(name: str, occurrence: Occurrence, series: Series) -> JSON:
    """Return an Event without the fields that say who reports it."""
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": _home(occurrence.object)},
        "involvedObject": _reference(occurrence.object),
        "type": occurrence.type,
        "reason": occurrence.reason,
        "message": occurrence.message,
        "count": series.count,
        "firstTimestamp": timestamp(series.first // 10**9),
        "lastTimestamp": timestamp(occurrence.nanoseconds // 10**9),
    }


def _reference(ref: ObjectRef) -> JSON:
    fields = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "uid": ref.uid,
        "resourceVersion": ref.resource_version,
    }
    return {name: value for name, value in fields.items() if value}


def _home(ref: ObjectRef) -> str:
    return ref.namespace or _HOME_OF_CLUSTER_SCOPED


def _event_name(name: str, nanoseconds: int) -> str:
    """Return the name of an Event, which must be a DNS subdomain of at most 253 characters.

    As in client-go, the names of an object's Events sort in the order of what happened. kubectl
    leaves Events of the same second in the order of a list, which is that of the names.
    """
    suffix = f"{nanoseconds:x}"
    return f"{name[: SUBDOMAIN_LENGTH - len(suffix) - 1].rstrip('.-')}.{suffix}"


def _cut(text: str, size: int) -> str:
    """Return as much of a text as fits into `size` bytes of UTF-8."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")
