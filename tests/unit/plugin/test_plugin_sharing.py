"""Shares of devices on a node: what containers see of them, and who may have them."""

import json

import pytest

from api.objects import JSON
from dra.devicestate.checkpoint import FILE_NAME
from dra.errors import DeviceInUse
from plugin.classic.heartbeat import Heartbeats
from tests.support.pluginrig import PluginRig


def env(rig: PluginRig, uid: str) -> dict[str, str]:
    """Return the variables of the claim's CDI file, but for those with its uid."""
    (path,) = rig.cdi_root.glob(f"*{uid}.json")
    (device,) = json.loads(path.read_text(encoding="utf-8"))["devices"]
    entries = (entry.partition("=") for entry in device["containerEdits"]["env"])
    return {name: value for name, _, value in entries if "CLAIMUID" not in name}


def test_containers_see_how_their_device_is_shared_and_which_client_they_are(
    rig: PluginRig,
) -> None:
    refs = [rig.allocate(f"c{number}", 0, share=(number, 3)) for number in (0, 2)]
    for ref in refs:
        rig.driver.prepare(ref)
    rig.assert_agreed()
    device = rig.device(0).id
    assert [env(rig, ref.uid) for ref in refs] == [
        {
            "FAKE_DEVICE_0": device,
            "FAKE_DEVICE_0_SHARING": "TimeSliced",
            "FAKE_DEVICE_0_CLIENT": str(number),
            f"FAKE_CLAIM_C{number}_0": device,
        }
        for number in (0, 2)
    ]
    shown = rig.nas()["spec"]["preparedDevices"][refs[1].uid]["fake"]["devices"]
    assert shown == [{"uuid": device, "timeSliced": {"client": 2, "maxClients": 3}}]


def test_a_device_that_a_claim_has_alone_tells_nothing_of_clients(rig: PluginRig) -> None:
    ref = rig.allocate("alone", 0)
    rig.driver.prepare(ref)
    assert set(env(rig, ref.uid)) == {"FAKE_DEVICE_0", "FAKE_CLAIM_ALONE_0"}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param((0, 2), (0, 2), "is prepared for", id="the-same-client"),
        pytest.param((0, 1), (1, 2), "no more than 1 may share it", id="promised-to-be-alone"),
        pytest.param((1, 2), (0, 1), "no more than 1 may share it", id="would-not-be-alone"),
        pytest.param(None, (0, 2), "is prepared for", id="beside-an-exclusive-one"),
        pytest.param((0, 2), None, "is prepared for", id="an-exclusive-one-beside-it"),
    ],
)
def test_no_claim_is_prepared_that_would_break_a_promise(
    rig: PluginRig, first: tuple[int, int] | None, second: tuple[int, int] | None, told: str
) -> None:
    holder, late = rig.allocate("a", 0, share=first), rig.allocate("b", 0, share=second)
    rig.driver.prepare(holder)
    with pytest.raises(DeviceInUse, match=told):
        rig.driver.prepare(late)
    rig.driver.unprepare(holder)
    rig.driver.prepare(late)
    rig.assert_agreed()


def test_no_claim_is_prepared_beyond_the_smallest_promise_of_several(rig: PluginRig) -> None:
    for number, most in enumerate((3, 2)):
        rig.driver.prepare(rig.allocate(f"c{number}", 0, share=(number, most)))
    with pytest.raises(DeviceInUse, match="no more than 2 may share it"):
        rig.driver.prepare(rig.allocate("c2", 0, share=(2, 3)))


@pytest.mark.parametrize("lost", [False, True], ids=["checkpoint", "checkpoint-lost"])
def test_shares_survive_a_restart(rig: PluginRig, lost: bool) -> None:
    refs = [rig.allocate(f"c{number}", 0, share=(number, 2)) for number in range(2)]
    for ref in refs:
        rig.driver.prepare(ref)
    before = [env(rig, ref.uid) for ref in refs]
    if lost:
        (rig.directory / FILE_NAME).write_text("damaged", encoding="utf-8")
    rig.restart()
    rig.assert_agreed()
    assert [env(rig, ref.uid) for ref in refs] == before
    with pytest.raises(DeviceInUse):
        rig.driver.prepare(rig.allocate("c2", 0, share=(2, 3)))


def test_a_claim_that_was_given_another_number_is_prepared_anew(rig: PluginRig) -> None:
    rig.driver.prepare(rig.allocate("c", 0, share=(0, 2)))
    ref = rig.allocate("c", 0, share=(1, 2))
    rig.driver.prepare(ref)
    rig.assert_agreed()
    assert env(rig, ref.uid)["FAKE_DEVICE_0_CLIENT"] == "1"


def sharing(rig: PluginRig) -> object:
    return rig.nas()["spec"].get("sharing")


def test_the_node_says_that_its_devices_may_be_shared(rig: PluginRig) -> None:
    assert sharing(rig) == ["TimeSliced"]


def beat(rig: PluginRig) -> JSON:
    """Let the plugin give a heartbeat; return what it wrote."""
    written: list[JSON] = []
    rig.see()
    rig.api.fault = lambda _verb, _plural, body: written.append(body or {})
    Heartbeats(rig.node_state, 60, lambda _now: None).beat()
    rig.api.fault = lambda *_: None
    (body,) = written
    return body


def test_a_heartbeat_says_it_again_where_it_is_missing_and_only_there(rig: PluginRig) -> None:
    assert "spec" not in beat(rig)
    rig.edit_nas({"sharing": None})
    assert beat(rig)["spec"] == {"sharing": ["TimeSliced"]}
    assert sharing(rig) == ["TimeSliced"]
    assert "spec" not in beat(rig)
