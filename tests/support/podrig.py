"""A pod worker with everything around it faked: clock, processes, claims, API server."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.objects import JSON
from api.pods import Pod
from api.resources import Resource
from devcluster.apiserver.patch import merge_patch
from devcluster.kubelet.errors import PrepareFailed, StartFailed, UnprepareFailed
from devcluster.kubelet.launching import Launcher
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.podworker import NodePorts, PodWorker
from devcluster.kubelet.runtime import Exit, Launch
from kube.errors import KubeError, NotFound
from testing.clock import Clock

ADDRESS = "10.1.2.3"


class FakeProcess:
    def __init__(self, launch: Launch, on_exit: Callable[[], None], clock: Clock) -> None:
        self.launch = launch
        self.exit: Exit | None = None
        self.started_at = clock()
        self.obeys = True
        self._on_exit = on_exit
        self._clock = clock

    def end(self, code: int = 0) -> None:
        if self.exit is None:
            self.exit = Exit(code, self._clock())
            self._on_exit()

    def terminate(self) -> None:
        if self.obeys:
            self.end(143)

    def kill(self) -> None:
        self.end(137)


class FakeRuntime:
    """Starts nothing; a command `missing` cannot be executed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.started: list[FakeProcess] = []

    def start(self, launch: Launch, on_exit: Callable[[], None]) -> FakeProcess:
        if launch.argv[0] == "missing":
            raise StartFailed('exec: "missing": No such file or directory')
        process = FakeProcess(launch, on_exit, self._clock)
        self.started.append(process)
        return process


@dataclass
class FakeClaims:
    """Records calls; fails as long as `broken` says so."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    broken: str = ""
    ids: tuple[str, ...] = ()
    shown: dict[str, list[JSON]] = field(default_factory=dict)

    def prepare(self, pod: Pod) -> None:
        self.calls.append(("prepare", pod.uid))
        if self.broken:
            raise PrepareFailed(self.broken)

    def unprepare(self, pod_uid: str) -> None:
        self.calls.append(("unprepare", pod_uid))
        if self.broken:
            raise UnprepareFailed(self.broken)

    def devices(self, pod: Pod, container: JSON) -> tuple[str, ...]:
        return self.ids

    def resources(self, pod: Pod) -> dict[str, list[JSON]]:
        return self.shown


@dataclass
class FakeEvents:
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def normal(self, obj: JSON, reason: str, message: str) -> None:
        self.seen.append(("Normal", reason, message))

    def warning(self, obj: JSON, reason: str, message: str) -> None:
        self.seen.append(("Warning", reason, message))

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason, _ in self.seen]


class FakePods:
    """One pod as stored, with the semantics of the verbs that a worker uses."""

    def __init__(self, pod: JSON) -> None:
        self.pod: JSON | None = pod
        self.log: list[tuple[str, Any]] = []
        self.fault: KubeError | None = None
        self.delete_fault: KubeError | None = None

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: JSON,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> JSON:
        self._check()
        assert (resource.plural, namespace, subresource) == ("pods", "default", "status")
        self.log.append(("patch", copy.deepcopy(patch["status"])))
        merged = merge_patch(self.pod, patch)
        assert isinstance(merged, dict)
        self.pod = merged
        return merged

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        self._check()
        if self.delete_fault is not None:
            raise self.delete_fault
        self.log.append(("delete", (uid, grace_seconds)))
        self.pod = None

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault
        if self.pod is None:
            raise NotFound(404, "NotFound", "pod not found")


class PodRig:
    """A worker, and hands on everything around it."""

    def __init__(self, root: Path, pod: JSON) -> None:
        self.clock = Clock(1000.0)
        self.runtime = FakeRuntime(self.clock)
        self.claims = FakeClaims()
        self.events = FakeEvents()
        self.pods = FakePods(copy.deepcopy(pod))
        self.directories = NodeDirectories(root)
        for path in (self.directories.cdi, self.directories.pods):
            path.mkdir(parents=True, exist_ok=True)
        self.ports = NodePorts(
            api=self.pods,
            claims=self.claims,
            launcher=Launcher((self.directories.cdi,), ADDRESS, which=lambda word, path: word),
            runtime=self.runtime,
            events=self.events,
            directories=self.directories,
            clock=self.clock,
            wall=self.clock,
        )
        self.worker = PodWorker(pod, self.ports)

    @property
    def status(self) -> JSON:
        assert self.pods.pod is not None
        found: JSON = self.pods.pod["status"]
        return found

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.pods.log]

    def settle(self) -> float | None:
        """Step until nothing is due now; return the pause, None when the worker is done."""
        for _ in range(50):
            pause = self.worker.step()
            if pause != 0.0:
                return pause
        raise AssertionError("the worker does not come to rest")

    def show(self, **metadata: Any) -> None:
        """Let the watch deliver the stored pod, with changes of its metadata."""
        assert self.pods.pod is not None
        self.pods.pod["metadata"].update(metadata)
        self.worker.update(copy.deepcopy(self.pods.pod))

    def delete(self, grace: int = 30) -> None:
        """Let a user delete the pod."""
        self.show(deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=grace)

    def containers(self, part: str = "containerStatuses") -> dict[str, JSON]:
        return {entry["name"]: entry for entry in self.status[part]}


def bound_pod(*containers: JSON, **spec: Any) -> JSON:
    """Return a pod on a node, with one container that has a command unless others are given."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": "default", "uid": "uid-pod"},
        "spec": {
            "nodeName": "node-1",
            "containers": list(containers) or [container("main")],
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def container(name: str, *command: str, **fields: Any) -> JSON:
    return {"name": name, "image": "ubuntu:22.04", "command": list(command) or ["run"], **fields}
