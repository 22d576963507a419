"""A few hundred of the hostile inputs of `make reliability`, and those that once did harm."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Event

import pytest

import tests.support.hostile
from api.contract import FAKE
from api.errors import MalformedState
from api.nas import AllocatedDevice, PreparedDevice
from api.objects import ClaimUID, DeviceID
from dra.devicestate.cdi import claim_file
from dra.devicestate.checkpoint import render
from dra.devicestate.files import read_regular
from dra.errors import CheckpointCorrupt, DirectoryUnusable
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.wire import _decoder
from plugin.devices import FakeDeviceSource, prepared_devices
from tests.support.effort import tries
from tests.support.hostile import Canaries, Wrong, attack, defects
from tests.support.hostileplugin import Calls, CdiFiles, Checkpoints, PluginStates
from tests.support.pluginrig import FAKES, NODE, PluginRig

SEED = 1
FIRST = FakeDeviceSource(FAKE, NODE, 1, "M").devices()[0].id


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def calls(short_path: Path) -> Iterator[Calls]:
    made = Calls(short_path)
    yield made
    made.close()


@pytest.mark.parametrize("target", [PluginStates, Checkpoints, CdiFiles])
def test_plugin_survives(
    tmp_path: Path, target: Callable[[Path], tests.support.hostile.Target]
) -> None:
    assert list(attack(target(tmp_path), tries(60), SEED)) == []


def test_socket_survives(calls: Calls) -> None:
    assert list(attack(calls, tries(300), SEED)) == []


@pytest.mark.parametrize("read", [read_regular, lambda path: FAKES.checkpoint(path.parent).read()])
def test_pipe_is_never_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "checkpoint.json"
    os.mkfifo(path)
    with pytest.raises((OSError, DirectoryUnusable), match="no regular file"):
        read(path)


def test_pipe_in_place_of_a_cdi_file_is_replaced(rig: PluginRig) -> None:
    ref = rig.allocate("a", 0)
    os.mkfifo(rig.cdi_root / claim_file(FAKE, ref.uid))
    rig.driver.prepare(ref)
    rig.assert_agreed()


@pytest.mark.parametrize(
    ("uid", "devices"),
    [
        pytest.param("../x", ("d",), id="uid"),
        pytest.param("uid", ("a\0b",), id="device"),
        pytest.param("uid", ("d", "d"), id="twice"),
        pytest.param("uid", ("d" * 129,), id="long"),
    ],
)
def test_checkpoint_of_a_claim_that_cannot_be_is_corrupt(
    rig: PluginRig, uid: str, devices: tuple[str, ...]
) -> None:
    """Though its checksum is right; the plugin could not start with it."""
    made = [PreparedDevice(DeviceID(name)) for name in devices]
    content = render([FAKES.claim(ClaimUID(uid), "ns", "claim", "label", made)])
    (rig.directory / "checkpoint.json").write_bytes(content)
    with pytest.raises(CheckpointCorrupt, match="cannot be"):
        FAKES.checkpoint(rig.directory).load()
    rig.restart()
    assert rig.saved() == {}


def test_split_that_no_claim_can_have_is_refused_and_not_made() -> None:
    source = FakeDeviceSource(FAKE, NODE, 1, "M")
    with pytest.raises(MalformedState, match=r"split 2147483648.* 0 to 16"):
        prepared_devices(source, [AllocatedDevice(FIRST, 2**31)])


def test_request_that_cannot_be_decoded_leaves_one_line_and_no_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    decode = _decoder("s/M", batch.NodePrepareResourcesRequest)
    with defects() as logged:
        assert decode(b"\xff\xff\xff") is None
    assert logged == []
    assert [record.getMessage() for record in caplog.records] == ["Request cannot be decoded"]


class Broken:
    """A target that does everything wrong."""

    what = how = "broken"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def feed(self, chance: Random) -> None:
        self._act()

    def check(self) -> None:
        return None


def test_what_goes_wrong_is_told_with_seed_and_number() -> None:
    found = list(attack(Broken(lambda: 1 // 0), 2, 7))
    assert [each.partition(" in ")[0] for each in found] == [
        "seed 7, input 0: ZeroDivisionError",
        "seed 7, input 1: ZeroDivisionError",
    ]


def test_hang_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests.support.hostile, "SECONDS", 0.01)
    never = Event()
    try:
        assert "no answer" in next(attack(Broken(lambda: never.wait(20)), 1, 7))
    finally:
        never.set()


def test_write_elsewhere_is_told(tmp_path: Path) -> None:
    canaries = Canaries(tmp_path, tmp_path / "own")
    (tmp_path / "own" / "file").touch()
    canaries.check()
    (tmp_path / "elsewhere").touch()
    with pytest.raises(Wrong, match="elsewhere"):
        canaries.check()
    (tmp_path / "own" / "foreign.json").unlink()
    with pytest.raises(Wrong, match=r"foreign\.json"):
        canaries.check()


def test_same_seed_makes_the_same_input(tmp_path: Path) -> None:
    target = Checkpoints(tmp_path)
    first, second = (target._damaged(Random("1/3")) for _ in range(2))
    assert first == second
