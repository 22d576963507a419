"""Finds out which Deployments, ReplicaSets and Jobs to look at, and has their modules do so.

Source: kubernetes pkg/controller/{deployment,replicaset,job} (the event handlers).
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from api.objects import JSON, Key, key_of, object_key
from api.resources import DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, Resource
from devcluster.apiserver.clock import Clock, system_clock
from devcluster.caches import Caches
from devcluster.controlloop import ControlLoop
from devcluster.workloads.deployments import DeploymentSync
from devcluster.workloads.jobs import JobSync
from devcluster.workloads.ownership import (
    BY_CONTROLLER,
    Ownership,
    by_controller,
    controller_of,
    means,
)
from devcluster.workloads.podcontrol import PodControl
from devcluster.workloads.replicasets import ReplicaSetSync
from kube.cache import Indexer
from kube.client import Client
from kube.errors import NotFound
from kube.events import EventRecorder
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle

_KINDS: Final = (DEPLOYMENTS.kind, REPLICA_SETS.kind, JOBS.kind)
_DEPLOYMENT, _REPLICA_SET, _JOB = _KINDS
_OF_PODS: Final = (REPLICA_SETS, JOBS)
_INDEXERS: Final[Mapping[Resource, Mapping[str, Indexer]]] = {
    PODS: {BY_CONTROLLER: by_controller},
    REPLICA_SETS: {BY_CONTROLLER: by_controller},
    DEPLOYMENTS: {},
    JOBS: {},
}


class WorkloadController:
    """The controllers of all kinds of workloads, on one thread.

    Attributes:
        caches: what they decide on.
        queue: keys `kind:namespace/name` to look at.
    """

    def __init__(
        self,
        client: Client,
        *,
        events: Callable[[str], EventRecorder],
        clock: Callable[[], float] = time.monotonic,
        now: Clock = system_clock,
    ) -> None:
        """Make a controller that is not running.

        Args:
            client: the API server.
            events: returns where a controller of some name tells users what happens.
            clock: seconds, monotonic, for back-off.
            now: time of day.
        """
        self.caches = Caches(client, _INDEXERS)
        self.queue = WorkQueue(clock=clock)
        caches, pods = self.caches, Ownership(client, self.caches[PODS], PODS)
        sets = Ownership(client, caches[REPLICA_SETS], REPLICA_SETS)
        told = {kind: events(f"{kind.lower()}-controller") for kind in _KINDS}
        made = {kind: PodControl(client, caches[PODS], told[kind]) for kind in (_REPLICA_SET, _JOB)}
        self._controls = tuple(made.values())
        self._syncs: Mapping[str, Callable[[Key], float | None]] = {
            _DEPLOYMENT: DeploymentSync(client, caches, sets, told[_DEPLOYMENT], now).sync,
            _REPLICA_SET: ReplicaSetSync(client, caches, pods, made[_REPLICA_SET], now).sync,
            _JOB: JobSync(client, caches, pods, made[_JOB], told[_JOB], now).sync,
        }
        self._loop = ControlLoop("workload-controller", caches, self.queue, self._handle)
        caches[PODS].subscribe(self._on_pod)
        caches[REPLICA_SETS].subscribe(self._on_replica_set)
        for resource in (DEPLOYMENTS, JOBS):
            caches[resource].subscribe(self._on_own)

    def start(self, life: Lifecycle) -> None:
        """Start watching and working, on threads that `life` stops."""
        self._loop.start(life)

    def process(self, key: str) -> None:
        """Bring the object of a queue key up to date; a failed request leads to another try."""
        self._loop.process(key)

    def _handle(self, key: str) -> None:
        kind, _, name = key.partition(":")
        try:
            pause = self._syncs[kind](Key(name))
        except NotFound:
            # it was deleted meanwhile, which is another event
            return
        if pause is not None:
            self.queue.add_after(key, pause)

    def _on_own(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a Deployment or Job, also at one that is gone: its pods may wait for that."""
        obj = new or old or {}
        self._add(obj["kind"], key_of(obj))

    def _on_replica_set(self, old: JSON | None, new: JSON | None) -> None:
        self._on_own(old, new)
        self._add_controllers(old, new, (DEPLOYMENTS,))

    def _on_pod(self, old: JSON | None, new: JSON | None) -> None:
        """Look at who controls a pod, or might; a Deployment may wait for the end of old pods."""
        self._add_controllers(old, new, _OF_PODS)
        if new is None and old is not None:
            for control in self._controls:
                control.gone(old)
            kind, name = controller_of(old)
            owner = self.caches[REPLICA_SETS].get(object_key(old["metadata"]["namespace"], name))
            if kind == _REPLICA_SET and owner is not None:
                self._add_controllers(None, owner, (DEPLOYMENTS,))

    def _add_controllers(
        self, old: JSON | None, new: JSON | None, resources: tuple[Resource, ...]
    ) -> None:
        for obj in (old, new):
            kind, name = controller_of(obj) if obj is not None else ("", "")
            if obj is not None and kind in self._syncs:
                self._add(kind, object_key(obj["metadata"]["namespace"], name))
        if new is not None and not controller_of(new)[0]:
            self._add_adopters(new, resources)

    def _add_adopters(self, orphan: JSON, resources: tuple[Resource, ...]) -> None:
        for resource in resources:
            for owner in self.caches[resource].list():
                same = owner["metadata"]["namespace"] == orphan["metadata"]["namespace"]
                if same and means(owner, orphan):
                    self._add(resource.kind, key_of(owner))

    def _add(self, kind: str, key: Key) -> None:
        self.queue.add(f"{kind}:{key}")
