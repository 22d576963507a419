"""Brings one ReplicaSet to its number of pods.

Source: kubernetes pkg/controller/replicaset/replica_set.go v1.30 (syncReplicaSet).
"""

from collections.abc import Sequence
from typing import Final

from api.objects import JSON, Key, is_deleting
from api.resources import REPLICA_SETS
from devcluster.apiserver.clock import Clock
from devcluster.caches import Caches
from devcluster.workloads.ownership import Ownership
from devcluster.workloads.podcontrol import PodControl
from devcluster.workloads.replicas import is_active, replica_status, surplus, unavailable_for
from kube.client import Client

_BURST: Final = 500
"""Pods that one look makes or deletes at most."""


class ReplicaSetSync:
    """Makes, adopts, releases and deletes pods, and writes the status."""

    def __init__(
        self, client: Client, caches: Caches, pods: Ownership, control: PodControl, now: Clock
    ) -> None:
        """Decide on `caches` and on what `pods` says; act by the others."""
        self._client = client
        self._store = caches[REPLICA_SETS]
        self._pods = pods
        self._control = control
        self._now = now

    def sync(self, key: Key) -> float | None:
        """Do what is due for a ReplicaSet; return the seconds to the next look, None for never.

        Raises:
            KubeError: a write failed.
        """
        replica_set = self._store.get(key)
        if replica_set is None:
            return None
        owned = self._pods.claim(replica_set)
        active = self._control.active(owned)
        try:
            if not is_deleting(replica_set):
                self._manage(replica_set, active)
        finally:
            # pods that were made by now show up as another change
            self._write_status(replica_set, active)
        return self._next_look(replica_set, active)

    def _manage(self, replica_set: JSON, active: Sequence[JSON]) -> None:
        missing = replica_set["spec"]["replicas"] - len(active)
        for _ in range(min(missing, _BURST)):
            self._control.create(replica_set)
        for pod in surplus(active, min(-missing, _BURST)) if missing < 0 else ():
            self._control.delete(replica_set, pod)

    def _write_status(self, replica_set: JSON, active: Sequence[JSON]) -> None:
        status = replica_status(replica_set, active, self._now())
        if status != replica_set.get("status"):
            body = {**replica_set, "status": status}
            self._store.written(self._client.update(REPLICA_SETS, body, subresource="status"))

    def _next_look(self, replica_set: JSON, active: Sequence[JSON]) -> float | None:
        least = replica_set["spec"].get("minReadySeconds", 0)
        waits = (unavailable_for(pod, least, self._now()) for pod in active if is_active(pod))
        return min((wait for wait in waits if wait), default=None)
