"""Damage to what is stored: objects that people delete and edit, files that they change."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from api.contract import FAKE
from api.invariants import Fault
from api.objects import JSON, NodeName, object_key
from api.resources import DRA_V1ALPHA2, STATES
from dra.devicestate.cdi import claim_file
from dra.devicestate.checkpoint import FILE_NAME
from dra.repairs import Repair
from ops.communication import Communication
from tests.support.build import SYSTEM
from tests.support.faultcase import ELSEWHERE, HERE, NAME, Case, up
from tests.support.nodeprogram import NodeProgram
from tests.support.worldrig import World, gone


def damages(communication: Communication) -> Iterator[Case]:
    """Yield the cases; what a NAS does not tell cannot be lost with it."""
    in_nas = communication is Communication.NAS
    lost, prepared = (Fault.LOST, Repair.PREPARED) if in_nas else ("", "")
    objects = "objects edited or deleted in the API server"
    files = "files changed or removed, plugin running or restarted"
    yield Case("claim deleted past the finalizer", objects, "allocated", _force_delete,
               Fault.ORPHANED, keeps=False)  # fmt: skip
    yield Case("entry of another node's claim", objects, "node-2", _misplace, Fault.MISPLACED)
    yield Case("finalizer removed by hand", objects, "claim", _unprotect, Fault.UNPROTECTED)
    yield Case("allocation never completed", objects, "pod deleted", _abandon, Fault.ABANDONED,
               keeps=False)  # fmt: skip
    yield Case("NAS deleted", objects, "prepared", _delete_nas, lost)
    yield Case("NAS deleted", objects, "allocated", _delete_nas_early, lost)
    yield Case("Node deleted", objects, "claim and pod gone", _delete_node, keeps=False)
    yield Case("Node deleted", objects, "comes back", _return_node, keeps=False)
    yield Case("NAS edited", objects, "preparedDevices", _edit("preparedDevices"), prepared)
    yield Case("NAS edited", objects, "allocatableDevice", _edit("allocatableDevice"),
               Repair.STATE_CHANGED)  # fmt: skip
    yield Case("NAS edited", objects, "allocatedClaims", _edit("allocatedClaims"), lost)
    for restart in (False, True):
        when = "restarted" if restart else "running"
        for name, harm, repair in FILE_FAULTS:
            if not restart or repair != Repair.CHECKPOINT or "removed" not in name:
                yield Case(name, files, when, _harm(harm, restart), repair)


def _force_delete(world: World) -> None:
    up(world)
    gone(world.api, DRA_V1ALPHA2.claims, NAME)
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
    stored = world.find(DRA_V1ALPHA2.claims, NAME)
    assert stored is not None
    stored["metadata"]["finalizers"].remove(FAKE.finalizer)
    world.api.rewrite(stored)


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
    assert world.find(DRA_V1ALPHA2.claims, NAME) is None, "the claim waits for a node that is gone"


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
    return node.cdi_root / claim_file(FAKE, ref.uid)


def _flip(node: NodeProgram) -> None:
    path = node.directory / FILE_NAME
    path.write_text(path.read_text().replace('"label"', '"lapel"'))


def _stray(node: NodeProgram) -> None:
    (node.cdi_root / f"{FAKE.cdi_file_prefix}stray.json").write_text("{}")


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
