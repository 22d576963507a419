"""Brings one Job to its end: pods, numbers, conditions, and its deletion some time later.

Source: kubernetes pkg/controller/job/job_controller.go, pkg/controller/ttlafterfinished v1.30.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from api.conditions import condition_of, holds
from api.objects import JSON, Key, is_deleting, uid_of
from api.resources import JOBS, PODS
from devcluster.apiserver.clock import Clock
from devcluster.caches import Caches
from devcluster.workloads import jobplan
from devcluster.workloads.jobplan import FINALIZER, Tally
from devcluster.workloads.ownership import Ownership, controller_of
from devcluster.workloads.podcontrol import PodControl
from devcluster.workloads.replicas import phase_of, surplus
from kube.client import Client
from kube.errors import Conflict, NotFound
from kube.events import EventRecorder

_NO_PODS: Final[Sequence[JSON]] = ()


class JobSync:
    """Makes, counts and deletes pods, and writes the status."""

    def __init__(
        self,
        client: Client,
        caches: Caches,
        pods: Ownership,
        control: PodControl,
        events: EventRecorder,
        now: Clock,
    ) -> None:
        """Decide on `caches` and on what `pods` says; act by the others."""
        self._client = client
        self._caches = caches
        self._pods = pods
        self._control = control
        self._events = events
        self._now = now

    def sync(self, key: Key) -> float | None:
        """Do what is due for a Job; return the seconds to the next look, None for never.

        Raises:
            KubeError: a write failed.
        """
        job = self._caches[JOBS].get(key)
        if job is None:
            self._release(self._left_by(key))
            return None
        pods, now = self._pods.claim(job), self._now()
        status = jobplan.counted(job.get("status") or {}, pods)
        active = self._control.active(pods)
        numbers = jobplan.tally(status, active)
        over = jobplan.is_finished(job)
        end = None if over else jobplan.end_of(job, numbers, now)
        if end or over:
            self._delete(job, active)
        wait = None if end or over else self._manage(job, pods, active, numbers)
        # numbers come first, so that whoever sees the end sees all of them
        waiting = any(status["uncountedTerminatedPods"].values())
        self._write(job, jobplan.job_status(job, status, active, None if waiting else end, now))
        self._release([pod for pod in pods if jobplan.outcome(pod) and jobplan.is_tracked(pod)])
        return wait if not over else self._expire(job, now)

    def _manage(
        self, job: JSON, pods: Sequence[JSON], active: Sequence[JSON], numbers: Tally
    ) -> float | None:
        """Make or delete pods of a Job that goes on; return the seconds to the next look."""
        if is_deleting(job):
            return None
        now, missing = self._now(), jobplan.wanted_pods(job["spec"], numbers) - len(active)
        self._delete(job, surplus(active, -missing) if missing < 0 else _NO_PODS)
        failed = [pod for pod in pods if phase_of(pod) == "Failed"]
        pause = jobplan.pause(failed, now) if missing > 0 else 0.0
        for _ in range(missing if not pause else 0):
            self._control.create(job, [FINALIZER])
        waits = (pause, jobplan.overdue_in(job, now))
        return min((wait for wait in waits if wait), default=None)

    def _delete(self, job: JSON, pods: Sequence[JSON]) -> None:
        for pod in pods:
            self._control.delete(job, pod)

    def _write(self, job: JSON, status: JSON) -> None:
        if status == job.get("status"):
            return
        body = {**job, "status": status}
        stored = self._client.update(JOBS, body, subresource="status")
        self._caches[JOBS].written(stored)
        if jobplan.is_finished(stored) and not jobplan.is_finished(job):
            self._tell_end(stored)

    def _tell_end(self, job: JSON) -> None:
        if holds(job, jobplan.COMPLETE):
            self._events.normal(job, "Completed", "Job completed")
        else:
            failure = condition_of(job, jobplan.FAILED)
            self._events.warning(job, failure["reason"], failure["message"])

    def _expire(self, job: JSON, now: datetime) -> float | None:
        """Delete a finished Job in its time; return the seconds until then."""
        wait, meta = jobplan.deletable_in(job, now), job["metadata"]
        if wait == 0 and not is_deleting(job):
            with suppress(NotFound, Conflict):
                self._client.delete(JOBS, meta["name"], meta["namespace"], uid=uid_of(job))
        return wait or None

    def _left_by(self, key: Key) -> list[JSON]:
        """Return the pods that wait for a Job which does not exist any more."""
        namespace, _, name = key.partition("/")
        return [
            pod
            for pod in self._caches[PODS].list()
            if jobplan.is_tracked(pod)
            and pod["metadata"]["namespace"] == namespace
            and controller_of(pod) == (JOBS.kind, name)
        ]

    def _release(self, pods: Sequence[JSON]) -> None:
        for pod in pods:
            meta = pod["metadata"]
            left = [each for each in meta["finalizers"] if each != FINALIZER]
            patch = {"resourceVersion": meta["resourceVersion"], "finalizers": left}
            try:
                stored = self._client.patch(
                    PODS, meta["name"], {"metadata": patch}, namespace=meta["namespace"]
                )
            except NotFound:
                continue
            self._caches[PODS].written(stored)
