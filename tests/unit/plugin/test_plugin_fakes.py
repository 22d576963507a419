"""What containers get of the fake driver, and what former releases wrote for it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.devices import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID
from dra.devicestate import cdi
from dra.devicestate.checkpoint import FILE_NAME, checksum
from dra.devicestate.directory import Differences
from dra.driver import Edits, PreparedClaim
from plugin.fakes import env_label, find_label, find_node
from tests.support.pluginrig import FAKES, NODE, PluginRig

UID = ClaimUID("1d-1")


def claim(*ids: str, name: str = "claim", label: str = "gpu") -> PreparedClaim:
    devices = [PreparedDevice(DeviceID(each)) for each in ids]
    return FAKES.claim(UID, "ns" if name else "", name, label, devices)


def spec(made: PreparedClaim) -> JSON:
    found = cdi.check_claim(FAKE, made)
    assert found is not None
    return found


def test_variables_of_a_claim() -> None:
    assert [dict(device.edits.env) for device in claim("A", "B", label="my-gpu").devices] == [
        {
            f"FAKE_DEVICE_{index}": device,
            f"FAKE_CLAIM_MY_GPU_{index}": device,
            f"FAKE_CLAIMUID_1D_1_{index}": device,
            "FAKE_CLAIMUID_1D_1_NAME": "claim",
        }
        for index, device in enumerate("AB")
    ]


def test_claim_that_only_its_uid_is_known_of() -> None:
    (device,) = claim("A", name="", label="").devices
    assert dict(device.edits.env) == {"FAKE_DEVICE_0": "A", "FAKE_CLAIMUID_1D_1_0": "A"}


def test_a_child_is_a_part_of_its_device() -> None:
    (device,) = FAKES.claim(UID, "", "", "", [PreparedDevice(DeviceID("C"), DeviceID("P"))]).devices
    assert (device.pool, device.device, device.name) == (NODE, "P", "C")
    assert device.edits.env["FAKE_DEVICE_0"] == "C"


def test_variables_of_the_node() -> None:
    assert FAKES.common() == Edits(
        {
            "FAKE_NODE_NAME": "node-1",
            "DRA_RESOURCE_DRIVER_NAME": "fake.resource.3-shake.com",
        }
    )
    assert find_node(FAKE, cdi.common_spec(FAKE, FAKES.common())) == NODE


@given(st.text(min_size=1, max_size=63))
def test_label_is_part_of_a_variable_name(label: str) -> None:
    made = env_label(label)
    assert made
    assert env_label(find_label(FAKE, spec(claim("A", label=label)))) == made


@pytest.mark.parametrize(
    "found", [None, {}, {"devices": 7}, {"devices": [{"containerEdits": {}}]}, {"devices": [7]}]
)
def test_file_that_tells_neither_label_nor_node(found: JSON | None) -> None:
    assert (find_label(FAKE, found), find_node(FAKE, found)) == ("", "")


def _without_uid(made: JSON) -> JSON:
    (device,) = made["devices"]
    env = [e for e in device["containerEdits"]["env"] if "CLAIMUID" not in e]
    return {**made, "devices": [{**device, "containerEdits": {"env": env}}]}


@pytest.mark.parametrize("uid", ["1d-1", "uid-1"], ids=["digit", "letter"])
@pytest.mark.parametrize("fewer", [False, True], ids=["release before", "without uid"])
def test_file_of_a_former_release_is_not_wrong_but_renewed(
    tmp_path: Path, uid: str, fewer: bool
) -> None:
    made = FAKES.claim(ClaimUID(uid), "ns", "c", "gpu", [PreparedDevice(DeviceID("A"))])
    directory, path = FAKES.directory(tmp_path), tmp_path / cdi.claim_file(FAKE, made.uid)
    former = {**spec(made), "cdiVersion": "0.5.0"}
    path.write_text(json.dumps(_without_uid(former) if fewer else former))
    directory.ensure_common()
    assert directory.compare([made]) == Differences((), (), ())
    directory.ensure(made)
    assert json.loads(path.read_text()) == spec(made)


FORMER_CHECKPOINT = """{
  "version": "v1",
  "checksum": "sha256:04ce5e6532ef0cd07170117b843ac559c024dac5269bfa5e635464ab80463cae",
  "data": {
    "claims": {
      "uid-1": {
        "namespace": "ns",
        "name": "claim",
        "label": "gpu",
        "devices": [
          {
            "uuid": "FAKE-child",
            "parentUUID": "FAKE-parent"
          },
          {
            "uuid": "FAKE-whole",
            "parentUUID": null
          }
        ]
      }
    }
  }
}
"""


def test_checkpoint_of_the_former_version_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(FORMER_CHECKPOINT)
    (found,) = FAKES.checkpoint(tmp_path).load().values()
    assert found == FAKES.claim(
        ClaimUID("uid-1"),
        "ns",
        "claim",
        "gpu",
        [
            PreparedDevice(DeviceID("FAKE-child"), DeviceID("FAKE-parent")),
            PreparedDevice(DeviceID("FAKE-whole")),
        ],
    )
    assert [device.edits.env["FAKE_CLAIM_GPU_0"] for device in found.devices[:1]] == ["FAKE-child"]


def test_restart_after_an_upgrade_finds_nothing_to_repair(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0, split=2)
    rig.driver.prepare(ref)
    parent = rig.device(0).id
    devices = [{"uuid": c, "parentUUID": parent} for c in rig.source.children(parent, 2)]
    data = {
        "claims": {ref.uid: {"namespace": "default", "name": "a", "label": "a", "devices": devices}}
    }
    path = rig.directory / FILE_NAME
    path.write_text(json.dumps({"version": "v1", "checksum": checksum(data), "data": data}))
    rig.restart()
    assert rig.repairs == []
    rig.driver.prepare(ref)
    rig.driver.prepare(rig.allocate("b", 1))
    rig.assert_agreed()
    assert json.loads(path.read_bytes())["version"] == "v2"
