"""The workload controllers on the core of the embedded API server, one key at a time."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from api.objects import JSON
from api.resources import DEPLOYMENTS, JOBS, PODS, REPLICA_SETS
from devcluster.apiserver.app import create_app
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.patch import MERGE, Patch
from devcluster.workloads.controller import WorkloadController
from kube.calls import Call
from kube.client import Client
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.ratelimit import TokenBucket
from testing.apiserver import ROUTES
from testing.appconnections import Observed
from tests.support.apiserverrig import Rig
from tests.support.apiserverweb import Logs

LABELS = {"app": "a"}
RESOURCES = (PODS, REPLICA_SETS, DEPLOYMENTS, JOBS)
Fault = Callable[[str, str], KubeError | None]


def template(**spec: Any) -> JSON:
    containers = [{"name": "main", "image": "busybox"}]
    return {"metadata": {"labels": LABELS}, "spec": {"containers": containers, **spec}}


def replica_set(name: str = "rs", replicas: int = 3, **spec: Any) -> JSON:
    own = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template()}
    return {"metadata": {"name": name}, "spec": {**own, **spec}}


def job(name: str = "job", policy: str = "Never", **spec: Any) -> JSON:
    return {
        "metadata": {"name": name},
        "spec": {"template": template(restartPolicy=policy), **spec},
    }


class Workloads(Rig):
    """An API server, the controllers, and a kubelet that does what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.fault: Fault = lambda verb, plural: None
        self.events = Mock(spec_set=EventRecorder)
        self.controller = WorkloadController(
            self._client(), events=lambda _: self.events, clock=lambda: self.time, now=self.now
        )

    def _client(self) -> Client:
        app = create_app(
            Backend(
                store=self.store,
                registry=self.registry,
                logs=Logs(),
                commands=Logs(),
                version="v1.30.14",
                stopping=lambda: False,
                clock=self.now,
            ),
            ROUTES,
        )
        transport = Observed(app, self._before)
        return Client(transport, limiter=TokenBucket(0, 0), retry_seconds=0)

    def _before(self, call: Call) -> None:
        error = self.fault(call.verb, call.resource)
        if error is not None:
            raise error

    def see(self) -> None:
        """Let the garbage collector work, and the caches see what there is."""
        self.collect()
        for resource in RESOURCES:
            items, revision = self.storage.snapshot(self.kind(resource.kind).resource_id)
            self.controller.caches[resource].replace([i.copy() for i in items], str(revision))

    def settle(self, rounds: int = 60) -> None:
        """Let the controllers work until nothing is due."""
        queue = self.controller.queue
        for _ in range(rounds):
            self.see()
            queue.add("")  # so that `get` never blocks
            keys = []
            while len(queue):
                key = queue.get()
                assert key is not None
                queue.done(key)
                keys.append(key)
            due = [key for key in keys if key]
            if not due:
                return
            for key in due:
                self.controller.process(key)
        raise AssertionError(f"no rest after {rounds} rounds: {due}")

    def later(self, seconds: float) -> None:
        """Let time pass, and the controllers work."""
        self.now.advance(seconds)
        self.time += seconds
        self.settle()

    def all(self, kind: str) -> list[JSON]:
        """Return all objects of a kind in the order of their creation."""
        items, _ = self.storage.snapshot(self.kind(kind).resource_id)
        return sorted((i.obj for i in items), key=lambda obj: int(obj["metadata"]["uid"][4:]))

    def pods(self) -> list[JSON]:
        """Return the pods that are not being deleted."""
        return [pod for pod in self.all("Pod") if "deletionTimestamp" not in pod["metadata"]]

    def run(self, *pods: JSON) -> None:
        """Let pods become ready, all that are new unless some are given."""
        for pod in pods or [p for p in self.pods() if p["status"]["phase"] == "Pending"]:
            since = self.now.time.strftime("%Y-%m-%dT%H:%M:%SZ")
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
            self.publish(pod, phase="Running", conditions=[ready])
        self.settle()

    def end(self, *pods: JSON, phase: str = "Succeeded") -> None:
        """Let pods end."""
        for pod in pods:
            at = self.now.time.strftime("%Y-%m-%dT%H:%M:%SZ")
            ended = {"terminated": {"exitCode": 0 if phase == "Succeeded" else 1, "finishedAt": at}}
            self.publish(pod, phase=phase, containerStatuses=[{"name": "main", "state": ended}])
        self.settle()

    def publish(self, pod: JSON, **status: Any) -> None:
        """Write into the status of a pod."""

        def change(stored: JSON) -> JSON:
            return {**stored, "status": {**stored["status"], **status}}

        self.store.edit(self.kind("Pod"), "default", pod["metadata"]["name"], change)

    def patch(self, kind: str, name: str, body: JSON) -> None:
        """Change an object as a user does."""
        self.store.patch(self.kind(kind), "default", name, Patch(MERGE, body))
        self.settle()

    def find(self, kind: str, name: str) -> JSON:
        """Return an object that exists."""
        found = self.get(kind, name)
        assert found is not None
        return found

    def told(self, method: str = "normal") -> list[tuple[str, str]]:
        """Return reason and message of every event."""
        calls = getattr(self.events, method).call_args_list
        return [(call.args[1], call.args[2]) for call in calls]
