"""Tells users how an attempt at a pod ended: events, and the PodScheduled condition.

Source: kubernetes pkg/scheduler/schedule_one.go (handleSchedulingFailure) and pkg/api/v1/pod
(UpdatePodCondition).
"""

from collections.abc import Callable
from typing import Final

from api.conditions import condition, with_condition
from api.objects import JSON, NodeName
from api.pods import Pod
from api.resources import PODS
from api.times import timestamp
from devcluster.caches import Caches
from kube.client import Client
from kube.errors import NotFound
from kube.events import EventRecorder

UNSCHEDULABLE: Final = "Unschedulable"
"""Reason of the condition of a pod that has to wait."""

SCHEDULER_ERROR: Final = "SchedulerError"
"""Reason of the condition of a pod for which the scheduler could not do what it decided."""

_CONDITION = "PodScheduled"


class Reporter:
    """Publishes how attempts ended."""

    def __init__(
        self, client: Client, caches: Caches, events: EventRecorder, now: Callable[[], float]
    ) -> None:
        """Publish to `client` and `events`.

        Args:
            client: the API server, for conditions.
            caches: where what was written is shown at once.
            events: where events go.
            now: seconds since the epoch.
        """
        self._client = client
        self._caches = caches
        self._events = events
        self._now = now

    def scheduled(self, pod: Pod, node: NodeName) -> None:
        """Tell that a pod is bound."""
        where = f"{pod.namespace}/{pod.name}"
        self._events.normal(pod.raw, "Scheduled", f"Successfully assigned {where} to {node}")

    def pending(self, pod: Pod, node: NodeName) -> None:
        """Tell that a pod waits for devices before it is bound."""
        text = f"waiting for binding conditions for device on node {node}"
        self._events.normal(pod.raw, "BindingConditionsPending", text)

    def failed(self, pod: Pod, reason: str, message: str) -> None:
        """Tell why a pod has no node yet; of no effect on a pod that is gone by now."""
        self._events.warning(pod.raw, "FailedScheduling", message)
        conditions = with_unscheduled(pod, reason, message, self._now())
        if conditions is None:
            return
        patch = {"metadata": {"uid": pod.uid}, "status": {"conditions": conditions}}
        try:
            stored = self._client.patch(
                PODS, pod.name, patch, namespace=pod.namespace, subresource="status"
            )
        except NotFound:
            return
        self._caches[PODS].written(stored)


def with_unscheduled(pod: Pod, reason: str, message: str, now: float) -> list[JSON] | None:
    """Return the pod's conditions with PodScheduled=False, None if they say so already.

    Args:
        pod: as it is stored.
        reason: of the condition.
        message: why there is no node.
        now: seconds since the epoch, for the transition to False.
    """
    conditions = (pod.raw.get("status") or {}).get("conditions") or []
    new = {**condition(_CONDITION, "False", reason, message), "lastProbeTime": None}
    changed = with_condition(conditions, new, timestamp(now))
    return None if changed[-1] in conditions else changed
