"""A plugin that knows by the claim what it was given, and shows nothing in the NAS."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from api.names import PREPARED_ANNOTATION
from api.objects import ClaimUID
from api.resources import DRA_V1ALPHA2, STATES
from dra.claims import ClaimRef
from dra.devicestate.checkpoint import FILE_NAME
from dra.errors import DeviceInUse
from dra.repairs import Repair
from ops.communication import Communication
from tests.support.build import NAMESPACE, claim, told
from tests.support.pluginrig import PluginRig

NAS, HANDLE = Communication.NAS, Communication.HANDLE
Rigs = Callable[[Communication], PluginRig]


@pytest.fixture
def rigs(tmp_path: Path) -> Rigs:
    """Makes a node whose plugin communicates in some way."""
    return lambda how: PluginRig(tmp_path, communication=how)


def given(rig: PluginRig, name: str, *indexes: int, split: int = 0) -> ClaimRef:
    """Allocate devices to a claim that says so itself; return how the kubelet names it."""
    raw = told(claim(name), *(rig.device(index).id for index in indexes), split=split)
    stored = rig.api.put(DRA_V1ALPHA2.claims, raw)
    return ClaimRef(NAMESPACE, name, ClaimUID(stored["metadata"]["uid"]))


@pytest.mark.parametrize(
    ("how", "place"), list(itertools.product((NAS, HANDLE), ("claim", "nas"))), ids=str
)
def test_devices_are_found_in_either_place(rigs: Rigs, how: Communication, place: str) -> None:
    rig = rigs(how)
    ref = given(rig, "a", 0, 2) if place == "claim" else rig.allocate("a", 0, 2)
    rig.driver.prepare(ref)
    devices = [rig.device(0).id, rig.device(2).id]
    assert rig.saved() == rig.injected() == {ref.uid: devices}
    assert rig.shown() == ({ref.uid: devices} if how is NAS else {})
    rig.driver.unprepare(ref)
    assert (rig.saved(), rig.shown(), rig.injected()) == ({}, {}, {})


def test_preparing_makes_no_write_and_reads_nothing_but_the_claim(rigs: Rigs) -> None:
    rig = rigs(HANDLE)
    ref = given(rig, "a", 0, split=2)
    before = len(rig.api.calls)
    rig.driver.prepare(ref)
    rig.driver.unprepare(ref)
    assert rig.api.calls[before:] == [("get", "resourceclaims", "default/a")]


def test_a_second_claim_for_a_prepared_device_is_refused(rigs: Rigs) -> None:
    rig = rigs(HANDLE)
    first, second = given(rig, "a", 0, split=2), given(rig, "b", 0)
    rig.driver.prepare(first)
    with pytest.raises(DeviceInUse, match=r"default/b .* is prepared for ResourceClaim default/a"):
        rig.driver.prepare(second)
    rig.driver.unprepare(first)
    rig.driver.prepare(second)
    assert rig.saved() == {second.uid: [rig.device(0).id]}


def test_prepared_claims_leave_the_nas_and_come_back_as_the_plugin_is_told(rigs: Rigs) -> None:
    rig = rigs(NAS)
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    for how, shown in ((HANDLE, {}), (NAS, {ref.uid: [rig.device(0).id]})):
        rig.communication = how
        rig.restart()
        assert (rig.shown(), rig.saved()) == (shown, {ref.uid: [rig.device(0).id]})
        notes = rig.nas()["metadata"].get("annotations") or {}
        assert (PREPARED_ANNOTATION in notes) == (how is HANDLE)


def test_a_lost_checkpoint_is_made_of_the_files_with_the_parents_of_children(rigs: Rigs) -> None:
    rig = rigs(HANDLE)
    rig.driver.prepare(ref := given(rig, "a", 0, 1, split=2))
    before = rig.saved()
    (rig.directory / FILE_NAME).write_bytes(b"")
    rig.restart()
    assert rig.saved() == before
    assert rig.repairs == [Repair.CHECKPOINT]
    with pytest.raises(DeviceInUse):
        rig.driver.prepare(given(rig, "b", 1))
    rig.driver.unprepare(ref)


def test_what_others_write_as_prepared_is_taken_out(rigs: Rigs) -> None:
    rig = rigs(HANDLE)
    rig.edit_nas({"preparedDevices": {"x": {"fake": {"devices": [{"uuid": "d"}]}}}})
    rig.see()
    rig.publisher.reconcile()
    assert "preparedDevices" not in rig.api.find(STATES, "node-1", "fake-system")["spec"]
