"""Brings one pod to an end: claims, containers, restarts, status, and its orderly deletion.

Level-triggered: each step looks at the latest pod and at its containers and does what is due, so
that it does not matter which event woke the worker. One thread per pod, started by the kubelet.
Source: kubernetes pkg/kubelet (pod_workers.go, kuberuntime, status_manager.go).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.errors import DriverError
from api.objects import JSON
from api.pods import Pod
from api.resources import PODS
from devcluster.kubelet.claims import ClaimManager
from devcluster.kubelet.errors import (
    InvalidContainer,
    PrepareFailed,
    UnresolvableDevices,
)
from devcluster.kubelet.launching import Launcher
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.podcontainers import PodContainers
from devcluster.kubelet.podhistory import earlier_states
from devcluster.kubelet.podlife import (
    Over,
    Pause,
    Start,
    Step,
    Terminated,
    Waiting,
    end_phase,
    next_steps,
)
from devcluster.kubelet.runtime import Process, Runtime
from devcluster.kubelet.statuswriter import StatusWriter
from devcluster.podclaims import FINISHED_PHASES
from kube.backoff import Backoff
from kube.client import Client
from kube.errors import Conflict, NotFound
from kube.events import EventRecorder
from ops.logs import get_logger

BACKOFF: Final = Backoff(first=1.0, longest=30.0)
CREATE_RETRY: Final = 10.0
RESYNC: Final = 60.0
DEFAULT_GRACE: Final = 30.0
SHORTEST_GRACE: Final = 2.0
"""Source: kubernetes pkg/kubelet/kuberuntime, minimumGracePeriodInSeconds."""

_KILL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class NodePorts:
    """What all pod workers of a node share.

    Attributes:
        clock: monotonic seconds.
        wall: seconds since the epoch.
    """

    api: Client
    claims: ClaimManager
    launcher: Launcher
    runtime: Runtime
    events: EventRecorder
    directories: NodeDirectories
    clock: Callable[[], float]
    wall: Callable[[], float]


class PodWorker:
    """One pod that is bound to this node."""

    def __init__(self, raw: JSON, ports: NodePorts) -> None:
        """Take on a pod as the watch shows it; nothing is done before `step` or `run`."""
        pod = Pod(raw)
        phase = (raw.get("status") or {}).get("phase")
        self._ports = ports
        self._pod = pod
        self._gone = False
        self._wake = threading.Event()
        self._directory = ports.directories.pod(pod.uid)
        self._containers = PodContainers(
            ports.runtime, self._wake.set, ports.wall, earlier_states(raw)
        )
        self._status = StatusWriter(ports.api, ports.launcher.address, ports.wall)
        self._prepared = False
        self._phase: str | None = phase if phase in FINISHED_PHASES else None
        self._terminated_at: float | None = None
        self._failures = 0
        self._log = get_logger("kubelet.pod").with_(pod=f"{pod.namespace}/{pod.name}")

    def update(self, raw: JSON) -> None:
        """Take in a newer version of the pod."""
        self._pod = Pod(raw)
        self._wake.set()

    def remove(self) -> None:
        """Take in that the pod does not exist any more."""
        self._gone = True
        self._wake.set()

    def wake(self) -> None:
        """Look again now, e.g. because a plugin has been registered."""
        self._wake.set()

    def runs(self, container: str) -> bool:
        """Tell whether a container runs."""
        return self._containers.runs(container)

    def process(self, container: str) -> Process | None:
        """Return the process of a container that runs."""
        return self._containers.process(container)

    def run(self, stop: threading.Event) -> None:
        """Work until the pod has ended and is gone, or `stop` is set; call `wake` after that."""
        while not stop.is_set():
            self._wake.clear()
            pause = self.step()
            if pause is None:
                return
            self._wake.wait(pause)

    def step(self) -> float | None:
        """Do what is due.

        Returns:
            Seconds after which to look again at the latest; None when nothing is left to do.
        """
        try:
            pause = self._do()
        except PrepareFailed as error:
            text = f"Failed to prepare dynamic resources: {error}"
            self._warn("FailedPrepareDynamicResources", text)
        except (DriverError, OSError) as error:
            # no event when unprepare fails, as in Kubernetes
            self._log.warning("Pod not synced", err=error)
        else:
            self._failures = 0
            return pause
        self._failures += 1
        return BACKOFF.pause(self._failures)

    def _do(self) -> float | None:
        gone, pod = self._gone, self._pod
        self._containers.collect()
        if gone or pod.deleting:
            return self._end(pod, gone)
        if self._phase is None:
            return self._go_on(pod)
        self._ports.claims.unprepare(pod.uid)
        self._publish_end(pod, self._phase)
        return RESYNC

    def _go_on(self, pod: Pod) -> float:
        if not self._prepared:
            self._publish(pod)
            self._ports.claims.prepare(pod)
            self._prepared = True
        steps = next_steps(pod, self._containers.states, self._ports.wall())
        pause = min((self._take(pod, step) for step in steps), default=RESYNC)
        if self._phase is None:
            self._publish(pod)
        return pause

    def _take(self, pod: Pod, step: Step) -> float:
        """Take one step; return the seconds until the next look."""
        match step:
            case Start(container):
                self._start(pod, container)
                return 0.0
            case Pause(container, seconds):
                self._hold_back(pod, container["name"], seconds)
                return seconds
            case Over(phase):
                self._phase = phase
                return 0.0

    def _start(self, pod: Pod, container: JSON) -> None:
        name, events = container["name"], self._ports.events
        run = self._containers.run_of(name)
        self._directory.forget_runs(name, run - 1)
        try:
            launch = self._ports.launcher.launch(
                pod,
                container,
                directory=self._directory,
                run=run,
                devices=self._ports.claims.devices(pod, container),
            )
        except (InvalidContainer, UnresolvableDevices) as error:
            self._warn("Failed", f"Error: {error}")
            until = self._ports.wall() + CREATE_RETRY
            self._containers.hold_back(name, Waiting("CreateContainerError", str(error), until))
            return
        events.normal(pod.raw, "Created", f"Created container {name}")
        failure = self._containers.start(name, launch)
        if failure is None:
            events.normal(pod.raw, "Started", f"Started container {name}")
        else:
            self._warn("Failed", f"Error: {failure}")

    def _hold_back(self, pod: Pod, name: str, seconds: float) -> None:
        """Show once per crash that the container waits."""
        state = self._containers.states.get(name)
        if state is None or not isinstance(state.current, Terminated):
            return
        where = f"{pod.name}_{pod.namespace}({pod.uid})"
        text = f"back-off {seconds:.0f}s restarting failed container={name} pod={where}"
        until = self._ports.wall() + seconds
        self._containers.hold_back(name, Waiting("CrashLoopBackOff", text, until))
        self._warn("BackOff", f"Back-off restarting failed container {name} in pod {where}")

    def _end(self, pod: Pod, gone: bool) -> float | None:
        if self._containers.running:
            return self._stop_containers(pod, gone)
        self._ports.claims.unprepare(pod.uid)
        if not gone:
            phase = self._phase or end_phase(pod, self._containers.states)
            self._publish_end(pod, phase)
            self._delete(pod)
        self._directory.remove()
        return None

    def _stop_containers(self, pod: Pod, gone: bool) -> float:
        """Terminate, and kill after the grace period; return the seconds until the next look."""
        now = self._ports.clock()
        if self._terminated_at is None:
            self._terminated_at = now
            for name in self._containers.running:
                self._ports.events.normal(pod.raw, "Killing", f"Stopping container {name}")
            self._containers.terminate()
        left = self._terminated_at + (SHORTEST_GRACE if gone else _grace(pod)) - now
        if left > 0:
            return left
        self._containers.kill()
        return _KILL_SECONDS

    def _publish(self, pod: Pod) -> None:
        resources = self._ports.claims.resources(pod)
        self._status.publish(pod, self._containers.states, self._phase, resources)

    def _publish_end(self, pod: Pod, phase: str) -> None:
        """Publish the final status, unless an earlier kubelet did: it alone knew the containers."""
        self._phase = phase
        if (pod.raw.get("status") or {}).get("phase") != phase:
            self._publish(pod)

    def _delete(self, pod: Pod) -> None:
        try:
            self._ports.api.delete(PODS, pod.name, pod.namespace, uid=pod.uid, grace_seconds=0)
        except (NotFound, Conflict):
            self._log.debug("Pod is gone already", uid=pod.uid)

    def _warn(self, reason: str, message: str) -> None:
        self._ports.events.warning(self._pod.raw, reason, message)
        self._log.info(reason, err=message)


def _grace(pod: Pod) -> float:
    meta, spec = pod.raw["metadata"], pod.raw.get("spec") or {}
    for seconds in (
        meta.get("deletionGracePeriodSeconds"),
        spec.get("terminationGracePeriodSeconds"),
    ):
        if seconds is not None:
            return max(float(seconds), SHORTEST_GRACE)
    return DEFAULT_GRACE
