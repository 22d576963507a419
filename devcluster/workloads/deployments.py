"""Brings one Deployment to its template: ReplicaSets, their sizes, history and status.

Source: kubernetes pkg/controller/deployment/deployment_controller.go v1.30 (syncDeployment).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from api.objects import JSON, Key, is_deleting, uid_of
from api.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Resource
from devcluster.apiserver.clock import Clock
from devcluster.caches import Caches
from devcluster.podclaims import FINISHED_PHASES
from devcluster.workloads.ownership import BY_CONTROLLER, Ownership
from devcluster.workloads.progress import deployment_status, is_complete, late_in
from devcluster.workloads.replicas import phase_of
from devcluster.workloads.revisions import (
    REVISION,
    by_age,
    current,
    forgotten,
    history_annotations,
    replica_set_of,
    revision,
)
from devcluster.workloads.rollout import ROLLING, Limits, Size, next_sizes
from kube.client import Client
from kube.errors import Conflict, NotFound
from kube.events import EventRecorder


class DeploymentSync:
    """Makes, resizes and deletes ReplicaSets, and writes the status."""

    def __init__(
        self, client: Client, caches: Caches, sets: Ownership, events: EventRecorder, now: Clock
    ) -> None:
        """Decide on `caches` and on what `sets` says; write to `client`, tell users by `events`."""
        self._client = client
        self._caches = caches
        self._sets = sets
        self._events = events
        self._now = now

    def sync(self, key: Key) -> float | None:
        """Do what is due for a Deployment; return the seconds to the next look, None for never.

        Raises:
            KubeError: a write failed.
        """
        deployment = self._caches[DEPLOYMENTS].get(key)
        if deployment is None:
            return None
        sets = by_age(self._sets.claim(deployment))
        if not is_deleting(deployment):
            deployment = self._numbered(deployment, current(deployment, sets))
            sets = self._roll(deployment, sets)
        return self._report(deployment, sets)

    def _numbered(self, deployment: JSON, new: JSON | None) -> JSON:
        """Return the Deployment with the revision of its current ReplicaSet."""
        if new is None or revision(new) in (0, revision(deployment)):
            return deployment
        return self._annotated(DEPLOYMENTS, deployment, {REVISION: str(revision(new))})

    def _roll(self, deployment: JSON, sets: list[JSON]) -> list[JSON]:
        """Take the next step; return the ReplicaSets after it."""
        new = current(deployment, sets)
        olds = [each for each in sets if each is not new]
        if deployment["spec"].get("paused"):
            return self._resized(deployment, sets, _size_while_paused(deployment, sets))
        if deployment["spec"]["strategy"]["type"] != ROLLING and self._old_pods(olds):
            return self._resized(deployment, sets, {_name(old): 0 for old in olds})
        new = self._current(deployment, new, olds)
        sizes = next_sizes(Limits.of(deployment["spec"]), Size.of(new), [*map(Size.of, olds)])
        return self._resized(deployment, [*olds, new], sizes)

    def _old_pods(self, olds: Sequence[JSON]) -> bool:
        """Tell whether old pods have to end before a Deployment that recreates makes new ones."""
        pods = (
            pod for old in olds for pod in self._caches[PODS].by_index(BY_CONTROLLER, uid_of(old))
        )
        running = any(phase_of(pod) not in FINISHED_PHASES for pod in pods)
        return running or any(old["spec"]["replicas"] for old in olds)

    def _current(self, deployment: JSON, new: JSON | None, olds: Sequence[JSON]) -> JSON:
        """Return the ReplicaSet of the current template, as the latest revision."""
        annotations = history_annotations(deployment, new, olds)
        if new is not None:
            same = annotations == (new["metadata"].get("annotations") or {})
            return new if same else self._annotated(REPLICA_SETS, new, annotations)
        made = self._client.create(REPLICA_SETS, replica_set_of(deployment, annotations))
        self._caches[REPLICA_SETS].written(made)
        return made

    def _annotated(self, resource: Resource, obj: JSON, annotations: JSON) -> JSON:
        return self._patched(resource, obj, {"metadata": {"annotations": annotations}})

    def _patched(self, resource: Resource, obj: JSON, patch: JSON) -> JSON:
        meta = obj["metadata"]
        stored = self._client.patch(resource, meta["name"], patch, namespace=meta["namespace"])
        self._caches[resource].written(stored)
        return stored

    def _resized(
        self, deployment: JSON, sets: Sequence[JSON], sizes: Mapping[str, int]
    ) -> list[JSON]:
        return [self._resize(deployment, each, sizes.get(_name(each))) for each in sets]

    def _resize(self, deployment: JSON, replica_set: JSON, size: int | None) -> JSON:
        before = replica_set["spec"]["replicas"]
        if size is None or size == before:
            return replica_set
        stored = self._patched(REPLICA_SETS, replica_set, {"spec": {"replicas": size}})
        way = "up" if size > before else "down"
        text = f"Scaled {way} replica set {_name(stored)} to {size} from {before}"
        self._events.normal(deployment, "ScalingReplicaSet", text)
        return stored

    def _report(self, deployment: JSON, sets: Sequence[JSON]) -> float | None:
        new, now = current(deployment, sets), self._now()
        status = deployment_status(deployment, new, sets, now)
        if status != deployment.get("status"):
            body = {**deployment, "status": status}
            deployment = self._client.update(DEPLOYMENTS, body, subresource="status")
            self._caches[DEPLOYMENTS].written(deployment)
        if is_complete(deployment, status) and not is_deleting(deployment):
            self._forget(deployment, [each for each in sets if each is not new])
        return late_in(deployment, now)

    def _forget(self, deployment: JSON, olds: Sequence[JSON]) -> None:
        for old in forgotten(deployment, olds):
            place = (_name(old), old["metadata"]["namespace"])
            with suppress(NotFound, Conflict):
                self._client.delete(REPLICA_SETS, *place, uid=uid_of(old))


def _name(obj: JSON) -> str:
    return str(obj["metadata"]["name"])


def _size_while_paused(deployment: JSON, sets: Sequence[JSON]) -> dict[str, int]:
    """Return the size of the only ReplicaSet with pods: that much goes on in a pause."""
    active = [each for each in sets if each["spec"]["replicas"]]
    wanted = deployment["spec"]["replicas"]
    return {_name(active[0]): wanted} if len(active) == 1 else {}
