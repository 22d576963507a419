"""Calls a plugin over its sockets, as kubelets do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc

from api.objects import JSON
from bench.concurrency import concurrently, timed
from bench.errors import NotSeen
from bench.figures import Calls
from bench.programs import Program
from bench.statistics import Latency
from devcluster.kubelet.watcher import find_sockets
from dra.claims import ClaimRef
from testing.kubelet import Registered, ref_of
from testing.kubeletcalls import Generation, KubeletCalls

START_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Turns:
    """How long calls took, in seconds, so many at the same time."""

    concurrency: int
    prepare: Sequence[float]
    unprepare: Sequence[float]

    def __len__(self) -> int:
        return len(self.prepare) + len(self.unprepare)

    def summary(self) -> Calls:
        """Return the figures."""
        return Calls(self.concurrency, Latency.of(self.prepare), Latency.of(self.unprepare))


def turns(plugin: Registered, claims: Sequence[JSON], concurrency: int, count: int) -> Turns:
    """Prepare all claims, unprepare all claims, and so on until there are enough calls.

    Raises:
        NotSeen: the plugin refused a claim.
    """
    prepared: list[float] = []
    unprepared: list[float] = []
    for _ in range(count // len(claims)):
        prepared += each(plugin.calls.prepare, plugin.service, claims, concurrency)
        unprepared += each(plugin.calls.unprepare, plugin.service, claims, concurrency)
    return Turns(concurrency, prepared, unprepared)


def each(
    call: Callable[..., Mapping[str, Any]],
    service: Generation,
    claims: Sequence[JSON],
    concurrency: int = 1,
) -> list[float]:
    """Make one call for each claim; return the seconds that they took.

    Raises:
        NotSeen: the plugin refused a claim.
    """
    refs = [ref_of(claim) for claim in claims]
    return concurrently(partial(_call, partial(call, by=service)), refs, concurrency)


def _call(call: Callable[[ClaimRef], Mapping[str, Any]], ref: ClaimRef) -> float:
    seconds, answers = timed(lambda: call(ref))
    for answer in answers.values():
        if error := getattr(answer, "error", answer):
            raise NotSeen(f"the plugin refused {ref}: {error}")
    return seconds


def answering(program: Program, registry: Path) -> float:
    """Wait until a plugin answers the kubelet; return the seconds since its start."""
    return program.until("to answer the kubelet", lambda: bool(name_at(registry)), START_SECONDS)


def name_at(registry: Path) -> str:
    """Return the name of the driver that answers in a registration directory; empty if none."""
    for socket in find_sockets(registry):
        with KubeletCalls(socket) as calls:
            try:
                return str(calls.get_info(_ASK_SECONDS).name)
            except grpc.RpcError:
                continue
    return ""
