"""What a pod needs next: which container to start, how long to wait, or that it is over.

Pure. Sidecars (init containers that restart) and probes do not exist here.
Source: kubernetes pkg/kubelet/kuberuntime (computePodActions) and its crash back-off.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from api.objects import JSON
from api.pods import Pod
from kube.backoff import Backoff

CRASH_BACKOFF = Backoff(first=10.0, longest=300.0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The container has not run yet, or waits for its restart.

    Attributes:
        until: seconds since the epoch before which it is not started.
    """

    reason: str = "ContainerCreating"
    message: str = ""
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Running:
    """The container runs since `started_at`, seconds since the epoch."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """The container ran once and ended."""

    code: int
    started_at: float
    finished_at: float
    reason: str = ""
    message: str = ""


Phase: TypeAlias = Waiting | Running | Terminated


@dataclass(frozen=True, slots=True)
class ContainerState:
    """Where a container is.

    Attributes:
        last: how the run before the current phase ended.
        restarts: how often it was started again.
    """

    current: Phase = Waiting()
    last: Terminated | None = None
    restarts: int = 0


States: TypeAlias = Mapping[str, ContainerState]


@dataclass(frozen=True, slots=True)
class Start:
    """Start this container now."""

    container: JSON


@dataclass(frozen=True, slots=True)
class Pause:
    """Look again after some seconds: this container waits for its restart."""

    container: JSON
    seconds: float


@dataclass(frozen=True, slots=True)
class Over:
    """No container runs or will run; `phase` is Succeeded or Failed."""

    phase: str


Step: TypeAlias = Start | Pause | Over


def started(state: ContainerState, at: float) -> ContainerState:
    """Return the state of a container that was started at a time, in seconds since the epoch."""
    ran = last_run(state)
    return ContainerState(Running(at), ran, state.restarts + (ran is not None))


def held_back(state: ContainerState, waiting: Waiting) -> ContainerState:
    """Return the state of a container that is not started for now."""
    return ContainerState(waiting, last_run(state), state.restarts)


def last_run(state: ContainerState) -> Terminated | None:
    """Return how the latest run that is over ended, None if there is none."""
    return state.current if isinstance(state.current, Terminated) else state.last


def end_phase(pod: Pod, states: States) -> str:
    """Return the final phase of a pod whose containers were stopped."""
    mains = (pod.raw.get("spec") or {}).get("containers") or []
    ends = [states.get(c["name"], ContainerState()).current for c in mains]
    fine = all(isinstance(end, Terminated) and end.code == 0 for end in ends)
    return "Succeeded" if fine else "Failed"


def next_steps(pod: Pod, states: States, now: float) -> list[Step]:
    """Decide how a pod goes on.

    Args:
        pod: its spec.
        states: of all containers, by name; absent is waiting.
        now: seconds since the epoch.
    """
    spec = pod.raw.get("spec") or {}
    policy = str(spec.get("restartPolicy") or "Always")
    for container in spec.get("initContainers") or []:
        state = states.get(container["name"], ContainerState())
        if isinstance(state.current, Terminated) and state.current.code == 0:
            continue
        if isinstance(state.current, Terminated) and policy == "Never":
            return [Over("Failed")]
        return list(_container_step(container, state, now))
    return _main_steps(spec.get("containers") or [], states, policy, now)


def crash_pause(restarts: int) -> float:
    """Return the seconds between the end of a run and the next one: 0, 10, 20, … 300."""
    return CRASH_BACKOFF.pause(restarts)


def _main_steps(containers: Sequence[JSON], states: States, policy: str, now: float) -> list[Step]:
    current = [(c, states.get(c["name"], ContainerState())) for c in containers]
    ends = [s.current for _, s in current if isinstance(s.current, Terminated)]
    if len(ends) == len(current) and not any(_restarts(policy, end) for end in ends):
        return [Over("Failed" if any(end.code for end in ends) else "Succeeded")]
    return [
        step
        for container, state in current
        if not isinstance(state.current, Terminated) or _restarts(policy, state.current)
        for step in _container_step(container, state, now)
    ]


def _container_step(container: JSON, state: ContainerState, now: float) -> Iterator[Step]:
    """A container that waits or ended, and has to run."""
    if isinstance(state.current, Running):
        return
    ended = last_run(state)
    due = ended.finished_at + crash_pause(state.restarts) if ended else 0.0
    if isinstance(state.current, Waiting):
        due = max(due, state.current.until)
    yield Pause(container, due - now) if due > now else Start(container)


def _restarts(policy: str, end: Terminated) -> bool:
    return policy == "Always" or (policy == "OnFailure" and end.code != 0)
