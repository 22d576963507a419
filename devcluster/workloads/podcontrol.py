"""Makes and deletes pods for ReplicaSets and Jobs, and tells the users of these.

Source: kubernetes pkg/controller/controller_utils.go (RealPodControl).
"""

import copy
from collections.abc import Sequence
from contextlib import suppress

from api.objects import JSON, uid_of
from api.resources import PODS
from devcluster.workloads.ownership import owner_reference
from devcluster.workloads.replicas import is_active
from kube.client import Client
from kube.errors import Conflict, KubeError, NotFound
from kube.events import EventRecorder
from kube.store import Store


class PodControl:
    """Remembers what it deleted until the cache shows it; not thread-safe."""

    def __init__(self, client: Client, store: Store, events: EventRecorder) -> None:
        """Write to `client`, and what it answers to `store`, a cache of pods."""
        self._client = client
        self._store = store
        self._events = events
        self._deleted: set[str] = set()

    def active(self, pods: Sequence[JSON]) -> list[JSON]:
        """Return the pods that count: not finished, not being deleted."""
        return [pod for pod in pods if is_active(pod) and uid_of(pod) not in self._deleted]

    def create(self, owner: JSON, finalizers: Sequence[str] = ()) -> None:
        """Make one pod from the template of a workload.

        Raises:
            KubeError: it cannot be made, which the workload was told.
        """
        meta = copy.deepcopy(owner["spec"]["template"].get("metadata") or {})
        body = {
            "apiVersion": PODS.api_version,
            "kind": PODS.kind,
            "metadata": {
                **{key: meta[key] for key in ("labels", "annotations") if key in meta},
                "generateName": f"{owner['metadata']['name']}-",
                "namespace": owner["metadata"]["namespace"],
                "ownerReferences": [owner_reference(owner)],
                "finalizers": [*meta.get("finalizers", ()), *finalizers],
            },
            "spec": copy.deepcopy(owner["spec"]["template"]["spec"]),
        }
        try:
            pod = self._client.create(PODS, body)
        except KubeError as error:
            self._events.warning(owner, "FailedCreate", f"Error creating: {error}")
            raise
        self._store.written(pod)
        self._events.normal(owner, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

    def delete(self, owner: JSON, pod: JSON) -> None:
        """Delete one pod of a workload.

        Raises:
            KubeError: it cannot be deleted.
        """
        meta = pod["metadata"]
        with suppress(NotFound, Conflict):
            self._client.delete(PODS, meta["name"], meta["namespace"], uid=uid_of(pod))
        self._deleted.add(uid_of(pod))
        self._events.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    def gone(self, pod: JSON) -> None:
        """Take in that a pod does not exist any more."""
        self._deleted.discard(uid_of(pod))
