import json
from pathlib import Path

import pytest

from api.contract import FAKE
from api.errors import MalformedState
from api.resources import STATES
from dra.devicestate import cdi
from dra.devicestate.checkpoint import FILE_NAME
from dra.devicestate.publisher import Change
from dra.errors import AllocationChanged, DeviceInUse, PluginStopped
from kube.errors import ConnectFailed
from tests.support.build import SYSTEM
from tests.support.pluginrig import NODE, PluginRig


def test_prepare_is_seen_in_all_three_places(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0, 1)
    rig.driver.prepare(ref)
    wanted = {ref.uid: [rig.device(0).id, rig.device(1).id]}
    assert rig.injected() == rig.saved() == rig.shown() == wanted


def test_prepare_again_writes_nothing(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    first = rig.driver.prepare(ref)
    before, files = rig.api.writes(), _contents(rig)
    assert rig.driver.prepare(ref) == first
    assert rig.api.writes() == before
    assert _contents(rig) == files


def test_unprepare_leaves_nothing_but_the_common_file(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    rig.driver.unprepare(ref)
    assert [p.name for p in rig.cdi_root.iterdir()] == [cdi.common_file(FAKE)]
    assert rig.saved() == rig.shown() == {}
    assert "preparedDevices" not in rig.nas()["spec"]


def test_leave_takes_the_files_and_keeps_others_from_making_them(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    rig.driver.unprepare(ref)
    rig.state.leave()
    assert list(rig.cdi_root.iterdir()) == []
    assert not rig.directory.exists()
    rig.state.mend_files()
    with pytest.raises(PluginStopped, match="has started again"):
        rig.driver.prepare(ref)
    rig.driver.unprepare(ref)
    assert list(rig.cdi_root.iterdir()) == []
    assert rig.shown() == {}


def test_leave_with_a_prepared_claim_changes_nothing(rig: PluginRig) -> None:
    rig.driver.prepare(rig.allocate("a", 0))
    before = _contents(rig)
    rig.state.leave()
    assert _contents(rig) == before
    rig.driver.prepare(rig.allocate("b", 1))
    rig.assert_agreed()


def test_leave_may_be_repeated_and_spares_files_of_others(rig: PluginRig) -> None:
    other = rig.directory / f"{FILE_NAME}.corrupt-1"
    other.write_bytes(b"for people")
    (rig.cdi_root / "vendor.json").write_text("{}")
    rig.state.leave()
    rig.state.leave()
    assert list(rig.directory.iterdir()) == [other]
    assert [path.name for path in rig.cdi_root.iterdir()] == ["vendor.json"]


def test_unprepare_again_writes_nothing(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    rig.driver.unprepare(ref)
    before, files = rig.api.writes(), _contents(rig)
    rig.driver.unprepare(ref)
    assert rig.api.writes() == before
    assert _contents(rig) == files


def test_unprepare_keeps_the_other_claims(rig: PluginRig) -> None:
    first, second = rig.allocate("a", 0), rig.allocate("b", 1)
    rig.driver.prepare(first)
    rig.driver.prepare(second)
    rig.driver.unprepare(first)
    rig.assert_agreed()
    assert list(rig.saved()) == [second.uid]


def test_restart_keeps_the_prepared_claims(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0, split=3)
    first = rig.driver.prepare(ref)
    rig.restart()
    rig.assert_agreed()
    assert rig.driver.prepare(ref) == first


def test_restart_after_reboot_writes_the_cdi_files_anew(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    files = _contents(rig)
    for path in rig.cdi_root.iterdir():
        path.unlink()
    rig.restart()
    assert _contents(rig) == files


def test_restart_renews_the_file_of_an_earlier_plugin_without_calling_it_wrong(
    rig: PluginRig,
) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    path, device = rig.cdi_root / cdi.claim_file(FAKE, ref.uid), rig.device(0).id
    present = path.read_text()
    env = [f"FAKE_DEVICE_0={device}", f"FAKE_CLAIM_A_0={device}"]
    former = {
        "cdiVersion": "0.5.0",
        "kind": "k8s.fake.resource.3-shake.com/fake",
        "devices": [{"name": f"{ref.uid}-{device}", "containerEdits": {"env": env}}],
    }
    path.write_text(json.dumps(former, indent=2))
    rig.restart()
    assert rig.repairs == []
    assert path.read_text() == present
    rig.assert_agreed()


def test_restart_removes_files_of_claims_that_are_not_prepared(rig: PluginRig) -> None:
    stray = rig.cdi_root / f"{FAKE.cdi_file_prefix}uid-x{cdi.FILE_SUFFIX}"
    foreign = rig.cdi_root / "vendor.json"
    for path in (stray, foreign):
        path.write_text("{}")
    rig.restart()
    assert not stray.exists()
    assert foreign.exists()


def test_devices_of_a_claim_that_was_allocated_anew_replace_the_former_ones(
    rig: PluginRig,
) -> None:
    rig.driver.prepare(rig.allocate("a", 0))
    again = rig.allocate("a", 3)
    rig.driver.prepare(again)
    assert rig.injected() == rig.saved() == rig.shown() == {again.uid: [rig.device(3).id]}


def test_prepared_claim_keeps_its_devices_while_the_nas_is_made_anew(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    first = rig.driver.prepare(ref)
    rig.api.remove(STATES, NODE, SYSTEM)
    rig.see()
    rig.node_state.ensure()
    rig.publisher.reconcile()
    assert rig.driver.prepare(ref) == first
    rig.assert_agreed()


def test_reconcile_undoes_what_others_wrote(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    stranger = {"fake": {"devices": [{"uuid": "FAKE-x"}]}}
    rig.edit_nas({"preparedDevices": {"uid-x": stranger, ref.uid: None}})
    rig.see()
    rig.publisher.reconcile()
    rig.assert_agreed()


@pytest.mark.parametrize("cached", [False, True])
def test_nas_that_cannot_be_written_is_made_good_by_the_retry(rig: PluginRig, cached: bool) -> None:
    rig.watching = cached
    ref = rig.allocate("a", 0)
    rig.api.fault = lambda verb, *_: ConnectFailed("away") if verb == "patch" else None
    with pytest.raises(ConnectFailed):
        rig.driver.prepare(ref)
    assert rig.shown() == {}
    rig.api.fault = lambda *_: None
    rig.driver.prepare(ref)
    rig.assert_agreed()


def test_allocation_that_could_not_be_tested_is_not_prepared(rig: PluginRig) -> None:
    rig.watching = True
    ref = rig.allocate("a", 0)
    rig.api.fault = lambda verb, *_: ConnectFailed("away") if verb == "patch" else None
    with pytest.raises(ConnectFailed):
        rig.driver.prepare(ref)
    assert rig.injected() == rig.saved() == {}
    rig.api.fault = lambda *_: None
    rig.publisher.reconcile()
    assert rig.shown() == {}


def test_claim_is_prepared_once_its_allocation_was_tested(rig: PluginRig) -> None:
    rig.watching = True
    ref = rig.allocate("a", 0)
    found = []

    def look(verb: str, *_: object) -> None:
        if verb == "patch":
            found.append(rig.state.find(ref.uid))

    rig.api.fault = look
    rig.driver.prepare(ref)
    assert found == [None]
    assert rig.state.find(ref.uid) is not None


def test_cache_says_nothing_about_a_claim_that_is_prepared(rig: PluginRig) -> None:
    rig.watching = True
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    held, cached = rig.state.find(ref.uid), rig.node_state.cached_allocation(ref.uid)
    assert held is not None
    assert cached is not None
    before = rig.api.writes()
    with pytest.raises(AllocationChanged, match="another call"):
        rig.state.prepare(held, cached.precondition)
    assert rig.api.writes() == before
    rig.assert_agreed()


def test_claim_that_another_call_took_away_meanwhile_is_not_prepared(
    rig: PluginRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.watching = True
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    claim, cached = rig.state.find(ref.uid), rig.node_state.cached_allocation(ref.uid)
    rig.driver.unprepare(ref)
    assert claim is not None
    assert cached is not None
    flush = rig.publisher.flush

    def overtaken(change: Change) -> None:
        flush(change)
        monkeypatch.undo()
        rig.state.unprepare(change.uid)

    monkeypatch.setattr(rig.publisher, "flush", overtaken)
    with pytest.raises(AllocationChanged, match="changed by another call"):
        rig.state.prepare(claim, cached.precondition)
    assert rig.injected() == rig.saved() == rig.shown() == {}


def test_malformed_nas_stops_prepare_before_anything_is_written(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.edit_nas({"preparedDevices": {"uid-x": {"fake": {"devices": "none"}}}})
    with pytest.raises(MalformedState, match="delete the object"):
        rig.driver.prepare(ref)
    assert rig.injected() == rig.saved() == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"version": "v1"', id="cut off"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"\xff\xfe\0", id="binary"),
        pytest.param(b"[" * 100_000, id="nested too deep"),
        pytest.param(b'{"version": "v9", "checksum": "", "data": {}}', id="other version"),
        pytest.param(
            b'{"version": "v1", "checksum": "sha256:0", "data": {"claims": {}}}', id="checksum"
        ),
    ],
)
def test_malformed_checkpoint_is_kept_aside_and_rebuilt(rig: PluginRig, content: bytes) -> None:
    ref = rig.allocate("a", 0, split=2)
    first = rig.driver.prepare(ref)
    (rig.directory / FILE_NAME).write_bytes(content)
    rig.restart()
    (aside,) = rig.directory.glob(f"{FILE_NAME}.corrupt-*")
    assert aside.read_bytes() == content
    (warning,) = rig.warnings
    assert str(aside) in warning
    rig.assert_agreed()
    assert rig.driver.prepare(ref) == first


def test_every_malformed_checkpoint_is_kept(rig: PluginRig) -> None:
    for content in (b"1", b"2"):
        (rig.directory / FILE_NAME).write_bytes(content)
        rig.restart()
    kept = sorted(rig.directory.glob(f"{FILE_NAME}.corrupt-*"))
    assert [path.read_bytes() for path in kept] == [b"1", b"2"]


def test_rebuilt_claim_keeps_the_label_of_its_cdi_file(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    files = _contents(rig)
    (rig.directory / FILE_NAME).write_bytes(b"")
    rig.restart()
    assert _contents(rig) == files


def test_rebuild_leaves_out_what_could_not_be_prepared(rig: PluginRig) -> None:
    bad = {"fake": {"devices": [{"uuid": "FAKE-x"}]}}
    rig.edit_nas({"preparedDevices": {"../../uid": bad, "uid-empty": {"fake": {"devices": []}}}})
    (rig.directory / FILE_NAME).write_bytes(b"")
    rig.restart()
    assert rig.injected() == rig.saved() == rig.shown() == {}


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"devices": [1]}', b"[]", b"\xff", b'{"devices": 7}']
)
def test_malformed_cdi_file_is_replaced(rig: PluginRig, content: bytes) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    files = _contents(rig)
    path = rig.cdi_root / cdi.claim_file(FAKE, ref.uid)
    path.write_bytes(content)
    rig.driver.prepare(ref)
    assert _contents(rig) == files
    path.write_bytes(content)
    rig.restart()
    assert _contents(rig) == files


def test_discard_spares_a_claim_that_was_prepared_again_meanwhile(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    (entry,) = rig.state.entries()
    rig.driver.prepare(ref)
    assert not rig.state.discard(entry)
    assert list(rig.saved()) == [ref.uid]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (2, 0), (0, 2), (2, 3)])
def test_device_is_never_prepared_for_two_claims(rig: PluginRig, first: int, second: int) -> None:
    """Whole or split; the second claim gets it when the first one has ended."""
    holder = rig.allocate("a", 0, split=first)
    rig.driver.prepare(holder)
    rig.edit_nas({"allocatedClaims": None})
    ref = rig.allocate("b", 1, 0, split=second)
    with pytest.raises(DeviceInUse, match=f"{rig.device(0).id} of .*b.* is prepared for .*a"):
        rig.driver.prepare(ref)
    rig.assert_agreed()
    assert list(rig.saved()) == [holder.uid]
    rig.driver.unprepare(holder)
    rig.driver.prepare(ref)
    assert list(rig.saved()) == [ref.uid]


def _contents(rig: PluginRig) -> dict[str, object]:
    return {path.name: json.loads(path.read_text()) for path in _files(rig)}


def _files(rig: PluginRig) -> list[Path]:
    return sorted(rig.cdi_root.iterdir())
