"""The containers of one pod: their processes, and the states that follow from these.

Only the pod's worker uses it; processes end in threads of their own, which merely wake the worker.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from devcluster.kubelet.errors import StartFailed
from devcluster.kubelet.podlife import (
    ContainerState,
    Running,
    Terminated,
    Waiting,
    held_back,
    started,
)
from devcluster.kubelet.runtime import Exit, Launch, Process, Runtime

_CANNOT_START = 128
"""Exit code of a container whose command cannot be executed. Source: containerd."""


class PodContainers:
    """States by container name; a container that is not there has never been started."""

    def __init__(
        self,
        runtime: Runtime,
        wake: Callable[[], None],
        wall: Callable[[], float],
        earlier: Mapping[str, ContainerState] | None = None,
    ) -> None:
        """Begin with no container running.

        Args:
            runtime: starts processes.
            wake: called from another thread when a process has ended.
            wall: seconds since the epoch.
            earlier: what became of the containers under an earlier kubelet.
        """
        self._runtime = runtime
        self._wake = wake
        self._wall = wall
        self._states = dict(earlier or {})
        self._processes: dict[str, Process] = {}

    @property
    def states(self) -> Mapping[str, ContainerState]:
        """The states as of the last call of a method."""
        return MappingProxyType(self._states)

    @property
    def running(self) -> list[str]:
        """Names of the containers that run, in the order of their start."""
        return list(self._processes)

    def runs(self, name: str) -> bool:
        """Tell whether a container runs, as of the last `collect`; for any thread."""
        state = self._states.get(name)
        return state is not None and isinstance(state.current, Running)

    def process(self, name: str) -> Process | None:
        """Return the process of a container that runs; for any thread."""
        return self._processes.get(name)

    def run_of(self, name: str) -> int:
        """Return the number of a container's next run, from 0."""
        state = self._states.get(name)
        return started(state, 0.0).restarts if state is not None else 0

    def start(self, name: str, launch: Launch) -> StartFailed | None:
        """Start a container; one that cannot be executed counts as ended, and tells why."""
        state = self._states.get(name, ContainerState())
        try:
            process = self._runtime.start(launch, self._wake)
        except StartFailed as error:
            now = self._wall()
            over = Terminated(_CANNOT_START, now, now, "StartError", str(error))
            self._states[name] = replace(started(state, now), current=over)
            return error
        self._processes[name] = process
        self._states[name] = started(state, process.started_at)
        return None

    def hold_back(self, name: str, waiting: Waiting) -> None:
        """Record why a container is not started."""
        self._states[name] = held_back(self._states.get(name, ContainerState()), waiting)

    def collect(self) -> None:
        """Take in which processes have ended."""
        for name, process in list(self._processes.items()):
            if process.exit is not None:
                del self._processes[name]
                self._states[name] = _ended(self._states[name], process.exit)

    def terminate(self) -> None:
        """Ask all that run to end."""
        for process in self._processes.values():
            process.terminate()

    def kill(self) -> None:
        """End all that run."""
        for process in self._processes.values():
            process.kill()


def _ended(state: ContainerState, end: Exit) -> ContainerState:
    begun = state.current.started_at if isinstance(state.current, Running) else end.at
    return replace(state, current=Terminated(end.code, begun, end.at))
