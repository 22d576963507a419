"""The faults that the driver has to survive, each as something that is done to a World.

The tests run every case once; `make reliability` runs them all and counts. A case is survived if
nothing that fsck looks at is wrong afterwards, the pod that should run has the devices that it had,
and nothing is left once its pod and its claim are deleted.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from api.resources import DRA_V1ALPHA2
from kube.errors import (
    ApiError,
    Conflict,
    ConnectFailed,
    Gone,
    KubeError,
    ReadTimeout,
    ServerError,
    TooManyRequests,
)
from ops.communication import Communication
from tests.support.damages import damages
from tests.support.faultcase import HERE, NAME, Case, up
from tests.support.worldrig import World


def survived(case: Case, world: World) -> list[str]:
    """Do the fault to a new world; return what is wrong afterwards, or was lost."""
    world.submit(NAME, "split")
    world.select(NAME, HERE)
    world.see()
    case.strike(world)
    world.settle()
    return [*_losses(case, world), *_leaks(world)]


def cases() -> Iterator[Case]:
    """Yield all cases."""
    for communication in Communication:
        walks = walks_of(communication)
        for case in (*_kills(walks), *_answers(walks), *damages(communication)):
            yield replace(case, communication=communication)


def _losses(case: Case, world: World) -> Iterator[str]:
    yield from (f"{v.kind}: {v.message}" for v in world.violations())
    if case.keeps and not (set(_running(world)) <= set(_prepared(world)) and _running(world)):
        yield f"pod does not run with its devices: {world.repairs[-1:]}"
    told = [c.args[1] for c in world.rig.events.warning.call_args_list]
    repairs = {*told, *(r for node in world.nodes.values() for r in node.repairs)}
    if case.repair and case.repair not in repairs:
        yield f"{case.repair} was not told, only {sorted(repairs)}"


def _leaks(world: World) -> Iterator[str]:
    world.drain()
    yield from (f"{v.kind}: {v.message}" for v in world.violations())
    yield from (f"left behind: {what}" for what in world.leaks())


def _running(world: World) -> list[str]:
    return [ref.uid for node in world.nodes.values() for ref in node.running.values()]


def _prepared(world: World) -> list[str]:
    present = [node for node in world.nodes.values() if node.present]
    return [entry.claim.uid for node in present for entry in node.state.entries()]


# the walk of a claim, and where it is interrupted


def _waiting(_world: World) -> None:
    pass


def _bound(world: World) -> None:
    world.reconcile()
    world.bind()


def _leaving(world: World) -> None:
    up(world)
    world.end_pod(NAME)
    world.delete_claim(NAME)
    world.see()


def _deallocating(world: World) -> None:
    up(world)
    world.end_pod(NAME)
    stored = world.find(DRA_V1ALPHA2.claims, NAME)
    assert stored is not None
    stored["status"]["deallocationRequested"] = True
    world.api.rewrite(stored)
    world.see()


def restart_plugins(world: World) -> None:
    """Start the plugins of all nodes anew."""
    for node in world.nodes.values():
        node.start()


def _unprepare(world: World) -> None:
    world.end_pod(NAME)


@dataclass(frozen=True)
class Walk:
    """A part of the walk that one program goes, and how many writes it makes there."""

    name: str
    before: Callable[[World], None]
    work: Callable[[World], None]
    writes: tuple[str, ...]
    keeps: bool


WALKS = (
    Walk(
        "controller allocates",
        _waiting,
        World.reconcile,
        ("finalizer", "NAS", "claim status", "PodSchedulingContext status"),
        keeps=True,
    ),
    Walk("plugin prepares", _bound, World.prepare, ("CDI file", "checkpoint", "NAS"), keeps=True),
    Walk("plugin unprepares", up, _unprepare, ("CDI file", "checkpoint", "NAS"), keeps=False),
    Walk(
        "controller frees a deleted claim",
        _leaving,
        World.reconcile,
        ("NAS", "claim status", "finalizer"),
        keeps=False,
    ),
    Walk(
        "controller deallocates",
        _deallocating,
        World.reconcile,
        ("NAS", "claim status", "finalizer"),
        keeps=False,
    ),
)


def walks_of(communication: Communication) -> tuple[Walk, ...]:
    """Return the walks, in which plugins write nothing to the NAS that show nothing there."""
    if communication is Communication.NAS:
        return WALKS
    return tuple(
        replace(walk, writes=walk.writes[:-1]) if walk.name.startswith("plugin") else walk
        for walk in WALKS
    )


def _kills(walks: Sequence[Walk]) -> Iterator[Case]:
    for walk in walks:
        for index, write in enumerate(walk.writes):
            for side in (0, 1):
                yield Case(
                    f"SIGKILL while the {walk.name}",
                    "before and after each write of the walk; injected",
                    f"{'after' if side else 'before'} {write}",
                    _kill(walk, 2 * index + side + 1),
                    keeps=walk.keeps,
                )


def _kill(walk: Walk, moment: int) -> Callable[[World], None]:
    def strike(world: World) -> None:
        walk.before(world)
        world.tripwire.arm(moment)
        died = world.killed(lambda: walk.work(world), lambda: _restart(world, walk))
        assert died, "the walk has fewer writes"
        world.end_pod(NAME) if walk.work is _unprepare else None

    return strike


def _restart(world: World, walk: Walk) -> None:
    restart_plugins(world) if "plugin" in walk.name else world.start_controller()


# answers of the API server


def _error(kind: type[ApiError], status: int) -> Callable[[], KubeError]:
    return lambda: kind(status, kind.__name__, "injected", {})


ANSWERS: tuple[tuple[str, Callable[[], KubeError]], ...] = (
    ("409 Conflict", _error(Conflict, 409)),
    ("410 Gone", _error(Gone, 410)),
    ("429 Too Many Requests", _error(TooManyRequests, 429)),
    ("500 Internal Server Error", _error(ServerError, 500)),
    ("no connection", lambda: ConnectFailed("injected")),
)


def _answers(walks: Sequence[Walk]) -> Iterator[Case]:
    for name, error in ANSWERS:
        for walk in walks:
            for number in range(4):
                yield Case(
                    f"API server answers {name}" if name[0].isdigit() else name,
                    "to the n-th request of each walk, and to all after it for a while; injected",
                    f"{walk.name}, {number}",
                    _fail(walk, error, number),
                    keeps=walk.keeps,
                )
    for walk in walks:
        for number in range(4):
            yield Case(
                "answer lost",
                "the write is done, its answer is not seen; injected",
                f"{walk.name}, {number}",
                _lose(walk, number),
                keeps=walk.keeps,
            )


def _fail(walk: Walk, error: Callable[[], KubeError], number: int) -> Callable[[World], None]:
    def strike(world: World) -> None:
        walk.before(world)
        requests = itertools.count()
        with world.failing(lambda: error() if next(requests) >= number else None):
            _try(walk, world)
        _finish(walk, world)

    return strike


def _lose(walk: Walk, number: int) -> Callable[[World], None]:
    def strike(world: World) -> None:
        walk.before(world)
        world.api.losing(number, ReadTimeout("injected"))
        _try(walk, world)
        world.api.losing(None)
        _finish(walk, world)

    return strike


def _try(walk: Walk, world: World) -> None:
    try:
        walk.work(world)
    except KubeError as error:
        world.repairs.append(str(error))


def _finish(walk: Walk, world: World) -> None:
    if walk.work is _unprepare:
        world.end_pod(NAME)
