"""Edits of several workers for one node at the same time, which share its NAS write."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import pytest

from api.contract import FAKE
from api.errors import DriverError, ParametersNotFound
from api.nas import AllocatedClaim, AllocatedDevice, NodeAllocationState
from api.nasvalues import Allocated
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.resources import STATES
from controller.claims.repair import GRACE_SECONDS
from controller.errors import StaleWorld
from controller.nodes import commits
from controller.nodes.commits import Applied, Edit, NodeCommits, Withdraw
from controller.nodes.fence import Fence
from controller.nodes.infos import (
    HANDLES_INDEX,
    HOLDERS_INDEX,
    NodeInfos,
    handles_index,
    holders_index,
)
from controller.nodes.records import InNodeStates
from kube.errors import Conflict, ConnectFailed, KubeError
from kube.keylocks import KeyLocks
from kube.store import Store
from testing.apiserver import MemoryApi
from tests.support.build import (
    POD_CLAIM,
    SYSTEM,
    allocated,
    claim,
    deleted,
    finalized,
    holding,
    nas,
    offering,
    pod,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig

NODE = NodeName("node-1")
PATIENCE = 10


class Crowd:
    """Lets several threads come to a node while its lock is held, and waits until all are there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self.arrived = threading.Semaphore(0)
        others = KeyLocks.holding

        def holding(locks: KeyLocks[str], keys: Iterable[str]) -> AbstractContextManager[object]:
            wanted = list(keys)
            return self._locking() if wanted == [NODE] else others(locks, wanted)

        monkeypatch.setattr(KeyLocks, "holding", holding)

    def _locking(self) -> AbstractContextManager[bool]:
        self.arrived.release()
        return self._lock

    def run(self, *works: Callable[[], object]) -> list[Exception | None]:
        """Return what each of the works raised, if anything."""
        raised: list[Exception | None] = [None for _ in works]

        def run(number: int) -> None:
            try:
                works[number]()
            except DriverError as error:
                raised[number] = error

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
        with self._lock:
            for thread in threads:
                thread.start()
                assert self.arrived.acquire(timeout=PATIENCE)
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return raised


class World:
    """One node with eight devices, and whoever writes to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, published: bool = True) -> None:
        self.crowd = Crowd(monkeypatch)
        self.api = MemoryApi()
        self.store = Store({HOLDERS_INDEX: holders_index})
        claims = Store({HANDLES_INDEX: partial(handles_index, FAKE)})
        self.infos = NodeInfos(self.store, claims, SYSTEM, FAKE)
        if published:
            self.store.replace([self.api.put(STATES, nas())])
        fence = Fence("it", lambda: None)
        self.commits = NodeCommits(
            self.api,  # type: ignore[arg-type]
            STATES,
            FAKE.device_key,
            self.infos,
            InNodeStates(),
            fence,
        )

    def run(self, *edits: Edit[object]) -> list[Exception | None]:
        return self.crowd.run(*(partial(self.commits.commit, NODE, edit) for edit in edits))

    def allocated(self) -> dict[str, str]:
        spec = self.api.find(STATES, NODE, SYSTEM)["spec"]
        given = spec.get("allocatedClaims") or {}
        return {uid: entry["fake"]["devices"][0]["uuid"] for uid, entry in given.items()}

    def attempts(self) -> int:
        return [verb for verb, _, _ in self.api.calls].count("patch")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@dataclass(frozen=True)
class Made:
    """An edit made of a function; its result is the state that it was applied to."""

    change: Callable[[NodeAllocationState | None], Allocated | None]

    def apply(self, state: NodeAllocationState | None) -> Applied[NodeAllocationState | None]:
        return Applied(self.change(state), state)


def first_free(uid: str) -> Made:
    """Return the edit that gives a claim the first device that nobody has."""

    def change(state: NodeAllocationState | None) -> Allocated | None:
        if state is None:
            return None
        free = next(d.id for d in state.allocatable if d.id not in state.used())
        given = AllocatedClaim((AllocatedDevice(DeviceID(free)),), "default", uid)
        return {**state.allocated, ClaimUID(uid): given}

    return Made(change)


def test_an_edit_alone_is_written_at_once(world: World) -> None:
    assert world.run(first_free("a")) == [None]
    assert world.allocated() == {"a": "node-1-0"}
    assert world.attempts() == 1


def test_edits_at_the_same_time_are_one_write_each_on_top_of_the_former(world: World) -> None:
    assert world.run(*map(first_free, "abcd")) == [None] * 4
    assert sorted(world.allocated().values()) == [f"node-1-{i}" for i in range(4)]
    assert world.attempts() == 1


def test_what_is_given_and_taken_at_the_same_time_is_one_write(world: World) -> None:
    world.run(first_free("a"), first_free("b"))
    assert (
        world.run(Withdraw(ClaimUID("a")), first_free("c"), Withdraw(ClaimUID("b"))) == [None] * 3
    )
    assert list(world.allocated()) == ["c"]
    assert world.attempts() == 2


def test_everybody_gets_the_result_of_the_own_edit(world: World) -> None:
    world.run(first_free("a"))
    results: dict[str, bool] = {}

    def withdraw(uid: str) -> None:
        results[uid] = world.commits.commit(NODE, Withdraw(ClaimUID(uid)))

    world.crowd.run(partial(withdraw, "a"), partial(withdraw, "b"))
    assert results == {"a": True, "b": False}


def test_one_that_wants_nothing_after_all_does_not_disturb_the_others(world: World) -> None:
    assert world.run(first_free("a"), Made(lambda _: None), first_free("b")) == [None] * 3
    assert sorted(world.allocated()) == ["a", "b"]
    assert world.attempts() == 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_error_of_one_is_its_own(world: World, place: int) -> None:
    error = ParametersNotFound("no such parameters")

    def fails(_: NodeAllocationState | None) -> Allocated | None:
        raise error

    edits = [first_free("a"), first_free("b")]
    edits.insert(place, Made(fails))
    raised = world.run(*edits)
    assert raised[place] is error
    assert raised.count(None) == 2
    assert sorted(world.allocated()) == ["a", "b"]


def test_when_a_write_fails_the_others_go_on_by_themselves(world: World) -> None:
    error = KubeError("connection lost")
    failures = [error]
    world.api.fault = lambda verb, *_: failures.pop() if verb == "patch" and failures else None
    raised = world.run(*map(first_free, "abc"))
    assert raised.count(error) == 1
    assert raised.count(None) == 2
    assert len(world.allocated()) == 2
    assert all(raised["abc".index(uid)] is None for uid in world.allocated())


def test_a_write_that_lost_its_answer_is_not_repeated(world: World) -> None:
    error = KubeError("connection lost")
    patch, failures = world.api.patch, [error]

    def losing(*args: object, **fields: object) -> object:
        answer = patch(*args, **fields)  # type: ignore[arg-type]
        if failures:
            raise failures.pop()
        return answer

    world.api.patch = losing  # type: ignore[assignment,method-assign]
    raised = world.run(*map(keeping, "abc"))
    assert raised.count(error) == 1
    assert sorted(world.allocated()) == ["a", "b", "c"]
    assert len(set(world.allocated().values())) == 3


def keeping(uid: str) -> Made:
    """Return the edit that gives a claim a device, unless it has one already."""

    def change(state: NodeAllocationState | None) -> Allocated | None:
        return None if state is None or uid in state.allocated else first_free(uid).change(state)

    return Made(change)


def test_when_somebody_else_was_faster_all_are_asked_again(world: World) -> None:
    other = AllocatedClaim((AllocatedDevice(DeviceID("node-1-0")),), "default", "other")
    entry = {"fake": {"devices": [{"uuid": d.id} for d in other.devices]}}
    raw = world.api.find(STATES, NODE, SYSTEM)
    world.api.rewrite({**raw, "spec": {**raw["spec"], "allocatedClaims": {"other": entry}}})
    assert world.run(first_free("a"), first_free("b")) == [None, None]
    assert world.allocated()["other"] == "node-1-0"
    assert {world.allocated()["a"], world.allocated()["b"]} == {"node-1-1", "node-1-2"}


def test_who_is_always_late_gives_up(world: World) -> None:
    conflict = Conflict(409, "Conflict", "written by others", {})
    world.api.fault = lambda verb, *_: conflict if verb == "patch" else None
    (raised,) = world.run(first_free("a"))
    assert isinstance(raised, StaleWorld)
    assert "5 times in a row" in str(raised)


def test_everybody_hears_that_there_is_no_such_node(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    world = World(monkeypatch, published=False)
    assert world.run(Made(heard.append), Made(heard.append)) == [None, None]
    assert heard == [None, None]
    assert world.attempts() == 0


def begun(world: World, uid: str) -> threading.Thread:
    """Return a thread that commits an edit and has come to the lock of the node."""
    thread = threading.Thread(target=world.commits.commit, args=(NODE, first_free(uid)))
    thread.start()
    assert world.crowd.arrived.acquire(timeout=PATIENCE)
    return thread


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have writes wait until all that were announced have come."""
    monkeypatch.setattr(commits, "ARRIVAL_SECONDS", PATIENCE)


@pytest.mark.usefixtures("patient")
def test_a_write_waits_for_an_edit_that_was_announced(world: World) -> None:
    with world.commits.announced(NODE) as announced:
        thread = begun(world, "a")
        world.commits.commit(NODE, first_free("b"), announced)
    thread.join(PATIENCE)
    assert sorted(world.allocated()) == ["a", "b"]
    assert world.attempts() == 1


@pytest.mark.usefixtures("patient")
def test_a_write_waits_no_longer_for_an_edit_that_does_not_come(world: World) -> None:
    with world.commits.announced(NODE):
        thread = begun(world, "a")
        assert world.attempts() == 0
    thread.join(PATIENCE / 2)
    assert not thread.is_alive()
    assert list(world.allocated()) == ["a"]


def test_a_write_waits_a_moment_only(world: World) -> None:
    with world.commits.announced(NODE):
        world.commits.commit(NODE, first_free("a"))
        assert list(world.allocated()) == ["a"]


@pytest.mark.usefixtures("patient")
def test_a_write_does_not_wait_for_edits_of_another_node(world: World) -> None:
    started = time.monotonic()
    with world.commits.announced(NodeName("node-2")):
        world.commits.commit(NODE, first_free("a"))
    assert time.monotonic() - started < PATIENCE


PODS = ("a", "b", "c")
WANTED = (POD_CLAIM, "claim")


def pods_on_one_node(*classes: JSON) -> Rig:
    objects = [
        made
        for name in PODS
        for made in (
            claim(name),
            pod(name, (POD_CLAIM, name)),
            scheduling(name, potential=[NODE], selected=NODE),
        )
    ]
    state = nas(sharing=["TimeSliced"])
    return Rig(*(classes or [resource_class()]), state, *objects)


def together(rig: Rig, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{kind}:default/{name}" for name in PODS]
    handle = rig.controller.reconciler.handle
    Crowd(monkeypatch).run(*[partial(handle, key) for key in keys])


def nas_writes(rig: Rig) -> int:
    return rig.api.writes().count(("patch", STATES.plural))


def test_pods_that_come_to_a_node_together_share_its_write(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = pods_on_one_node()
    together(rig, "psc", monkeypatch)
    assert nas_writes(rig) == 1
    given = rig.allocated(NODE)
    assert sorted(given) == ["uid-a", "uid-b", "uid-c"]
    assert len({device for devices in given.values() for device in devices}) == 3
    assert all("allocation" in rig.claim(name)["status"] for name in PODS)


@pytest.mark.usefixtures("patient")
def test_pods_whose_claims_are_marked_at_the_same_time_share_a_write() -> None:
    rig = pods_on_one_node()
    marking = threading.Barrier(len(PODS), timeout=PATIENCE)

    def met(verb: str, plural: str, _: object) -> None:
        if (verb, plural) == ("patch", rig.resources.claims.plural):
            marking.wait()

    rig.api.fault = met
    keys = [f"psc:default/{name}" for name in PODS]
    threads = [threading.Thread(target=rig.controller.reconciler.handle, args=(k,)) for k in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(rig.allocated(NODE)) == ["uid-a", "uid-b", "uid-c"]
    assert nas_writes(rig) == 1


def test_pods_that_come_together_get_no_more_shares_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = pods_on_one_node(*offering(sharing="TimeSliced", maxClients=2))
    together(rig, "psc", monkeypatch)
    assert nas_writes(rig) == 1
    entries = rig.nas(NODE)["spec"]["allocatedClaims"].values()
    shares = sorted(
        (device["uuid"], device["timeSliced"]["client"])
        for entry in entries
        for device in entry["fake"]["devices"]
    )
    assert shares == [("node-1-0", 0), ("node-1-0", 1), ("node-1-1", 0)]


def test_claims_that_leave_a_node_together_share_its_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = nas()
    for number, name in enumerate(PODS):
        state = holding(state, f"uid-{name}", number)
    claims = [deleted(finalized(allocated(claim(name)))) for name in PODS]
    rig = Rig(resource_class(), holding(state, "uid-stays", 7), *claims, claim("stays"))
    together(rig, "claim", monkeypatch)
    assert nas_writes(rig) == 1
    assert rig.allocated(NODE) == {"uid-stays": ["node-1-7"]}
    assert [each["metadata"]["name"] for each in rig.api.all(rig.resources.claims)] == ["stays"]


def test_a_controller_killed_after_the_shared_write_goes_on_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = pods_on_one_node()
    written = threading.Event()

    def dying(verb: str, plural: str, _: object) -> KubeError | None:
        if written.is_set():
            return ConnectFailed("killed")
        if (verb, plural) == ("patch", STATES.plural):
            written.set()
        return None

    rig.api.fault = dying
    together(rig, "psc", monkeypatch)
    given = rig.allocated(NODE)
    assert sorted(given) == ["uid-a", "uid-b", "uid-c"]
    assert not any("allocation" in rig.claim(name).get("status", {}) for name in PODS)
    rig.api.fault = lambda *_: None
    monkeypatch.undo()
    restarted = Rig(api=rig.api)
    for name in PODS:
        restarted.handle(f"psc:default/{name}")
        assert "allocation" in restarted.claim(name)["status"]
    assert restarted.allocated(NODE) == given
    assert nas_writes(restarted) == 1


def test_a_repair_leaves_alone_what_an_allocation_gets_in_the_same_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [0.0]
    objects = (nas(devices=2), finalized(allocated(claim("lost"))), claim(), pod("pod", WANTED))
    question = scheduling(potential=[NODE], selected=NODE)
    crowd = Crowd(monkeypatch)
    rig = Rig(resource_class(), *objects, question, clock=lambda: seconds[0])
    state, handle = f"nas:{SYSTEM}/{NODE}", rig.controller.reconciler.handle
    handle(state)
    seconds[0] += GRACE_SECONDS
    crowd.run(partial(handle, "psc:default/pod"), partial(handle, state))
    assert nas_writes(rig) == 1
    assert sorted(rig.allocated(NODE)) == ["uid-claim", "uid-lost"]
    devices = [device for given in rig.allocated(NODE).values() for device in given]
    assert sorted(devices) == ["node-1-0", "node-1-1"]
