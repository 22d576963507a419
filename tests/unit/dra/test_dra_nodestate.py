from typing import Any
from unittest.mock import Mock

import pytest

from api.contract import FAKE
from api.errors import MalformedState
from api.nas import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.resources import NODES, STATES
from dra.errors import AllocationChanged, NodeStateMissing, NodeUnknown
from dra.publish import nodestate
from dra.publish.nodestate import NodeState, conditional_patch
from dra.publish.owner import find_node_uid, owned_by
from kube.errors import Conflict, KubeError, NotFound
from kube.store import Store
from testing.apiserver import MemoryApi
from tests.support.build import SYSTEM
from tests.support.pluginrig import NODE, PluginRig, node_object

OWNER = {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": "uid-node"}


def test_nas_is_made_with_devices_and_owner(rig: PluginRig) -> None:
    nas = rig.nas()
    assert nas["metadata"]["ownerReferences"] == [OWNER]
    assert nas["spec"]["allocatableDevice"] == [
        {"fake": {"name": "M", "uuid": device.id}} for device in rig.source.devices()
    ]
    assert nas["status"] == "NotReady"
    assert nas["summary"] == {"devices": 8, "free": 8, "used": 0}


def test_ensure_again_writes_nothing(rig: PluginRig) -> None:
    before = rig.api.writes()
    rig.node_state.ensure()
    assert rig.api.writes() == before


def test_nothing_of_others_is_lost(rig: PluginRig) -> None:
    rig.allocate("a", 0)
    rig.api.patch(STATES, NODE, {"metadata": {"labels": {"a": "b"}}}, namespace=SYSTEM)
    rig.source = type(rig.source)(FAKE, NODE, 4, "X")
    rig.restart()
    nas = rig.nas()
    assert list(nas["spec"]["allocatedClaims"]) == ["uid-a"]
    assert nas["metadata"]["labels"] == {"a": "b"}
    assert nas["summary"] == {"devices": 4, "free": 3, "used": 1}
    assert {d["fake"]["name"] for d in nas["spec"]["allocatableDevice"]} == {"X"}


def test_nas_of_a_former_node_gets_the_present_owner(rig: PluginRig) -> None:
    node = node_object()
    node["metadata"]["uid"] = "uid-again"
    rig.api.put(NODES, node)
    rig.node_state.ensure()
    assert [r["uid"] for r in rig.nas()["metadata"]["ownerReferences"]] == ["uid-again"]


def test_owners_of_other_kinds_stay() -> None:
    other = {"kind": "ConfigMap", "uid": "x"}
    raw: JSON = {"metadata": {"ownerReferences": [other, {**OWNER, "uid": "former"}]}}
    assert owned_by(raw, NODE, "uid-node") == [other, OWNER]
    raw = {"metadata": {"ownerReferences": [other, OWNER]}}
    assert owned_by(raw, NODE, "uid-node") is None


def test_node_that_is_not_there() -> None:
    with pytest.raises(NodeUnknown, match="NODE_NAME"):
        find_node_uid(MemoryApi(), NodeName("none"))


def test_conflict_is_tried_again(rig: PluginRig) -> None:
    rig.edit_nas({"allocatableDevice": []})
    conflicts = iter([Conflict(409, "Conflict", "changed", {})])
    rig.api.fault = lambda verb, *_: next(conflicts, None) if verb == "patch" else None
    rig.node_state.ensure()
    assert rig.node_state.intact()


def test_conflict_that_does_not_end_is_told(rig: PluginRig) -> None:
    rig.edit_nas({"allocatableDevice": []})
    rig.api.fault = _always_in_conflict
    with pytest.raises(Conflict):
        rig.node_state.ensure()


def _always_in_conflict(verb: str, _plural: str, _body: Any) -> KubeError | None:
    return Conflict(409, "Conflict", "changed", {}) if verb == "patch" else None


@pytest.mark.parametrize(
    "devices", [[], [{"fake": {"name": "M", "uuid": "FAKE-x"}}]], ids=["none", "others"]
)
def test_damage_is_noticed(rig: PluginRig, devices: list[JSON]) -> None:
    assert rig.node_state.intact()
    rig.edit_nas({"allocatableDevice": devices})
    rig.see()
    assert not rig.node_state.intact()


def test_absence_is_noticed(rig: PluginRig) -> None:
    rig.api.remove(STATES, NODE, SYSTEM)
    rig.see()
    assert not rig.node_state.intact()
    assert rig.node_state.current().resource_version == ""
    with pytest.raises(NodeStateMissing):
        rig.node_state.read()


def test_malformed_nas_is_left_to_people(rig: PluginRig) -> None:
    rig.edit_nas({"allocatableDevice": "none"})
    with pytest.raises(MalformedState, match="allocatableDevice"):
        rig.node_state.ensure()
    assert rig.nas()["spec"]["allocatableDevice"] == "none"


@pytest.mark.parametrize("status", ["Ready", "NotReady"])
def test_status_is_all_that_is_written(rig: PluginRig, status: str) -> None:
    before = rig.nas()
    rig.node_state.set_status(status)
    after = rig.nas()
    assert after["status"] == status
    assert after["spec"] == before["spec"]


def test_own_writes_are_seen_before_the_watch_brings_them(rig: PluginRig) -> None:
    rig.node_state.set_status("Ready")
    assert rig.node_state.current().ready


def test_entries_of_a_nas_that_is_gone_are_gone(rig: PluginRig) -> None:
    rig.api.remove(STATES, NODE, SYSTEM)
    rig.node_state.write_prepared({}, last=True)
    with pytest.raises(NotFound):
        rig.node_state.write_prepared({"uid": ()}, last=False)  # type: ignore[dict-item]


def test_tested_write_replaces_all_entries(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.edit_nas({"preparedDevices": {"uid-x": {"fake": {"devices": []}}}})
    rig.see()
    cached = rig.node_state.cached_allocation(ref.uid)
    assert cached is not None
    rig.node_state.write_tested(
        {ref.uid: (PreparedDevice(DeviceID("D")),)}, {ref.uid: cached.precondition}
    )
    assert rig.shown() == {ref.uid: ["D"]}


def test_tested_write_of_a_former_allocation_changes_nothing(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    before = rig.nas()
    with pytest.raises(AllocationChanged, match="uid-a"):
        rig.node_state.write_tested({ref.uid: ()}, {ref.uid: {"former": True}})
    assert rig.nas() == before


def test_test_of_a_claim_leads_to_its_entry_whatever_its_uid() -> None:
    (test, _) = conditional_patch({}, {ClaimUID("a/b~c"): {"x": 1}}, FAKE.device_key)
    assert test == {"op": "test", "path": "/spec/allocatedClaims/a~1b~0c", "value": {"x": 1}}


def test_each_version_is_parsed_once(rig: PluginRig, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = Mock(wraps=nodestate.parse_nas)
    monkeypatch.setattr(nodestate, "parse_nas", parsed)
    ref = rig.allocate("a", 0)
    rig.see()
    for look in (rig.node_state.current, rig.node_state.intact, rig.publisher.reconcile):
        look()
    rig.node_state.cached_allocation(ref.uid)
    assert parsed.call_count == 1
    rig.node_state.set_status("Ready")
    assert rig.node_state.current().ready
    rig.see()
    assert rig.node_state.intact()
    assert parsed.call_count == 2


def test_claim_without_allocation_is_not_in_the_cache(rig: PluginRig) -> None:
    assert rig.node_state.cached_allocation(ClaimUID("none")) is None
    rig.api.remove(STATES, NODE, SYSTEM)
    rig.see()
    assert rig.node_state.cached_allocation(ClaimUID("none")) is None


def test_cache_is_asked_under_the_name_of_the_node(rig: PluginRig) -> None:
    other = NodeState(rig.api, Store(), NodeName("node-2"), SYSTEM, (), FAKE.device_key)  # type: ignore[arg-type]
    assert not other.intact()
