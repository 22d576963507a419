"""What a Job needs next: pods to make or to end, numbers, or its end. Pure.

A pod keeps a finalizer until its end is in the numbers of the Job, so that it counts even if
somebody deletes it: first its uid is written down in the status, then the finalizer goes, then the
number takes over.
Source: kubernetes pkg/controller/job/{job_controller,backoff_utils}.go v1.30.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.conditions import condition, condition_of, holds, with_condition
from api.objects import JSON, is_deleting, uid_of
from api.times import parse_time
from devcluster.apiserver.clock import timestamp
from devcluster.workloads.replicas import phase_of
from kube.backoff import Backoff

FINALIZER: Final = "batch.kubernetes.io/job-tracking"
COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
_SUSPENDED: Final = "Suspended"
_OUTCOMES: Final = ("succeeded", "failed")
_BACKOFF = Backoff(first=10.0, longest=600.0)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many pods of a Job are where.

    Attributes:
        active: that may still run, or run.
        succeeded: that ended well, ever.
        failed: that ended badly or were deleted before their end, ever.
        restarts: of the containers of active pods.
    """

    active: int
    succeeded: int
    failed: int
    restarts: int = 0


def is_finished(job: JSON) -> bool:
    """Tell whether a Job is over."""
    return holds(job, COMPLETE) or holds(job, FAILED)


def is_tracked(pod: JSON) -> bool:
    """Tell whether a pod waits for its end to be counted."""
    return FINALIZER in (pod["metadata"].get("finalizers") or [])


def outcome(pod: JSON) -> str:
    """Return `succeeded`, `failed`, or nothing for a pod that goes on."""
    phase = phase_of(pod)
    if phase == "Succeeded":
        return "succeeded"
    return "failed" if phase == "Failed" or is_deleting(pod) else ""


def counted(status: JSON, pods: Sequence[JSON]) -> JSON:
    """Return the status with the pods that have ended since it was written."""
    tracked = {uid_of(pod): outcome(pod) for pod in pods if is_tracked(pod)}
    known: JSON = status.get("uncountedTerminatedPods") or {}
    numbers: dict[str, int] = {}
    waiting: dict[str, list[str]] = {}
    for each in _OUTCOMES:
        before = set(known.get(each) or ())
        numbers[each] = status.get(each, 0) + len(before - tracked.keys())
        taken = {uid for other in _OUTCOMES if other != each for uid in known.get(other) or ()}
        ended = {uid for uid, end in tracked.items() if end == each} - taken
        waiting[each] = sorted((before & tracked.keys()) | ended)
    kept = {k: v for k, v in status.items() if k not in _OUTCOMES}
    uncounted = {each: uids for each, uids in waiting.items() if uids}
    return {**kept, **{k: n for k, n in numbers.items() if n}, "uncountedTerminatedPods": uncounted}


def tally(status: JSON, active: Sequence[JSON]) -> Tally:
    """Return the numbers of a status that `counted` made, and of active pods."""
    uncounted: JSON = status.get("uncountedTerminatedPods") or {}
    succeeded, failed = (status.get(each, 0) + len(uncounted.get(each) or ()) for each in _OUTCOMES)
    restarts = sum(
        each.get("restartCount", 0)
        for pod in active
        for each in (pod.get("status") or {}).get("containerStatuses") or []
    )
    return Tally(len(active), succeeded, failed, restarts)


def end_of(job: JSON, numbers: Tally, now: datetime) -> JSON | None:
    """Return the condition with which a Job ends now, None if it goes on."""
    spec, limit = job["spec"], job["spec"]["backoffLimit"]
    retries = spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    tries = numbers.restarts if retries else 0
    if numbers.failed > limit or (tries and tries >= limit):
        text = "Job has reached the specified backoff limit"
        return condition(FAILED, "True", "BackoffLimitExceeded", text)
    if overdue_in(job, now) == 0:
        text = "Job was active longer than specified deadline"
        return condition(FAILED, "True", "DeadlineExceeded", text)
    completions = spec.get("completions")
    if completions is None:
        done = numbers.succeeded > 0 and not numbers.active
    else:
        done = numbers.succeeded >= completions
    return condition(COMPLETE, "True", "", "") if done else None


def wanted_pods(spec: JSON, numbers: Tally) -> int:
    """Return how many pods of a Job that goes on are to be active."""
    if spec.get("suspend"):
        return 0
    completions: int | None = spec.get("completions")
    parallelism: int = spec["parallelism"]
    if completions is None:
        # whoever succeeds tells that the work is done; others may end theirs
        return min(numbers.active, parallelism) if numbers.succeeded else parallelism
    return max(0, min(parallelism, completions - numbers.succeeded))


def deletable_in(job: JSON, now: datetime) -> float | None:
    """Return the seconds after which a finished Job is to be deleted, None for never."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    ends = [condition_of(job, each).get("lastTransitionTime") for each in (COMPLETE, FAILED)]
    done = max(filter(None, map(parse_time, ends)), default=None)
    if ttl is None or done is None:
        return None
    return max(0.0, float(ttl) - (now - done).total_seconds())


def overdue_in(job: JSON, now: datetime) -> float | None:
    """Return the seconds after which an unfinished Job has failed, None for never."""
    begun = parse_time((job.get("status") or {}).get("startTime"))
    deadline = job["spec"].get("activeDeadlineSeconds")
    if deadline is None or begun is None:
        return None
    return max(0.0, float(deadline) - (now - begun).total_seconds())


def pause(failed: Sequence[JSON], now: datetime) -> float:
    """Return the seconds until a pod may be made in place of those that failed: 10, 20, 40, …."""
    ends = [end for end in map(_ended_at, failed) if end is not None]
    if not ends:
        return 0.0
    return max(0.0, _BACKOFF.pause(len(ends)) - (now - max(ends)).total_seconds())


def _ended_at(pod: JSON) -> datetime | None:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    states = ((each.get("state") or {}).get("terminated") or {} for each in statuses)
    ends = (state.get("finishedAt") for state in states)
    return max(filter(None, map(parse_time, ends)), default=None)


def job_status(
    job: JSON, status: JSON, active: Iterable[JSON], end: JSON | None, now: datetime
) -> JSON:
    """Return the status of a Job.

    Args:
        job: with its last status.
        status: as `counted` made it.
        active: its active pods.
        end: the condition with which it ends.
        now: time of day.
    """
    at, pods, suspend = timestamp(now), [*active], job["spec"].get("suspend")
    counts = {"active": len(pods), "ready": sum(holds(pod, "Ready") for pod in pods)}
    kept = {k: v for k, v in status.items() if k != "active"}
    shown = {**kept, **{k: n for k, n in counts.items() if n or k == "ready"}}
    conditions = shown.pop("conditions", [])
    if end is not None:
        conditions = with_condition(conditions, {**end, "lastProbeTime": at}, at)
        if end["type"] == COMPLETE:
            shown["completionTime"] = at
    elif suspend or holds(job, _SUSPENDED):
        conditions = with_condition(conditions, _suspended(bool(suspend), at), at)
    if suspend:
        shown.pop("startTime", None)
    else:
        shown.setdefault("startTime", at)
    return {**shown, **({"conditions": conditions} if conditions else {})}


def _suspended(suspended: bool, at: str) -> JSON:
    reason, what = ("JobSuspended", "suspended") if suspended else ("JobResumed", "resumed")
    return {
        **condition(_SUSPENDED, str(suspended), reason, f"Job {what}"),
        "lastProbeTime": at,
    }
