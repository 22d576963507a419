import copy
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.errors import MalformedState
from api.nas import (
    AllocatedClaim,
    AllocatedDevice,
    Device,
    Heartbeat,
    NodeAllocationState,
    PreparedDevice,
    Share,
    allocated_patch,
    heartbeat_patch,
    inventory_patch,
    new_nas,
    parse_nas,
    prepared_patch,
    status_patch,
)
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.sharing import Clients
from devcluster.apiserver.patch import merge_patch
from tests.support import build

SEED: JSON = {
    "apiVersion": "nas.fake.resource.3-shake.com/v1alpha1",
    "kind": "NodeAllocationState",
    "metadata": {"name": "node-1", "namespace": "fake-system", "resourceVersion": "7"},
    "spec": {
        "allocatableDevice": [{"fake": {"name": "M", "uuid": "FAKE-1"}}],
        "allocatedClaims": {"u1": {"fake": {"devices": [{"split": 2, "uuid": "FAKE-1"}]}}},
        "preparedDevices": {
            "u1": {"fake": {"devices": [{"parentUUID": "FAKE-1", "uuid": "FAKE-2"}]}}
        },
    },
    "status": "Ready",
}


def patched(obj: JSON, patch: JSON) -> Any:
    return merge_patch(obj, patch)


def allocation(*ids: str, split: int = 0, name: str = "c") -> AllocatedClaim:
    devices = tuple(AllocatedDevice(DeviceID(i), split) for i in ids)
    return AllocatedClaim(devices, "default", name)


def test_the_object_of_the_first_driver_is_read() -> None:
    state = parse_nas(SEED, FAKE.device_key)
    assert (state.node, state.namespace, state.resource_version) == ("node-1", "fake-system", "7")
    assert state.ready
    assert state.allocatable == (Device(DeviceID("FAKE-1"), "M"),)
    assert state.allocated == {"u1": AllocatedClaim((AllocatedDevice(DeviceID("FAKE-1"), 2),))}
    child = PreparedDevice(DeviceID("FAKE-2"), DeviceID("FAKE-1"))
    assert state.prepared == {"u1": (child,)}
    assert state.used() == {"FAKE-1"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": None, "status": None}, id="nothing"),
        pytest.param({"spec": {}, "status": ""}, id="empty"),
        pytest.param({"spec": {"more": 1}, "status": None, "extra": 2}, id="unknown-fields"),
    ],
)
def test_an_object_without_content_offers_nothing(change: JSON) -> None:
    state = parse_nas({**SEED, **change}, FAKE.device_key)
    assert (state.allocatable, dict(state.allocated), dict(state.prepared)) == ((), {}, {})
    assert not state.ready
    assert state.used() == frozenset()


def test_what_a_newer_driver_adds_is_ignored() -> None:
    device = {"fake": {"name": "M", "uuid": "FAKE-1", "memory": 1}, "taints": []}
    claim = {"fake": {"devices": [{"uuid": "FAKE-1", "share": 1}], "mode": "x"}}
    spec = {"allocatableDevice": [device], "allocatedClaims": {"u1": claim}}
    assert parse_nas({**SEED, "spec": spec}, FAKE.device_key).used() == {"FAKE-1"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param({"status": "Sleepy"}, "status: Must be one of: Ready, NotReady.", id="status"),
        pytest.param({"status": 1}, "status: Not a valid string.", id="status-number"),
        pytest.param({"spec": [1]}, "spec: Invalid input type.", id="spec-list"),
        pytest.param(
            {"spec": {"allocatableDevice": {}}}, "spec.allocatableDevice: ", id="devices-map"
        ),
        pytest.param(
            {"spec": {"allocatableDevice": [{"fake": {"name": "M"}}]}},
            "spec.allocatableDevice.0.fake.uuid: Missing data",
            id="device-without-id",
        ),
        pytest.param(
            {"spec": {"allocatableDevice": [{"gpu": {}}]}},
            "spec.allocatableDevice.0.fake: Missing data",
            id="device-of-other-type",
        ),
        pytest.param(
            {"spec": {"allocatedClaims": {"u1": {"fake": {}}}}},
            "spec.allocatedClaims.u1.fake.devices: Missing data",
            id="claim-without-devices",
        ),
        pytest.param(
            {"spec": {"allocatedClaims": {"u1": {"fake": {"devices": [{"uuid": ""}]}}}}},
            "spec.allocatedClaims.u1.fake.devices.0.uuid: Length",
            id="empty-id",
        ),
        pytest.param(
            {
                "spec": {
                    "allocatedClaims": {"u": {"fake": {"devices": [{"uuid": "x", "split": -1}]}}}
                }
            },
            "spec.allocatedClaims.u.fake.devices.0.split: Must be",
            id="negative-split",
        ),
        pytest.param(
            {
                "spec": {
                    "allocatedClaims": {
                        "u": {"fake": {"devices": [{"uuid": "x", "timeSliced": {"client": 0}}]}}
                    }
                }
            },
            "spec.allocatedClaims.u.fake.devices.0.timeSliced.maxClients: Missing data",
            id="client-of-how-many",
        ),
        pytest.param(
            {"spec": {"preparedDevices": {"u1": None}}},
            "spec.preparedDevices.u1: Field may not be null.",
            id="null-entry",
        ),
    ],
)
def test_a_malformed_object_is_named_with_field_and_remedy(change: JSON, found: str) -> None:
    with pytest.raises(MalformedState) as caught:
        parse_nas({**SEED, **change}, FAKE.device_key)
    text = str(caught.value)
    assert text.startswith(f"NodeAllocationState fake-system/node-1 is malformed: {found}")
    assert text.endswith("correct the field, or delete the object and its plugin makes it anew")


def test_a_new_object_is_empty_and_owned_by_its_node() -> None:
    made = new_nas(NodeName("node-1"), "fake-system", "uid-node-1")
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "uid-node-1"}
    assert made["metadata"]["ownerReferences"] == [owner]
    assert parse_nas(made, FAKE.device_key) == NodeAllocationState(
        NodeName("node-1"), "fake-system"
    )


def test_an_inventory_keeps_its_order_and_what_the_controller_wrote() -> None:
    devices = [Device(DeviceID(i), "M") for i in ("FAKE-2", "FAKE-1")]
    after = patched(
        SEED, inventory_patch(parse_nas(SEED, FAKE.device_key), devices, FAKE.device_key)
    )
    assert parse_nas(after, FAKE.device_key).allocatable == tuple(devices)
    assert after["spec"]["allocatedClaims"] == SEED["spec"]["allocatedClaims"]
    assert after["summary"] == {"devices": 2, "free": 1, "used": 1}


def test_a_device_that_is_gone_but_held_is_used_and_not_free() -> None:
    patch = inventory_patch(parse_nas(SEED, FAKE.device_key), [], FAKE.device_key)
    assert patch["summary"] == {"devices": 0, "free": 0, "used": 1, "shared": None}


def test_allocations_are_guarded_by_the_version_they_were_decided_on() -> None:
    assert allocated_patch(parse_nas(SEED, FAKE.device_key), {}, FAKE.device_key)["metadata"] == {
        "resourceVersion": "7"
    }


def test_an_allocation_says_whose_it_is() -> None:
    patch = allocated_patch(
        parse_nas(build.nas(), FAKE.device_key),
        {ClaimUID("u"): allocation("node-1-0", split=2, name="few")},
        FAKE.device_key,
    )
    assert patch["spec"]["allocatedClaims"]["u"] == {
        "claimInfo": {"name": "few", "namespace": "default"},
        "fake": {"devices": [{"split": 2, "uuid": "node-1-0"}]},
    }
    assert patch["summary"] == {"devices": 8, "free": 7, "used": 1, "shared": None}


def test_the_last_claim_takes_the_map_with_it() -> None:
    after = patched(SEED, allocated_patch(parse_nas(SEED, FAKE.device_key), {}, FAKE.device_key))
    assert "allocatedClaims" not in after["spec"]
    assert after["spec"]["preparedDevices"] == SEED["spec"]["preparedDevices"]


def test_a_claim_that_did_not_change_is_not_written() -> None:
    state = parse_nas(SEED, FAKE.device_key)
    patch = allocated_patch(
        state, {**state.allocated, ClaimUID("u2"): allocation("FAKE-9")}, FAKE.device_key
    )
    assert list(patch["spec"]["allocatedClaims"]) == ["u2"]


def test_a_prepared_claim_is_added_and_removed() -> None:
    whole = PreparedDevice(DeviceID("FAKE-3"))
    added = patched(SEED, prepared_patch({ClaimUID("u2"): (whole,)}, FAKE.device_key, last=False))
    assert added["spec"]["preparedDevices"]["u2"] == {"fake": {"devices": [{"uuid": "FAKE-3"}]}}
    removed = patched(added, prepared_patch({ClaimUID("u2"): None}, FAKE.device_key, last=False))
    assert removed == SEED
    emptied = patched(removed, prepared_patch({ClaimUID("u1"): None}, FAKE.device_key, last=True))
    assert "preparedDevices" not in emptied["spec"]
    assert emptied["spec"]["allocatedClaims"] == SEED["spec"]["allocatedClaims"]


def test_clients_of_a_device_are_shown_by_claim_and_by_device() -> None:
    state = parse_nas(build.nas(devices=2), FAKE.device_key)
    given = {
        ClaimUID(f"u{n}"): AllocatedClaim((AllocatedDevice(DeviceID("node-1-0"), 0, Share(n, 3)),))
        for n in (0, 1)
    }
    patch = allocated_patch(state, given, FAKE.device_key)
    (device,) = patch["spec"]["allocatedClaims"]["u1"]["fake"]["devices"]
    assert device == {"uuid": "node-1-0", "timeSliced": {"client": 1, "maxClients": 3}}
    shared = [{"uuid": "node-1-0", "clients": 2, "maxClients": 3}]
    assert patch["summary"] == {"devices": 2, "free": 1, "used": 1, "shared": shared}
    after = patched(
        patched(build.nas(devices=2), patch), allocated_patch(state, {}, FAKE.device_key)
    )
    assert "shared" not in after["summary"]


def share(number: int, most: int = 3) -> AllocatedDevice:
    return AllocatedDevice(DeviceID("d"), 0, Share(number, most))


ALONE = AllocatedDevice(DeviceID("d"))


@pytest.mark.parametrize(
    ("allocated", "prepared", "clients"),
    [
        pytest.param([], [], None, id="free"),
        pytest.param([ALONE], [], None, id="alone"),
        pytest.param([share(0), ALONE], [], None, id="shared-and-alone"),
        pytest.param([share(0)], [], Clients(frozenset({0}), 1, 3), id="one"),
        pytest.param(
            [share(2), share(0, 2)], [], Clients(frozenset({0, 2}), 2, 2), id="smallest-promise"
        ),
        pytest.param([share(0)], [share(0)], Clients(frozenset({0}), 1, 3), id="prepared-too"),
        pytest.param(
            [share(0)], [share(1)], Clients(frozenset({0, 1}), 2, 3), id="prepared-as-another"
        ),
        pytest.param([None], [share(1)], Clients(frozenset({1}), 1, 3), id="prepared-only"),
        pytest.param([share(0)], [ALONE], None, id="prepared-alone"),
        pytest.param(
            [share(0), share(0)], [], Clients(frozenset({0}), 2, 3), id="two-with-one-number"
        ),
    ],
)
def test_who_shares_a_device(
    allocated: list[AllocatedDevice | None],
    prepared: list[AllocatedDevice],
    clients: Clients | None,
) -> None:
    state = NodeAllocationState(
        NodeName("n"),
        "",
        allocated={ClaimUID(f"u{n}"): AllocatedClaim((d,)) for n, d in enumerate(allocated) if d},
        prepared={
            ClaimUID(f"u{n}"): (PreparedDevice(d.id, share=d.share),)
            for n, d in enumerate(prepared)
        },
    )
    assert state.clients().get(DeviceID("d")) == clients


@pytest.mark.parametrize("status", ["Ready", "NotReady"])
def test_the_status_changes_alone(status: str) -> None:
    assert patched(SEED, status_patch(status)) == {**SEED, "status": status}


def test_a_heartbeat_changes_nothing_else_and_is_read_again() -> None:
    beating = patched(SEED, heartbeat_patch(Heartbeat("then", 150)))
    assert beating == {**SEED, "heartbeat": {"renewTime": "then", "durationSeconds": 150}}
    assert parse_nas(beating, FAKE.device_key).heartbeat == Heartbeat("then", 150)
    ended = patched(beating, heartbeat_patch(Heartbeat("now")))
    assert ended == {**SEED, "heartbeat": {"renewTime": "now"}}
    assert parse_nas(ended, FAKE.device_key).heartbeat == Heartbeat("now", None)
    assert parse_nas(SEED, FAKE.device_key).heartbeat is None


ids = st.integers(0, 9).map(lambda n: DeviceID(f"FAKE-{n}"))
uids = st.sampled_from([ClaimUID(uid) for uid in "abcd"])
shares = st.none() | st.builds(Share, st.integers(0, 9), st.integers(1, 9))
allocated_devices = st.builds(AllocatedDevice, ids, st.integers(0, 16), shares)
claims = st.builds(
    AllocatedClaim, st.lists(allocated_devices, max_size=3).map(tuple), st.text(), st.text()
)
allocations = st.dictionaries(uids, claims)
prepared_devices = st.builds(PreparedDevice, ids, st.none() | ids, shares)
preparations = st.dictionaries(uids, st.lists(prepared_devices, max_size=3).map(tuple))
inventories = st.lists(st.builds(Device, ids, st.text()), max_size=4)
foreign = st.dictionaries(st.sampled_from(["taints", "shares"]), st.integers() | st.text())


def written(allocated: Any, prepared: Any, devices: Any, extra: JSON) -> Any:
    """Return an object with this content, as the patches of its writers make it."""
    obj: Any = copy.deepcopy({**SEED, "spec": extra, "custom": extra})
    for patch in (
        inventory_patch(parse_nas(obj, FAKE.device_key), devices, FAKE.device_key),
        allocated_patch(parse_nas(obj, FAKE.device_key), allocated, FAKE.device_key),
        prepared_patch(prepared, FAKE.device_key, last=not prepared),
    ):
        obj = patched(obj, patch)
    return obj


@given(allocations, allocations, preparations, inventories, foreign)
def test_an_allocated_patch_makes_what_was_intended_and_nothing_else(
    before: Any, after: Any, prepared: Any, devices: Any, extra: JSON
) -> None:
    obj = written(before, prepared, devices, extra)
    new = patched(obj, allocated_patch(parse_nas(obj, FAKE.device_key), after, FAKE.device_key))
    state = parse_nas(new, FAKE.device_key)
    assert dict(state.allocated) == after
    assert (dict(state.prepared), list(state.allocatable)) == (prepared, devices)
    assert {k: v for k, v in new["spec"].items() if k in extra} == extra
    assert (new["custom"], new["status"]) == (extra, "Ready")
    used = {d.id for claim in after.values() for d in claim.devices}
    free = [d for d in devices if d.id not in used]
    counts = {"devices": len(devices), "free": len(free), "used": len(used)}
    shown = new["summary"].pop("shared", [])
    assert new["summary"] == counts
    clients = {each["uuid"]: each["clients"] for each in shown}
    held = Counter(d.id for claim in after.values() for d in claim.devices if d.share)
    assert clients == held


@given(preparations, preparations, allocations, foreign)
def test_a_prepared_patch_makes_what_was_intended_and_nothing_else(
    before: Any, after: Any, allocated: Any, extra: JSON
) -> None:
    obj = written(allocated, before, [], extra)
    changes = {uid: after.get(uid) for uid in {**before, **after}}
    new = patched(obj, prepared_patch(changes, FAKE.device_key, last=not after))
    assert dict(parse_nas(new, FAKE.device_key).prepared) == after
    assert {**new, "spec": None} == {**obj, "spec": None}
    others = [{k: v for k, v in o["spec"].items() if k != "preparedDevices"} for o in (new, obj)]
    assert others[0] == others[1]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=6,
)
likely = st.sampled_from(
    ["allocatableDevice", "allocatedClaims", "preparedDevices", "fake", "devices", "uuid", "name"]
)
documents = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(likely, inner, max_size=3),
    max_leaves=8,
)


def refusal(obj: JSON) -> str | None:
    try:
        parse_nas(obj, FAKE.device_key)
    except MalformedState as error:
        return str(error)
    return None


@given(documents, json_values)
def test_whatever_somebody_writes_is_read_or_refused(spec: object, status: object) -> None:
    start = "NodeAllocationState fake-system/node-1 is malformed: "
    assert (refusal({**SEED, "spec": spec, "status": status}) or start).startswith(start)
