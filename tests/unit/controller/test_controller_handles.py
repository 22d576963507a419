"""Allocations that stand in the claims: what is written when, and who must know of it."""

import pytest

from api.claims.versions import read_claim
from api.contract import FAKE
from api.handles import given
from api.names import WRITER_ANNOTATION
from api.objects import JSON
from api.resources import STATES
from controller.claims.repair import GRACE_SECONDS
from ops.communication import Communication
from testing.clock import Clock
from tests.support.build import (
    POD_CLAIM,
    SYSTEM,
    claim,
    deallocating,
    deleted,
    device_claim,
    device_class,
    finalized,
    nas,
    pod,
    preparing,
    resource_class,
    scheduling,
    told,
)
from tests.support.controllerrig import Rig

HANDLE = Communication.HANDLE
NODE = f"nas:{SYSTEM}/node-1"


def waiting(name: str, version: str = "v1alpha2", *, node: str = "node-1") -> tuple[JSON, ...]:
    """Return a pod with a claim of its own, for which a node is selected."""
    made = claim(name) if version == "v1alpha2" else device_claim(name)
    selected = scheduling(f"pod-{name}", potential=[node], selected=node)
    return pod(f"pod-{name}", (POD_CLAIM, name)), made, selected


def allocate(rig: Rig, name: str) -> None:
    assert rig.handle(f"psc:default/pod-{name}") == "waiting"


def devices_of(rig: Rig, name: str) -> list[str]:
    """Return the devices that a claim says it has."""
    found = given(read_claim(rig.claim(name)), FAKE)
    return [] if found is None else [device.id for device in found.devices]


@pytest.mark.parametrize("version", ["v1alpha2", "v1alpha3"])
def test_an_entry_leaves_the_nas_when_its_claim_says_the_same(version: str) -> None:
    a_class = resource_class() if version == "v1alpha2" else device_class()
    rig = Rig(a_class, nas(), *waiting("a", version), version=version, communication=HANDLE)
    allocate(rig, "a")
    assert rig.allocated() == {"uid-a": ["node-1-0"]}
    assert devices_of(rig, "a") == ["node-1-0"]
    before = len(rig.api.writes())
    assert rig.handle(NODE) == "waiting"
    assert (rig.allocated(), devices_of(rig, "a")) == ({}, ["node-1-0"])
    assert len(rig.api.writes()) == before + 1
    assert rig.handle(NODE) == "waiting"
    assert len(rig.api.writes()) == before + 1


def test_the_next_allocation_takes_entries_along_that_claims_have_replaced() -> None:
    rig = Rig(resource_class(), nas(), *waiting("a"), *waiting("b"), communication=HANDLE)
    allocate(rig, "a")
    allocate(rig, "b")
    assert rig.allocated() == {"uid-b": ["node-1-1"]}
    assert rig.nas()["summary"] == {"devices": 8}


def test_a_controller_that_is_behind_lists_the_claims_before_it_writes() -> None:
    first = Rig(resource_class(), nas(), *waiting("a"), *waiting("b"), communication=HANDLE)
    second = Rig(api=first.api, communication=HANDLE)
    allocate(first, "a")
    first.handle(NODE)
    # it knows the node as it is, and of no claim that was allocated
    second.cache("states").apply(second.nas())
    allocate(second, "b")
    assert (devices_of(first, "a"), devices_of(second, "b")) == (["node-1-0"], ["node-1-1"])
    begun = len(second.api.calls) - 5
    assert [verb for verb, *_ in second.api.calls[begun:]] == [
        *("patch", "list", "patch", "update", "update")
    ]


def test_a_nas_that_was_made_anew_is_written_by_who_has_listed_the_claims_since() -> None:
    """It names no writer, like the one before it, of which the second controller has seen all."""
    objects = (*waiting("a"), *waiting("b"), *waiting("c", node="node-2"))
    first = Rig(resource_class(), nas(), nas("node-2"), *objects, communication=HANDLE)
    second = Rig(api=first.api, communication=HANDLE)
    allocate(second, "c")
    allocate(first, "a")
    first.handle(NODE)
    first.api.remove(STATES, "node-1", SYSTEM)
    made = nas()
    made["metadata"]["uid"] = "uid-of-another"
    second.see(made)
    allocate(second, "b")
    assert (devices_of(first, "a"), devices_of(second, "b")) == (["node-1-0"], ["node-1-1"])


@pytest.mark.parametrize(
    ("old", "new"), [(Communication.NAS, HANDLE), (HANDLE, Communication.NAS)], ids=str
)
def test_a_change_leaves_devices_with_their_claims(old: Communication, new: Communication) -> None:
    objects = (*waiting("a"), *waiting("b"))
    former = Rig(resource_class(), nas(), *objects, communication=old)
    allocate(former, "a")
    former.handle(NODE)
    rig = Rig(api=former.api, communication=new)
    allocate(rig, "b")
    rig.handle(NODE)
    in_handle, in_nas = ("a", "b") if old is HANDLE else ("b", "a")
    assert devices_of(rig, in_handle) == [f"node-1-{'ab'.index(in_handle)}"]
    assert rig.allocated() == {f"uid-{in_nas}": [f"node-1-{'ab'.index(in_nas)}"]}
    for name in "ab":
        rig.cache("claims").written(rig.api.rewrite(_leaving(rig.claim(name))))
        assert rig.handle(f"claim:default/{name}") == "done"
        assert devices_of(rig, name) == []
    assert rig.allocated() == {}


def _leaving(raw: JSON) -> JSON:
    return deallocating({**raw, "status": {**raw["status"], "reservedFor": []}})


def test_a_nas_tells_all_again_once_no_claim_has_a_handle() -> None:
    former = Rig(resource_class(), nas(), *waiting("a"), *waiting("b"), communication=HANDLE)
    allocate(former, "a")
    assert former.nas()["metadata"]["annotations"][WRITER_ANNOTATION]
    former.handle(NODE)
    former.cache("claims").written(former.api.rewrite(_leaving(former.claim("a"))))
    former.handle("claim:default/a")
    rig = Rig(api=former.api)
    allocate(rig, "b")
    assert rig.nas()["metadata"].get("annotations") in (None, {})
    assert rig.nas()["summary"] == {"devices": 8, "free": 7, "used": 1}


def test_devices_that_a_node_still_shows_as_prepared_are_waited_for() -> None:
    going = deleted(finalized(told(claim("a"), "node-1-0")))
    shown = preparing(nas(), "uid-a", 0)
    rig = Rig(resource_class(), shown, going, communication=HANDLE)
    assert rig.handle("claim:default/a") == "waiting"
    rig.see({**rig.nas(), "spec": nas()["spec"]})
    assert rig.handle("claim:default/a") == "done"


def test_pods_that_wait_for_a_node_hear_of_a_claim_that_frees_its_devices() -> None:
    full = finalized(told(claim("a"), "node-1-0"))
    rig = Rig(resource_class(), nas(devices=1), full, *waiting("b"), communication=HANDLE)
    rig.queued()
    assert rig.handle("psc:default/pod-b") == "blocked"
    cache = rig.cache("claims")
    cache.apply(rig.api.rewrite(_leaving(rig.claim("a"))))
    rig.handle("claim:default/a")
    cache.apply(rig.claim("a"))
    assert "psc:default/pod-b" in rig.queued()


def test_a_handle_that_cannot_be_read_closes_its_node_until_the_claim_is_gone() -> None:
    broken = finalized(told(claim("a"), "node-1-0"))
    broken["status"]["allocation"]["resourceHandles"][0]["data"] = "{}"
    rig = Rig(resource_class(), nas(), broken, *waiting("b"), communication=HANDLE)
    rig.queued()
    assert rig.handle("psc:default/pod-b") == "blocked"
    assert any("default/a was given devices that cannot be read" in each for *_, each in rig.told())
    rig.cache("claims").written(rig.api.rewrite(_leaving(rig.claim("a"))))
    assert rig.handle("claim:default/a") == "done"
    allocate(rig, "b")


def test_a_claim_with_handle_gets_its_finalizer_back() -> None:
    clock = Clock(0.0)
    bare = finalized(told(claim("a"), "node-1-0"))
    bare["metadata"]["finalizers"] = []
    rig = Rig(resource_class(), nas(), bare, communication=HANDLE, clock=clock)
    rig.handle(NODE)
    clock.now += GRACE_SECONDS
    rig.handle(NODE)
    assert rig.claim("a")["metadata"]["finalizers"] == [FAKE.finalizer]
    assert STATES.kind in {kind for kind, *_ in rig.told()}
