"""What the plugin repairs while it runs, and that it tells of it."""

from collections.abc import Callable
from unittest.mock import create_autospec

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import DRA_V1ALPHA2
from dra.claims import ClaimRef
from dra.devicestate.cdi import claim_file, common_file
from dra.devicestate.checkpoint import FILE_NAME
from dra.repairs import Repair, reporter
from kube.events import EventRecorder
from tests.support.pluginrig import PluginRig

NODE: JSON = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "n"}}


@pytest.mark.parametrize("kind", list(Repair))
def test_a_repair_is_an_event_and_is_counted(kind: Repair) -> None:
    events = create_autospec(EventRecorder, instance=True, spec_set=True)
    counted: list[str] = []
    reporter(events, counted.append, NODE)(kind, "text")
    told = events.normal if kind is Repair.STALE_SOCKET else events.warning
    told.assert_called_once_with(NODE, kind.value, "text")
    assert counted == [kind.value]


def test_every_kind_is_in_the_metrics_from_the_start(rig: PluginRig) -> None:
    rig.metrics.repaired(Repair.FILE_WRONG)
    values = {
        kind: rig.registry.get_sample_value("fake_dra_plugin_repairs_total", {"kind": kind})
        for kind in Repair
    }
    assert values == {kind: float(kind is Repair.FILE_WRONG) for kind in Repair}


def remove_file(rig: PluginRig, ref: ClaimRef) -> None:
    (rig.cdi_root / claim_file(FAKE, ref.uid)).unlink()


def break_file(rig: PluginRig, ref: ClaimRef) -> None:
    (rig.cdi_root / claim_file(FAKE, ref.uid)).write_bytes(b"{")


def add_file(rig: PluginRig, _: ClaimRef) -> None:
    (rig.cdi_root / f"{FAKE.cdi_file_prefix}nobody.json").write_bytes(b"{}")


def remove_checkpoint(rig: PluginRig, _: ClaimRef) -> None:
    (rig.directory / FILE_NAME).unlink()


def break_checkpoint(rig: PluginRig, _: ClaimRef) -> None:
    (rig.directory / FILE_NAME).write_bytes(b"{")


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (remove_file, Repair.FILE_MISSING),
        (break_file, Repair.FILE_WRONG),
        (add_file, Repair.FILE_SURPLUS),
        (remove_checkpoint, Repair.CHECKPOINT),
        (break_checkpoint, Repair.CHECKPOINT),
    ],
)
def test_files_that_others_change_are_mended(
    rig: PluginRig, harm: Callable[[PluginRig, ClaimRef], None], kind: Repair
) -> None:
    ref = rig.allocate("a", 0)
    rig.driver.prepare(ref)
    harm(rig, ref)
    rig.state.mend_files()
    rig.assert_agreed()
    assert list(rig.saved()) == [ref.uid]
    assert rig.repairs == [kind]
    rig.state.mend_files()
    assert rig.repairs == [kind]


def test_a_corrupt_checkpoint_is_kept_for_people(rig: PluginRig) -> None:
    rig.driver.prepare(rig.allocate("a", 0))
    (rig.directory / FILE_NAME).write_bytes(b"{")
    rig.state.mend_files()
    assert (rig.directory / f"{FILE_NAME}.corrupt-1").read_bytes() == b"{"


def test_the_common_file_comes_back(rig: PluginRig) -> None:
    (rig.cdi_root / common_file(FAKE)).unlink()
    rig.state.mend_files()
    assert (rig.cdi_root / common_file(FAKE)).exists()


def test_nothing_is_told_while_all_is_well(rig: PluginRig) -> None:
    rig.driver.prepare(rig.allocate("a", 0))
    rig.state.mend_files()
    rig.publisher.reconcile()
    rig.restart()
    assert rig.repairs == []


def test_an_edited_nas_is_told(rig: PluginRig) -> None:
    rig.driver.prepare(rig.allocate("a", 0))
    rig.edit_nas({"preparedDevices": None})
    rig.see()
    rig.publisher.reconcile()
    rig.assert_agreed()
    assert rig.repairs == [Repair.PREPARED]


def test_a_claim_that_is_collected_is_told(rig: PluginRig) -> None:
    rig.driver.prepare(rig.allocate("a", 0))
    rig.api.remove(DRA_V1ALPHA2.claims, "a", "default")
    rig.collect()
    assert rig.repairs == [Repair.STALE_CLAIM]
