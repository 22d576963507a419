"""What is wrong between node states and claims is repaired once it lasts, and told."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from api.contract import FAKE
from api.invariants import Fault
from api.objects import JSON
from controller.claims.repair import ABANDONED_SECONDS, GRACE_SECONDS, PERIOD_SECONDS
from kube.errors import ConnectFailed
from testing.clock import Clock
from tests.support.build import (
    allocated,
    claim,
    deallocating,
    deleted,
    device_allocated,
    device_claim,
    device_class,
    finalized,
    holding,
    nas,
    offering,
    preparing,
    resource_class,
)
from tests.support.controllerrig import Rig

STATE = "nas:fake-system/node-1"
MADE = finalized(allocated(claim()))
UID = "uid-claim"


@dataclass
class Repairing(Rig):
    """A rig whose clock is wound past the grace."""

    def __init__(self, *objects: JSON, version: str = "v1alpha2") -> None:
        self.clock = Clock()
        super().__init__(*objects, version=version, clock=self.clock)

    def repair(self, seconds: float = GRACE_SECONDS) -> None:
        assert self.handle(STATE) == "waiting"
        self.clock.now += seconds
        assert self.handle(STATE) == "waiting"

    def repairs(self, kind: Fault) -> float | None:
        name = "fake_dra_controller_repairs_total"
        return self.metrics.registry.get_sample_value(name, {"kind": kind})


def test_devices_of_a_claim_that_is_gone_are_taken_back_and_that_is_told() -> None:
    rig = Repairing(holding(nas(), UID, 0))
    rig.repair()
    assert rig.allocated() == {}
    ((kind, reason, message),) = rig.told()
    assert (kind, reason) == ("NodeAllocationState", Fault.ORPHANED)
    assert UID in message
    assert rig.repairs(Fault.ORPHANED) == 1


def test_nothing_is_done_before_the_grace_has_passed() -> None:
    rig = Repairing(holding(nas(), UID, 0))
    rig.repair(GRACE_SECONDS - 1)
    assert rig.api.writes() == []


def test_devices_that_are_still_prepared_are_no_repair_until_they_are_taken_back() -> None:
    held = preparing(holding(nas(), UID, 0), UID, 0)
    rig = Repairing(held, finalized(claim()))
    rig.repair(ABANDONED_SECONDS)
    assert (rig.allocated(), rig.told()) == ({UID: ["node-1-0"]}, [])
    assert rig.repairs(Fault.ABANDONED) == 0
    rig.repair(PERIOD_SECONDS)
    assert rig.allocated() == {}
    assert [reason for _, reason, _ in rig.told()] == [Fault.ABANDONED]
    assert rig.repairs(Fault.ABANDONED) == 1


def test_a_fault_that_goes_away_begins_anew() -> None:
    rig = Repairing(holding(nas(), UID, 0))
    rig.handle(STATE)
    rig.cache("claims").apply(rig.api.put(rig.resources.claims, MADE))
    rig.clock.now += GRACE_SECONDS
    rig.handle(STATE)
    assert rig.allocated() == {UID: ["node-1-0"]}


def test_a_cache_that_is_behind_is_not_believed() -> None:
    rig = Repairing(holding(nas(), UID, 0))
    rig.api.put(rig.resources.claims, MADE)
    rig.repair()
    assert rig.api.writes() == []


def test_a_list_that_fails_is_tried_again() -> None:
    rig = Repairing(holding(nas(), UID, 0))
    rig.handle(STATE)
    rig.clock.now += GRACE_SECONDS
    rig.api.fault = lambda *_: ConnectFailed("away")
    assert rig.handle(STATE) == "error"
    rig.api.fault = lambda *_: None
    rig.clock.now += 60
    rig.handle(STATE)
    assert rig.allocated() == {}


def test_devices_on_a_node_that_the_claim_is_not_allocated_on_are_taken_back() -> None:
    elsewhere = finalized(allocated(claim(), "node-2"))
    rig = Repairing(holding(nas(), UID, 0), holding(nas("node-2"), UID, 0), elsewhere)
    rig.repair()
    assert rig.allocated("node-1") == {}
    assert rig.allocated("node-2") == {UID: ["node-2-0"]}
    assert rig.repairs(Fault.MISPLACED) == 1


def test_a_claim_that_moved_here_meanwhile_keeps_its_devices() -> None:
    """Its own writes tell the controller more than the list that it has just read."""
    rig = Repairing(holding(nas(), UID, 0), finalized(allocated(claim(), "node-2")))
    rig.handle(STATE)
    rig.clock.now += GRACE_SECONDS

    def come_back(verb: str, _plural: str, _body: JSON | None) -> None:
        here = rig.api.rewrite({**rig.claim(), "status": MADE["status"]})
        rig.cache("claims").written(here)

    listed = rig.api.list

    def list_then_move(resource: object) -> object:
        page = listed(resource)  # type: ignore[arg-type]
        come_back("", "", None)
        return page

    rig.api.list = list_then_move  # type: ignore[method-assign, assignment]
    rig.handle(STATE)
    assert rig.allocated() == {UID: ["node-1-0"]}


def test_a_finalizer_that_somebody_removed_comes_back() -> None:
    rig = Repairing(holding(nas(), UID, 0), allocated(claim()))
    rig.repair()
    assert rig.claim()["metadata"]["finalizers"] == [FAKE.finalizer]
    assert rig.repairs(Fault.UNPROTECTED) == 1


@pytest.mark.parametrize("leaving", [deallocating, deleted])
def test_a_claim_without_our_finalizer_is_freed_nonetheless(
    leaving: Callable[[JSON], JSON],
) -> None:
    given = leaving(finalized(allocated(claim()), "foreign/finalizer"))
    rig = Repairing(holding(nas(), UID, 0), given)
    assert rig.handle("claim:default/claim") == "done"
    assert rig.allocated() == {}
    assert "allocation" not in rig.claim()["status"]
    assert rig.claim()["metadata"]["finalizers"] == ["foreign/finalizer"]


def test_an_allocation_that_is_never_completed_is_given_up_late() -> None:
    rig = Repairing(holding(nas(), UID, 0), finalized(claim()))
    rig.repair(GRACE_SECONDS)
    assert rig.allocated() == {UID: ["node-1-0"]}
    rig.clock.now += ABANDONED_SECONDS
    rig.handle(STATE)
    assert rig.allocated() == {}
    assert rig.claim()["metadata"]["finalizers"] == []


def test_a_lost_entry_comes_back_as_it_is_prepared() -> None:
    rig = Repairing(preparing(nas(), UID, 2), MADE)
    rig.repair()
    assert rig.allocated() == {UID: ["node-1-2"]}
    assert rig.repairs(Fault.LOST) == 1


def test_a_lost_entry_of_a_split_device_comes_back() -> None:
    state = preparing(nas(), UID, 0)
    children = [{"uuid": c, "parentUUID": "node-1-3"} for c in ("x", "y", "z")]
    state["spec"]["preparedDevices"] = {UID: {"fake": {"devices": children}}}
    rig = Repairing(state, MADE)
    rig.repair()
    (entry,) = rig.nas()["spec"]["allocatedClaims"].values()
    assert entry["fake"]["devices"] == [{"uuid": "node-1-3", "split": 3}]
    assert entry["claimInfo"] == {"namespace": "default", "name": "claim"}


def test_a_lost_entry_that_was_not_prepared_is_planned_anew() -> None:
    rig = Repairing(holding(nas(), "uid-other", 0), MADE, resource_class(), _other())
    rig.repair()
    assert rig.allocated()[UID] == ["node-1-1"]


def test_a_lost_entry_of_1_31_gets_the_devices_that_the_allocation_names() -> None:
    made = finalized(device_allocated(device_claim(), "node-1", 5))
    rig = Repairing(nas(), made, device_class(), version="v1alpha3")
    rig.repair()
    assert rig.allocated() == {UID: ["node-1-5"]}


SHARED = nas(devices=1, sharing=["TimeSliced"])


@pytest.mark.parametrize(
    ("state", "client"),
    [
        pytest.param(
            preparing(preparing(SHARED, UID, 0, share=(1, 2)), "uid-other", 0, share=(0, 2)),
            1,
            id="beside-one-that-is-prepared",
        ),
        pytest.param(
            holding(preparing(SHARED, UID, 0, share=(0, 2)), "uid-other", 0, share=(1, 2)),
            0,
            id="beside-one-that-is-allocated",
        ),
        pytest.param(
            preparing(holding(SHARED, "uid-other", 0, share=(0, 2)), "uid-other", 0, share=(0, 2)),
            1,
            id="planned-anew",
        ),
    ],
)
def test_a_lost_share_comes_back_as_the_client_that_it_was(state: JSON, client: int) -> None:
    offer = offering(sharing="TimeSliced", maxClients=2)
    rig = Repairing(state, MADE, *offer, _other())
    rig.repair()
    (device,) = rig.nas()["spec"]["allocatedClaims"][UID]["fake"]["devices"]
    assert device == {"uuid": "node-1-0", "timeSliced": {"client": client, "maxClients": 2}}


@pytest.mark.parametrize(
    "state",
    [
        preparing(preparing(SHARED, UID, 0, share=(0, 2)), "uid-other", 0, share=(0, 2)),
        preparing(holding(SHARED, "uid-other", 0, share=(1, 1)), UID, 0, share=(0, 2)),
        holding(preparing(SHARED, UID, 0, share=(0, 2)), "uid-other", 0),
        holding(preparing(SHARED, UID, 0), "uid-other", 0, share=(0, 2)),
        holding(nas(devices=1), "uid-other", 0, share=(0, 2)),
        holding(nas(devices=1, sharing=["TimeSliced"]), "uid-other", 0, share=(0, 1)),
        holding(preparing(nas(), UID, 0), "uid-other", 0),
        preparing(preparing(nas(), UID, 0), "uid-third", 0),
        preparing(nas(devices=1), UID, 1),
        holding(nas(devices=1), "uid-other", 0),
        nas(status="NotReady"),
    ],
    ids=[
        "the same client",
        "another was promised to be alone",
        "another has the device alone",
        "others have shares of what it had alone",
        "sharing is not offered any more",
        "all shares are taken",
        "allocated to another",
        "prepared for another",
        "not offered",
        "no room",
        "not ready",
    ],
)
def test_a_lost_entry_beyond_repair_is_told_on_the_claim(state: JSON) -> None:
    rig = Repairing(state, MADE, *offering(sharing="TimeSliced", maxClients=2), _other())
    rig.repair()
    assert UID not in rig.allocated()
    reasons = {(kind, reason) for kind, reason, _ in rig.told()}
    assert ("ResourceClaim", Fault.LOST) in reasons


@pytest.mark.parametrize(
    "objects",
    [
        (holding(nas(), UID, 0), MADE),
        (nas(), deleted(MADE)),
        (nas(), allocated(claim(), driver="other")),
        (holding(nas(), UID, 0), deleted(allocated(finalized(claim(), "other")))),
    ],
    ids=["all is well", "on its way down", "not ours", "deleted without our finalizer"],
)
def test_the_rest_is_left_alone(objects: tuple[JSON, ...]) -> None:
    rig = Repairing(*objects)
    rig.repair()
    assert rig.api.writes() == []


def test_a_state_that_cannot_be_read_is_told() -> None:
    rig = Repairing(nas(allocatedClaims={"u": 3}))
    assert rig.handle(STATE) == "blocked"
    ((kind, _, message),) = rig.told()
    assert kind == "NodeAllocationState"
    assert "allocatedClaims" in message


def test_a_state_that_is_gone_is_forgotten() -> None:
    rig = Repairing()
    assert rig.handle(STATE) == "done"


WAYS: list[tuple[str, Callable[[Repairing], None]]] = [
    ("node deleted", lambda rig: rig.cache("states").remove(rig.nas())),
    ("never there", lambda rig: None),
]


@pytest.mark.parametrize("way", [way for _, way in WAYS], ids=[name for name, _ in WAYS])
def test_a_deleted_node_never_blocks_the_deletion_of_a_claim(
    way: Callable[[Repairing], None],
) -> None:
    states = [holding(preparing(nas(), UID, 0), UID, 0)] if way is WAYS[0][1] else []
    rig = Repairing(*states, deleted(MADE))
    way(rig)
    assert rig.handle("claim:default/claim") == "done"
    with pytest.raises(KeyError):
        rig.claim()


def test_the_end_of_a_claim_wakes_the_nodes_that_still_hold_it() -> None:
    rig = Repairing(holding(nas(), UID, 0), MADE)
    rig.queued()
    rig.cache("claims").remove(rig.claim())
    assert rig.queued() == [STATE]


def _other() -> JSON:
    return finalized(allocated(claim("other")))
