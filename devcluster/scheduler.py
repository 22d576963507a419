"""The scheduler of the embedded cluster: one pod at a time, from waiting to bound.

An attempt is decided in schedulingcycle.py on what clusterview.py knows; binding.py carries it out
and schedulingreport.py tells users. Here is when a pod is looked at: after changes that may help
it (schedulerwakeups.py), not before its back-off is over, and now and then in any case.
Source: kubernetes pkg/scheduler (schedule_one.go, internal/queue) v1.30.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from api.objects import Key, NodeName
from api.pods import Pod
from devcluster.binding import Binder, Reserved
from devcluster.caches import Caches
from devcluster.claimapi import CLASSIC, RULES, STRUCTURED
from devcluster.claimsview import (
    CLASSIC_INDEXERS,
    STRUCTURED_INDEXERS,
    ClaimsView,
    ClassicView,
    Features,
    Indexers,
    StructuredView,
)
from devcluster.clusterview import INDEXERS, ClusterView
from devcluster.controlloop import ControlLoop
from devcluster.errors import NotBound
from devcluster.queueing import PodBackoff
from devcluster.schedulerwakeups import Wakeups
from devcluster.schedulingcycle import Attempt, attempt
from devcluster.schedulingreport import SCHEDULER_ERROR, UNSCHEDULABLE, Reporter
from devcluster.schedulingverdicts import Await, Bind, Failed, Unschedulable
from kube.client import Client
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle
from ops.logs import get_logger

LONGEST_WAIT: Final = 300.0
"""Seconds after which a pod is looked at although nothing has changed for it."""

POLL_SECONDS: Final = 5.0
"""After which the devices that a pod waits for are looked at, if nothing is heard of them."""

_LOG = get_logger("scheduler")


class Scheduler:
    """Finds nodes for pods of `default-scheduler` and negotiates with DRA drivers for them.

    Attributes:
        caches: what it decides on.
        queue: keys of pods that are worth an attempt.
    """

    def __init__(
        self,
        client: Client,
        *,
        events: EventRecorder,
        features: Features | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        chance: Random | None = None,
    ) -> None:
        """Make a scheduler that is not running.

        Args:
            client: the API server.
            events: where Scheduled and FailedScheduling go.
            features: for claims that the scheduler allocates; without them drivers do that.
            clock: seconds, monotonic, for back-off.
            now: seconds since the epoch, for conditions.
            chance: breaks ties between nodes.
        """
        known = CLASSIC if features is None else STRUCTURED
        indexers = CLASSIC_INDEXERS if features is None else STRUCTURED_INDEXERS
        rules: Indexers = {RULES: {}} if features and features.taint_rules else {}
        self.caches = Caches(client, {**INDEXERS, **indexers, **rules})
        self.queue = WorkQueue(clock=clock)
        self._clock = clock
        self._chance = chance if chance is not None else Random()  # noqa: S311 - no secret
        claims: ClaimsView = (
            ClassicView(self.caches)
            if features is None
            else StructuredView(self.caches, features, now=now)
        )
        self._view = ClusterView(self.caches, known, claims)
        stamps = features is not None and features.gates.binding_conditions
        self._binder = Binder(client, self.caches, known, now, stamps=stamps)
        self._reserved: dict[str, Reserved] = {}
        self._classic = features is None
        self._reporter = Reporter(client, self.caches, events, now)
        self._backoff = PodBackoff()
        self._loop = ControlLoop("scheduler", self.caches, self.queue, self._handle)
        Wakeups(self.caches, self._view, self._backoff, self.queue, known).subscribe()

    def start(self, life: Lifecycle) -> None:
        """Start watching and scheduling, on threads that `life` stops."""
        self._loop.start(life)

    def process(self, key: str) -> None:
        """Attempt to schedule the pod of a queue key; a failed request leads to another try."""
        self._loop.process(key)

    def _handle(self, key: str) -> None:
        reserved = self._reserved.pop(key, None)
        if reserved is not None:
            self._view.forget(reserved.pod.uid)
        pod = self._view.waiting(Key(key))
        if pod is None:
            return
        if reserved is not None and reserved.pod.uid == pod.uid:
            with self._assumed(pod, reserved.node):
                self._bind(reserved)
            return
        pause = self._backoff.remaining(pod.uid, self._clock())
        if pause > 0:
            self.queue.add_after(key, pause)
            return
        given = self._view.attempt_at(pod)
        if isinstance(given, str):
            _LOG.debug("no attempt yet", pod=key, reason=given)
            return
        self._schedule(given)

    def _schedule(self, given: Attempt) -> None:
        verdict = attempt(given, self._chance)
        match verdict:
            case Bind():
                self._reserve(given.pod, verdict)
                return
            case Await():
                self._await(given, verdict)
            case Unschedulable():
                self._give_up(given, verdict)
            case Failed():
                self._failed(given.pod, verdict.message)
                return
        self._reporter.failed(given.pod, UNSCHEDULABLE, verdict.message)
        self.queue.add_after(f"{given.pod.namespace}/{given.pod.name}", LONGEST_WAIT)

    def _reserve(self, pod: Pod, verdict: Bind) -> None:
        with self._assumed(pod, verdict.node):
            reserved = self._binder.reserve(pod, verdict)
            if not self._bind(reserved):
                self._reporter.pending(pod, verdict.node)

    def _bind(self, reserved: Reserved) -> bool:
        """Bind a pod; one that waits for its devices is looked at when its claims change."""
        pod, node = reserved.pod, reserved.node
        if not self._binder.bind(reserved):
            self._reserved[_name(pod)] = reserved
            self.queue.add_after(_name(pod), POLL_SECONDS)
            return False
        self._reporter.scheduled(pod, node)
        if self._classic and any(pod.claims):
            self._binder.clean_up(pod)
        _LOG.info("bound", pod=_name(pod), node=node)
        return True

    @contextmanager
    def _assumed(self, pod: Pod, node: NodeName) -> Iterator[None]:
        """Take a pod for bound, unless what is done inside fails."""
        self._view.assume(pod, node)
        try:
            yield
        except NotBound as error:
            self._view.forget(pod.uid)
            self._failed(pod, str(error))
        except KubeError:
            self._view.forget(pod.uid)
            raise

    def _failed(self, pod: Pod, message: str) -> None:
        """Tell of an error, and try again when the back-off is over."""
        self._backoff.failed(pod.uid, self._clock())
        self._reporter.failed(pod, SCHEDULER_ERROR, message)
        self.queue.add(_name(pod))

    def _await(self, given: Attempt, verdict: Await) -> None:
        """Ask the driver; that is no failure, so its answer is looked at without back-off."""
        self._binder.publish(given.pod, verdict.context, verdict.change)
        self._binder.give_back(given.pod, verdict.unreserve)
        _LOG.debug("waiting for a driver", pod=_name(given.pod), change=str(verdict.change))

    def _give_up(self, given: Attempt, verdict: Unschedulable) -> None:
        self._backoff.failed(given.pod.uid, self._clock())
        self._binder.publish(given.pod, verdict.context, verdict.change)
        if verdict.deallocate is not None:
            self._binder.deallocate(verdict.deallocate)
        _LOG.debug("no node fits", pod=_name(given.pod), reason=verdict.message)


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"
