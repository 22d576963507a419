from pathlib import Path

import pytest

from api.claims.view import Result
from api.contract import FAKE
from api.errors import DriverError
from api.nas import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID
from api.resources import DRA_V1ALPHA2, STATES
from dra.claims import ClaimRef
from dra.devicestate import cdi
from dra.devicestate.checkpoint import FILE_NAME
from dra.errors import CdiWriteFailed, ClaimNotFound, ClaimUidMismatch, NodeStateMissing
from dra.kubelet.answers import AnsweredDevice, flat
from kube.errors import BrokenAnswer
from plugin.classic.driver import FakeDriver, answer, offered
from plugin.devices import FakeDeviceSource
from plugin.errors import DeviceGone, NotInNodeState
from tests.support.build import SYSTEM, allocated, claim
from tests.support.pluginrig import FAKES, NODE, PluginRig


def test_whole_devices_are_offered_in_their_order() -> None:
    source = FakeDeviceSource(FAKE, NODE, 3, "M")
    assert offered(FakeDriver(FAKES, source).discover()) == source.devices()


def test_answer_names_the_common_device_and_the_children_of_each_device(rig: PluginRig) -> None:
    ref = rig.allocate("a", 1, 0, split=2)
    found = rig.driver.prepare(ref)
    children = [rig.source.children(rig.device(i).id, 2) for i in (1, 0)]
    own = [[f"{FAKE.cdi_kind}={ref.uid}-{c}" for c in pair] for pair in children]
    assert flat(found) == (cdi.common_id(FAKE), *own[0], *own[1])
    assert found == tuple(
        AnsweredDevice((), NODE, rig.device(i).id.lower(), (cdi.common_id(FAKE), *ids))
        for i, ids in zip((1, 0), own, strict=True)
    )


def test_nas_shows_children_with_their_parents(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0, split=3)
    rig.driver.prepare(ref)
    parent = rig.device(0).id
    assert rig.nas()["spec"]["preparedDevices"][ref.uid]["fake"]["devices"] == [
        {"uuid": child, "parentUUID": parent} for child in rig.source.children(parent, 3)
    ]


@pytest.mark.parametrize("split", [0, 1])
def test_nas_shows_whole_devices_without_parent(rig: PluginRig, split: int) -> None:
    ref = rig.allocate("a", 0, split=split)
    rig.driver.prepare(ref)
    devices = rig.nas()["spec"]["preparedDevices"][ref.uid]["fake"]["devices"]
    assert devices == [{"uuid": rig.device(0).id}]


def test_requests_are_those_of_the_devices_results() -> None:
    uid = ClaimUID("u")
    devices = tuple(PreparedDevice(DeviceID(f"FAKE-{n}")) for n in "AB")
    results = [Result("r1", "pool", "fake-a"), Result("r2", "pool", "fake-a")]
    found = answer(FAKE, FAKES.claim(uid, "ns", "n", "", devices), results, NODE)
    assert [(g.requests, g.pool, g.device) for g in found] == [
        (("r1", "r2"), "pool", "fake-a"),
        ((), NODE, "fake-b"),
    ]


def test_former_allocation_in_the_watch_cache_is_not_prepared(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.see()
    rig.allocate("a", 5)
    assert rig.driver.prepare(ref)[0].device == rig.device(5).id.lower()
    rig.assert_agreed()
    assert rig.saved() == {ref.uid: [rig.device(5).id]}


def test_allocation_in_the_watch_cache_saves_the_read(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.see()
    before = len(rig.api.calls)
    rig.driver.prepare(ref)
    made = [(verb, plural) for verb, plural, _ in rig.api.calls[before:]]
    assert made == [("get", DRA_V1ALPHA2.claims.plural), ("patch", STATES.plural)]
    rig.assert_agreed()


def test_claim_that_is_prepared_is_looked_at_live(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.see()
    rig.driver.prepare(ref)
    rig.allocate("a", 5)
    assert rig.driver.prepare(ref)[0].device == rig.device(5).id.lower()
    rig.assert_agreed()


def test_former_allocation_of_a_claim_that_has_none_leaves_no_trace(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.see()
    rig.edit_nas({"allocatedClaims": None})
    with pytest.raises(NotInNodeState):
        rig.driver.prepare(ref)
    assert rig.injected() == rig.saved() == rig.shown() == {}


def test_former_allocation_of_a_device_of_another_claim_is_no_reason(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.see()
    rig.allocate("a", 1)
    rig.driver.prepare(rig.allocate("b", 0))
    rig.cache.replace([_with_allocation(rig, ref, 0)], rig.api.version())
    assert rig.driver.prepare(ref)[0].device == rig.device(1).id.lower()
    rig.assert_agreed()


def _with_allocation(rig: PluginRig, ref: ClaimRef, index: int) -> JSON:
    nas = rig.nas()
    nas["metadata"]["resourceVersion"] = "1"
    devices = [{"uuid": rig.device(index).id}]
    nas["spec"]["allocatedClaims"][ref.uid]["fake"]["devices"] = devices
    return nas


def test_claim_that_is_gone_reports_no_event(rig: PluginRig) -> None:
    with pytest.raises(ClaimNotFound):
        rig.driver.prepare(ClaimRef("default", "none", ClaimUID("u")))
    rig.events.warning.assert_not_called()


def test_claim_of_another_uid_is_refused_and_its_owner_hears_nothing(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    with pytest.raises(ClaimUidMismatch):
        rig.driver.prepare(ClaimRef(ref.namespace, ref.name, ClaimUID("former")))
    rig.events.warning.assert_not_called()
    assert rig.saved() == {}


def test_claim_without_devices_in_the_nas(rig: PluginRig) -> None:
    rig.api.put(DRA_V1ALPHA2.claims, allocated(claim("a")))
    with pytest.raises(NotInNodeState, match="default/a"):
        rig.driver.prepare(ClaimRef("default", "a", ClaimUID("uid-a")))
    (call,) = rig.events.warning.call_args_list
    assert call.args[0]["metadata"]["uid"] == "uid-a"
    assert call.args[1] == "PrepareFailed"


@pytest.mark.parametrize("cached", [False, True])
def test_nas_that_is_missing(rig: PluginRig, cached: bool) -> None:
    rig.watching = cached
    ref = rig.allocate("a", 0)
    rig.api.remove(STATES, NODE, SYSTEM)
    with pytest.raises(NodeStateMissing):
        rig.driver.prepare(ref)
    assert rig.injected() == rig.saved() == {}


def test_device_that_the_node_has_no_more(tmp_path: Path) -> None:
    rig = PluginRig(tmp_path)
    ref = rig.allocate("a", 7)
    rig.source = type(rig.source)(FAKE, NODE, 4, "M")
    rig.restart()
    with pytest.raises(DeviceGone, match="not on this node"):
        rig.driver.prepare(ref)


def test_unprepare_needs_neither_claim_nor_nas(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    rig.api.remove(DRA_V1ALPHA2.claims, "a", "default")
    rig.api.remove(STATES, NODE, SYSTEM)
    rig.driver.unprepare(ref)
    assert rig.saved() == rig.injected() == {}


def test_unprepare_of_a_claim_that_never_was(rig: PluginRig) -> None:
    rig.driver.unprepare(ClaimRef("default", "none", ClaimUID("never")))


def successes(rig: PluginRig) -> list[tuple[str, str, str]]:
    calls = rig.events.normal.call_args_list
    return [(call.args[0]["metadata"]["name"], call.args[1], call.args[2]) for call in calls]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(
    ("split", "message"),
    [(0, "2 devices on node node-1"), (3, "6 children of 2 devices on node node-1")],
)
def test_success_is_told_once_however_often_the_kubelet_calls(
    rig: PluginRig, cached: bool, split: int, message: str
) -> None:
    rig.watching = cached
    ref = rig.allocate("a", 0, 1, split=split)
    for _ in range(3):
        rig.driver.prepare(ref)
    assert successes(rig) == [("a", "Prepared", message)]
    rig.restart()
    rig.driver.prepare(ref)
    assert successes(rig) == []


def test_devices_that_only_the_nas_knew_are_told_once(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0, split=2)
    rig.driver.prepare(ref)
    (rig.directory / FILE_NAME).write_bytes(b"")
    for path in rig.cdi_root.iterdir():
        path.unlink()
    rig.restart()
    rig.driver.prepare(ref)
    assert successes(rig) == []


@pytest.mark.parametrize("cached", [False, True])
def test_success_after_a_failure_is_told_once(rig: PluginRig, cached: bool) -> None:
    rig.watching = cached
    ref = rig.allocate("a", 0)
    works = rig.api.fault
    rig.api.fault = lambda verb, *_: BrokenAnswer("lost") if verb == "patch" else None
    with pytest.raises(BrokenAnswer):
        rig.driver.prepare(ref)
    assert successes(rig) == []
    rig.api.fault = works
    for _ in range(2):
        rig.driver.prepare(ref)
    assert successes(rig) == [("a", "Prepared", "1 device on node node-1")]


def test_claim_that_is_prepared_anew_is_told_of_again(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    rig.driver.unprepare(ref)
    rig.driver.prepare(ref)
    rig.allocate("a", 1, 2)
    rig.driver.prepare(ref)
    assert [message for _, _, message in successes(rig)] == [
        "1 device on node node-1",
        "1 device on node node-1",
        "2 devices on node node-1",
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_calls_are_counted_by_result(
    rig: PluginRig, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    ref = rig.allocate("a", 0)
    if fails:
        monkeypatch.setattr(rig.state, "prepare", _fail)
        monkeypatch.setattr(rig.state, "unprepare", _fail)
    for call in (rig.driver.prepare, rig.driver.unprepare):
        try:
            call(ref)
        except DriverError:
            assert fails
    result = "error" if fails else "success"
    for verb in ("prepare", "unprepare"):
        name = f"fake_dra_plugin_{verb}_claims_total"
        assert rig.registry.get_sample_value(name, {"result": result}) == 1


def _fail(*_: object) -> None:
    raise CdiWriteFailed("full")
