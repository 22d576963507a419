"""The faults that the driver has to survive, each as something that is done to a World.

The tests run every case once; `make reliability` runs them all and counts. A case is survived if
nothing that fsck looks at is wrong afterwards, the pod that should run has the devices that it had,
and nothing is left once its pod and its claim are deleted.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from api.invariants import Fault
from api.names import FINALIZER
from api.objects import JSON, NodeName, object_key
from controller.caches import STATES
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
from plugin.cdi import FILE_PREFIX, claim_file
from plugin.checkpoint import FILE_NAME
from plugin.repairs import Repair
from tests.support.build import SYSTEM
from tests.support.worldrig import V1ALPHA2, NodeProgram, World, gone

NAME = "a"
HERE, ELSEWHERE = "node-1", "node-2"


@dataclass(frozen=True)
class Case:
    """One fault in one place.

    Attributes:
        fault: what happens; one row of the table.
        how: how it is injected.
        place: where, or at which write.
        strike: does it to a world in which a pod waits for its claim on the node HERE.
        repair: what has to be told to people, empty if nothing.
        keeps: whether the pod has to have its devices at the end.
    """

    fault: str
    how: str
    place: str
    strike: Callable[[World], None]
    repair: str = ""
    keeps: bool = True

    def __str__(self) -> str:
        return f"{self.fault}: {self.place}"


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
    yield from _kills()
    yield from _answers()
    yield from _damages()


def _losses(case: Case, world: World) -> Iterator[str]:
    yield from (f"{v.kind}: {v.message}" for v in world.violations())
    if case.keeps and not (set(_running(world)) <= set(_prepared(world)) and _running(world)):
        yield f"pod does not run with its devices: {world.repairs[-1:]}"
    told = [c.args[1] for c in world.events.warning.call_args_list]
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
    held = [h for node in world.nodes.values() if node.present for h in node.state.holdings()]
    return [holding.claim.uid for holding in held]


# the walk of a claim, and where it is interrupted


def up(world: World) -> None:
    """Bring the pod up: allocated, bound, prepared."""
    world.reconcile()
    world.bind()
    world.prepare()


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
    stored = world.find(V1ALPHA2.claims, NAME)
    assert stored is not None
    stored["status"]["deallocationRequested"] = True
    world.api.put_spec(stored)
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


def _kills() -> Iterator[Case]:
    for walk in WALKS:
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


def _answers() -> Iterator[Case]:
    for name, error in ANSWERS:
        for walk in WALKS:
            for number in range(4):
                yield Case(
                    f"API server answers {name}" if name[0].isdigit() else name,
                    "to the n-th request of each walk, and to all after it for a while; injected",
                    f"{walk.name}, {number}",
                    _fail(walk, error, number),
                    keeps=walk.keeps,
                )
    for walk in WALKS:
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


# damage to what is stored


def _damages() -> Iterator[Case]:
    objects = "objects edited or deleted in the API server"
    files = "files changed or removed, plugin running or restarted"
    yield Case("claim deleted past the finalizer", objects, "allocated", _force_delete,
               Fault.ORPHANED, keeps=False)  # fmt: skip
    yield Case("entry of another node's claim", objects, "node-2", _misplace, Fault.MISPLACED)
    yield Case("finalizer removed by hand", objects, "claim", _unprotect, Fault.UNPROTECTED)
    yield Case("allocation never completed", objects, "pod deleted", _abandon, Fault.ABANDONED,
               keeps=False)  # fmt: skip
    yield Case("NAS deleted", objects, "prepared", _delete_nas, Fault.LOST)
    yield Case("NAS deleted", objects, "allocated", _delete_nas_early, Fault.LOST)
    yield Case("Node deleted", objects, "claim and pod gone", _delete_node, keeps=False)
    yield Case("Node deleted", objects, "comes back", _return_node, keeps=False)
    yield Case("NAS edited", objects, "preparedDevices", _edit("preparedDevices"), Repair.PREPARED)
    yield Case("NAS edited", objects, "allocatableDevice", _edit("allocatableDevice"),
               Repair.STATE_CHANGED)  # fmt: skip
    yield Case("NAS edited", objects, "allocatedClaims", _edit("allocatedClaims"), Fault.LOST)
    for restart in (False, True):
        when = "restarted" if restart else "running"
        for name, harm, repair in FILE_FAULTS:
            if not restart or repair != Repair.CHECKPOINT or "removed" not in name:
                yield Case(name, files, when, _harm(harm, restart), repair)


def _force_delete(world: World) -> None:
    up(world)
    gone(world.api, V1ALPHA2.claims, NAME)
    for node in world.nodes.values():
        node.running.clear()


def _misplace(world: World) -> None:
    up(world)
    entry = world.nas(HERE)["spec"]["allocatedClaims"]
    (uid,) = entry
    device = world.nodes[ELSEWHERE].source.devices()[0].id
    elsewhere = {uid: {**entry[uid], "fake": {"devices": [{"uuid": device}]}}}
    world.edit(ELSEWHERE, {"allocatedClaims": elsewhere})


def _unprotect(world: World) -> None:
    up(world)
    stored = world.find(V1ALPHA2.claims, NAME)
    assert stored is not None
    stored["metadata"]["finalizers"].remove(FINALIZER)
    world.api.put_spec(stored)


def _abandon(world: World) -> None:
    """The controller dies after the NAS, and the pod goes before it is back; the claim stays."""
    world.tripwire.arm(4)
    assert world.killed(world.reconcile, world.start_controller)
    world.end_pod(NAME)


def _delete_nas(world: World) -> None:
    up(world)
    del world.api.objects[STATES.plural, object_key(SYSTEM, HERE)]


def _delete_nas_early(world: World) -> None:
    world.reconcile()
    world.bind()
    del world.api.objects[STATES.plural, object_key(SYSTEM, HERE)]


def _delete_node(world: World) -> None:
    up(world)
    world.delete_node(HERE)
    world.delete_claim(NAME)
    world.see()
    world.reconcile()
    assert world.find(V1ALPHA2.claims, NAME) is None, "the claim waits for a node that is gone"


def _return_node(world: World) -> None:
    up(world)
    world.delete_node(HERE)
    world.delete_claim(NAME)
    world.return_node(HERE)


def _edit(field: str) -> Callable[[World], None]:
    def strike(world: World) -> None:
        up(world)
        world.edit(HERE, {field: None})

    return strike


def _file(node: NodeProgram) -> Path:
    ref = next(iter(node.running.values()))
    return node.cdi_root / claim_file(ref.uid)


def _flip(node: NodeProgram) -> None:
    path = node.directory / FILE_NAME
    path.write_text(path.read_text().replace('"label"', '"lapel"'))


def _stray(node: NodeProgram) -> None:
    (node.cdi_root / f"{FILE_PREFIX}stray.json").write_text("{}")


def _forge(node: NodeProgram) -> None:
    spec: JSON = json.loads(_file(node).read_text())
    spec["devices"][0]["containerEdits"]["env"] = ["FAKE_DEVICE_0=FAKE-forged"]
    _file(node).write_text(json.dumps(spec))


FILE_FAULTS: tuple[tuple[str, Callable[[NodeProgram], object], str], ...] = (
    ("CDI file removed", lambda node: _file(node).unlink(), Repair.FILE_MISSING),
    ("CDI file truncated", lambda node: _file(node).write_bytes(b""), Repair.FILE_WRONG),
    ("CDI file forged", _forge, Repair.FILE_WRONG),
    ("CDI file of nobody", _stray, Repair.FILE_SURPLUS),
    (
        "checkpoint truncated",
        lambda node: (node.directory / FILE_NAME).write_bytes(b""),
        Repair.CHECKPOINT,
    ),
    ("checkpoint flipped", _flip, Repair.CHECKPOINT),
    ("checkpoint removed", lambda node: (node.directory / FILE_NAME).unlink(), Repair.CHECKPOINT),
)


def _harm(harm: Callable[[NodeProgram], object], restart: bool) -> Callable[[World], None]:
    def strike(world: World) -> None:
        up(world)
        node = world.nodes[NodeName(HERE)]
        world.tripwire.disarm()
        harm(node)
        if restart:
            node.start()

    return strike
