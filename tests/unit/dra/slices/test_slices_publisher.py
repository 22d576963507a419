from datetime import timedelta

import pytest

from api.objects import JSON
from api.resources import NODES
from devcluster.apiserver.resourceapi import structured
from dra.errors import LimitExceeded
from dra.inventory import Device, Effect, Inventory, Pool, Taint
from dra.publish.slices.publisher import LONGEST_PAUSE, LOOK_SECONDS
from kube.errors import Conflict, ConnectFailed, Forbidden, KubeError, ReadTimeout
from tests.support.backups import Backup
from tests.support.slicerig import CLAIMS, DRIVER, NODE, SliceRig, named


@pytest.fixture
def rig() -> SliceRig:
    return SliceRig()


def test_an_inventory_becomes_slices_of_the_node(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0", {"index": 0}, {"memory": "80Gi"}))
    (slice_,) = rig.slices
    assert slice_["spec"] == {
        "driver": DRIVER,
        "nodeName": NODE,
        "pool": {"name": NODE, "generation": 1, "resourceSliceCount": 1},
        "devices": [
            {
                "name": "gpu-0",
                "attributes": {"index": {"int": 0}},
                "capacity": {"memory": {"value": "80Gi"}},
            }
        ],
    }
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": NODE,
        "uid": "uid-node-1",
        "controller": True,
    }
    assert slice_["metadata"]["ownerReferences"] == [owner]


def test_own_writes_are_not_looked_at_again(rig: SliceRig) -> None:
    for number, verbs in ((200, ["create"] * 4), (100, ["update"] * 2 + ["delete"] * 2)):
        rig.publisher.update(Inventory.of(*named([f"gpu-{each}" for each in range(number)])))
        assert rig.work() == 1
        assert rig.writes() == verbs
        rig.look()
        assert rig.work() == 0


def test_devices_that_select_nodes_are_in_slices_without_a_node(rig: SliceRig) -> None:
    match = {"key": "rack", "operator": "In", "values": ["r1"]}
    selector = {"nodeSelectorTerms": [{"matchExpressions": [match]}]}
    rig.publish(Device("gpu-0"))
    rig.publish(Device("gpu-0"), Device("fabric", node_selector=selector))
    (slice_,) = rig.slices
    assert slice_["spec"]["perDeviceNodeSelection"] is True
    assert "nodeName" not in slice_["spec"]
    assert slice_["spec"]["devices"] == [
        {"name": "gpu-0", "nodeName": NODE},
        {"name": "fabric", "nodeSelector": selector},
    ]
    rig.start()
    rig.writes()
    rig.offer(Inventory())
    assert rig.writes() == ["delete"]


def test_nothing_is_changed_before_there_is_an_inventory(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    rig.start()
    rig.work()
    assert rig.devices == ["gpu-0"]


def test_a_restart_writes_nothing(rig: SliceRig) -> None:
    rig.publish(*named(["gpu-0", "gpu-1"]))
    rig.writes()
    rig.start()
    rig.publish(*named(["gpu-0", "gpu-1"]))
    assert rig.writes() == []


def test_a_pool_that_is_offered_no_more_is_deleted_after_a_restart_too(rig: SliceRig) -> None:
    rig.offer(Inventory((Pool("one", (Device("a"),)), Pool("two", (Device("b"),)))))
    rig.start()
    rig.offer(Inventory((Pool("one", (Device("a"),)),)))
    assert rig.devices == ["a"]


def test_slices_of_other_nodes_are_left_alone(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    other = rig.slices[0]
    other["metadata"] = {"name": "other", "uid": "uid-other"}
    other["spec"]["nodeName"] = "node-2"
    rig.api.put(rig.server.slices, other)
    rig.start()
    rig.offer(Inventory())
    assert [each["metadata"]["name"] for each in rig.slices] == ["other"]


def test_the_wipe_of_a_kubelet_is_answered_at_once(rig: SliceRig) -> None:
    rig.publish(*named([f"gpu-{number}" for number in range(70)]))
    for each in rig.slices:
        rig.api.remove(rig.server.slices, each["metadata"]["name"])
    rig.look()
    rig.work()
    assert len(rig.devices) == 70


def test_the_uid_of_a_replaced_node_is_read_after_a_deletion(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    rig.api.put(NODES, {"metadata": {"name": NODE, "uid": "uid-anew"}})
    rig.api.remove(rig.server.slices, rig.slices[0]["metadata"]["name"])
    rig.look()
    rig.work()
    assert rig.slices[0]["metadata"]["ownerReferences"][0]["uid"] == "uid-anew"


def test_a_forged_slice_is_mended_at_once(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    forged = rig.slices[0]
    forged["spec"]["devices"] = [{"name": "gold"}]
    rig.api.rewrite(forged)
    rig.look()
    rig.work()
    assert rig.devices == ["gpu-0"]


def test_a_slice_that_a_restore_of_etcd_brings_back_is_mended_at_once(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    backup = Backup.of(rig.api._storage)
    rig.publish(Device("gpu-0"), Device("gpu-1"))
    rig.look()
    backup.restore(rig.api._storage)
    assert rig.devices == ["gpu-0"]
    rig.look()
    rig.work()
    assert rig.devices == ["gpu-0", "gpu-1"]


def test_registration_looks_anew(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    rig.publisher.republish()
    assert rig.work() == 1


PASSING = [
    pytest.param(Conflict(409, "Conflict", "changed"), id="conflict"),
    pytest.param(Forbidden(403, "Forbidden", "no"), id="forbidden"),
    pytest.param(ConnectFailed("no connection"), id="away"),
]


@pytest.mark.parametrize("error", PASSING)
def test_a_failure_is_told_once_and_what_failed_is_tried_again(
    rig: SliceRig, error: KubeError, caplog: pytest.LogCaptureFixture
) -> None:
    rig.api.fault = lambda verb, _plural, _body: error if verb == "create" else None
    rig.publish(Device("gpu-0"))
    rig.retry()
    assert [r for r in caplog.records if "Failed" in r.message] != []
    assert len([r for r in caplog.records if "Failed" in r.message]) == 1
    rig.api.fault = lambda _verb, _plural, _body: None
    rig.retry()
    assert rig.devices == ["gpu-0"]


def test_a_node_that_does_not_exist_is_named_with_the_setting(
    rig: SliceRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.api.remove(NODES, NODE)
    rig.publish(Device("gpu-0"))
    (record,) = [each for each in caplog.records if "Failed" in each.message]
    assert f"Node {NODE} does not exist; set --node-name (NODE_NAME)" in str(record.__dict__)


def test_a_long_failure_is_tried_again_twice_a_minute(rig: SliceRig) -> None:
    rig.api.fault = lambda verb, *_: ConnectFailed("away") if verb == "create" else None
    rig.publish(Device("gpu-0"))
    for _ in range(20):
        rig.retry()
    rig.api.fault = lambda *_: None
    rig.clock.advance(LONGEST_PAUSE)
    rig.queue.add_after("nothing", 0)
    rig.work()
    assert rig.devices == ["gpu-0"]


def test_a_create_whose_answer_was_lost_gives_no_second_slice(rig: SliceRig) -> None:
    lost = [ReadTimeout("no answer")]

    def answered() -> None:
        if lost and rig.slices:
            raise lost.pop()

    rig.api.answered = answered
    rig.publish(Device("gpu-0"))
    rig.retry()
    rig.retry()
    assert rig.devices == ["gpu-0"]
    assert len(rig.slices) == 1


def test_an_inventory_beyond_a_limit_is_refused_and_the_old_one_stays(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    with pytest.raises(LimitExceeded, match=r"device 'GPU'.*no DNS label of at most 63"):
        rig.publish(Device("GPU"))
    assert rig.devices == ["gpu-0"]


def test_an_allocated_device_stays_with_a_taint_until_it_is_free(rig: SliceRig) -> None:
    rig.publish(*named(["gpu-0", "gpu-1"]))
    rig.allocate((NODE, "gpu-1"))
    rig.publish(Device("gpu-0"))
    assert rig.devices == ["gpu-0", "gpu-1"]
    (taint,) = rig.device("gpu-1")["taints"]
    assert (taint["key"], taint["effect"]) == (f"{DRIVER}/removed", "NoSchedule")
    rig.allocate()
    rig.publisher.allocation_changed()
    rig.work()
    assert rig.devices == ["gpu-0"]


def test_a_device_that_is_given_out_while_it_leaves_comes_back(rig: SliceRig) -> None:
    """By a scheduler that has not heard of the change."""
    rig.publish(*named(["gpu-0", "gpu-1"]))
    rig.allocate_late((NODE, "gpu-1"))
    rig.publish(Device("gpu-0"))
    assert rig.devices == ["gpu-0"]
    rig.retry()
    assert rig.devices == ["gpu-0", "gpu-1"]
    assert rig.device("gpu-1")["taints"][0]["key"] == f"{DRIVER}/removed"
    rig.allocate()
    rig.retry()
    assert rig.devices == ["gpu-0"]
    rig.retry()
    rig.api.calls.clear()
    rig.retry()
    assert rig.api.calls == []


def test_a_device_that_an_administrator_watches_too_stays_shared(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0", shared=True))
    found = {"request": "r", "driver": DRIVER, "pool": NODE, "device": "gpu-0"}
    results = [{**found, "shareID": "s"}, {**found, "adminAccess": True}]
    claim = {"metadata": {"name": "claim", "namespace": "default"}}
    for number, ordered in enumerate((results, results[::-1])):
        status = {"allocation": {"devices": {"results": ordered}}}
        rig.api.put(CLAIMS, {**claim, "status": status})
        rig.publish(Device("gpu-0", {"index": number}))
        assert rig.device("gpu-0")["allowMultipleAllocations"] is True


def test_a_device_that_was_kept_goes_without_a_word_too(rig: SliceRig) -> None:
    rig.publish(*named(["gpu-0", "gpu-1"]))
    rig.allocate((NODE, "gpu-1"))
    rig.publish(Device("gpu-0"))
    rig.allocate()
    rig.clock.advance(LOOK_SECONDS)
    rig.queue.add_after("nothing", 0)
    rig.work()
    assert rig.devices == ["gpu-0"]


def test_claims_are_not_listed_while_no_device_leaves(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    rig.publish(Device("gpu-0", {"index": 1}), Device("gpu-1"))
    lists = ("list", "resourceclaims", "")
    assert lists not in rig.api.calls
    rig.publish(Device("gpu-1"))
    assert rig.api.calls.count(lists) == 1


def test_an_allocated_device_keeps_its_pool(rig: SliceRig) -> None:
    rig.offer(Inventory((Pool("one", (Device("a"), Device("b"))),)))
    rig.allocate(("one", "b"))
    rig.offer(Inventory())
    assert rig.devices == ["b"]


def test_a_device_that_comes_back_loses_the_taint(rig: SliceRig) -> None:
    rig.publish(Device("gpu-0"))
    rig.allocate((NODE, "gpu-0"))
    rig.publish()
    rig.publish(Device("gpu-0"))
    assert "taints" not in rig.device("gpu-0")


def test_nothing_is_written_while_it_is_not_known_what_is_allocated(rig: SliceRig) -> None:
    rig.publish(*named(["gpu-0", "gpu-1"]))
    refused = Forbidden(403, "Forbidden", "list resourceclaims")
    rig.api.fault = lambda _verb, plural, _body: refused if plural == "resourceclaims" else None
    rig.publish(Device("gpu-0"))
    assert rig.devices == ["gpu-0", "gpu-1"]


def test_an_error_in_the_driver_is_told_and_what_failed_is_tried_again(
    rig: SliceRig, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_verb: str, plural: str, _body: object) -> None:
        if plural == "resourceclaims":
            raise RuntimeError("bug")

    rig.publish(Device("gpu-0"), Device("gpu-1"))
    rig.api.fault = broken
    rig.publish(Device("gpu-0"))
    assert [r.exc_info is not None for r in caplog.records if r.levelname == "ERROR"] == [True]
    rig.api.fault = lambda *_: None
    rig.retry()
    assert rig.devices == ["gpu-0"]


def test_values_that_others_change_are_told_and_not_fought_over(
    rig: SliceRig, caplog: pytest.LogCaptureFixture
) -> None:
    def change(body: JSON) -> None:
        for device in body["spec"]["devices"]:
            device["attributes"]["index"]["int"] = 7

    rig.api.admit = change
    rig.publish(Device("gpu-0", {"index": 0}))
    rig.publish(Device("gpu-0", {"index": 0}))
    assert rig.writes() == ["create"]
    assert [r.message for r in caplog.records] == ["Values changed"]


def test_a_taint_keeps_its_time_when_its_slice_is_written_again(rig: SliceRig) -> None:
    tainted = Device("gpu-0", taints=(Taint("a", Effect.NO_EXECUTE),))
    rig.publish(tainted)
    rig.api.now += timedelta(hours=1)
    rig.writes()
    rig.publish(tainted, Device("gpu-1"))
    assert rig.device("gpu-0")["taints"][0]["timeAdded"] == "2026-01-01T00:00:00Z"
    assert rig.writes() == ["update"]
    rig.publisher.republish()
    rig.work()
    assert rig.writes() == []


def test_quantities_that_the_server_writes_anew_are_no_difference(rig: SliceRig) -> None:
    def canonical(body: JSON) -> None:
        body["spec"]["devices"][0]["capacity"]["memory"]["value"] = "1Gi"

    rig.api.admit = canonical
    rig.publish(Device("gpu-0", capacity={"memory": "1024Mi"}))
    rig.start()
    rig.writes()
    rig.publish(Device("gpu-0", capacity={"memory": "1024Mi"}))
    assert rig.writes() == []


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_each_version_is_written_and_read(version: str) -> None:
    rig = SliceRig(structured(37, version))
    rig.publish(Device("gpu-0", {"index": 0}), Device("gpu-1"))
    raw = rig.api.all(rig.server.slices)[0]
    index = {"attributes": {"index": {"int": 0}}}
    nested = version == "v1beta1"
    assert raw["spec"]["devices"][0] == {"name": "gpu-0"} | ({"basic": index} if nested else index)
    rig.start()
    rig.writes()
    rig.publish(Device("gpu-0", {"index": 0}), Device("gpu-1"))
    assert rig.writes() == []


def test_another_version_is_taken_when_the_one_in_use_is_served_no_more() -> None:
    rig = SliceRig(structured(37, "v1beta1"))
    rig.publish(Device("gpu-0"))
    for each in rig.slices:
        rig.api.remove(rig.server.slices, each["metadata"]["name"])
    rig.store.replace([], rig.api.version())
    rig.api.serve(structured())
    rig.work()
    rig.retry()
    assert rig.server.slices.version == "v1"
    assert rig.devices == ["gpu-0"]
