"""Files that are not those of the node are told as such, and never compared with its state."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import fsck.command as program
from api.contract import FAKE
from api.nas import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.resources import STATES
from cli.__main__ import main
from dra.devicestate.cdi import claim_file, common_file
from dra.devicestate.checkpoint import FILE_NAME, checksum
from plugin.fakes import Fakes
from tests.support.build import allocated, claim, finalized, holding, nas, preparing
from tests.support.fsckserver import Server

FAKES = Fakes(FAKE, NodeName("node-1"))
CLAIM = FAKES.claim(
    ClaimUID("uid-claim"),
    "default",
    "claim",
    "fake",
    [PreparedDevice(DeviceID("node-1-0"))],
)
STATE = holding(preparing(nas(), CLAIM.uid, 0), CLAIM.uid, 0)
MALFORMED = nas(preparedDevices={"u": 3})


class Disk:
    """The directories of a node on which the claim is prepared."""

    def __init__(self, root: Path) -> None:
        self.cdi = root / "cdi"
        self.plugins = root / "plugins"
        self.own = self.plugins / FAKE.driver_name
        self.own.mkdir(parents=True)
        FAKES.directory(self.cdi).ensure(CLAIM)
        FAKES.checkpoint(self.own).save([CLAIM])

    def former(self) -> None:
        """Let the files be those of a release before v2 of the checkpoint."""
        devices = [{"uuid": "node-1-0", "parentUUID": None}]
        entry = {"namespace": "default", "name": "claim", "label": "fake", "devices": devices}
        data = {"claims": {CLAIM.uid: entry}}
        content = {"version": "v1", "checksum": checksum(data), "data": data}
        (self.own / FILE_NAME).write_text(json.dumps(content))
        path = self.cdi / claim_file(FAKE, CLAIM.uid)
        path.write_text(json.dumps({**json.loads(path.read_text()), "cdiVersion": "0.5.0"}))

    def beginning(self) -> None:
        """Let the driver have begun with another claim."""
        other = replace(CLAIM, uid=ClaimUID("uid-other"), devices=())
        FAKES.checkpoint(self.own).save([CLAIM, other])

    def clear(self, directory: Path) -> None:
        for path in directory.iterdir():
            path.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server(STATE, nas("node-2"), finalized(allocated(claim())))
    monkeypatch.setattr(program.Client, "from_kubeconfig", lambda *_, **__: made)
    return made


def run(disk: Disk, *options: str) -> Result:
    places = ["--cdi-root", str(disk.cdi), "--kubelet-plugins-directory-path", str(disk.plugins)]
    command = ["fsck", "--settle", "0", "--node-files", *places, *options]
    return CliRunner().invoke(main, command)


@pytest.mark.parametrize("options", [[], ["--node-name", "node-1"]], ids=["found", "given"])
def test_files_of_the_node_are_counted(server: Server, disk: Disk, options: list[str]) -> None:
    result = run(disk, *options)
    files = "the checkpoint (1 claim) and 1 CDI file of node node-1"
    looked, said = result.output.splitlines()
    assert (result.exit_code, said) == (0, "no violations")
    assert looked.endswith(f"of http://memory, {files}")


@pytest.mark.parametrize(
    ("spoil", "options", "told"),
    [
        (lambda _: None, ["--node-name", "node-2"], "those of node node-1, not of node-2; give "),
        (lambda _: None, ["--node-name", "x"], "those of node node-1, not of x; give --node-name "),
        (lambda d: d.clear(d.cdi), [], "/cdi has no CDI file of this driver, k8s."),
        (lambda d: d.cdi.rename(d.cdi / "../x"), [], "/cdi cannot be read: No such file or dir"),
        (lambda d: d.clear(d.own), [], f"/{FAKE.driver_name} is empty; give the directory"),
        (
            lambda d: d.own.rename(d.cdi / "x"),
            [],
            f"/{FAKE.driver_name} cannot be read: No such file",
        ),
        (
            lambda d: (d.cdi / common_file(FAKE)).unlink(),
            [],
            "do not tell their node; give --node-nam",
        ),
        (
            lambda d: (d.cdi / common_file(FAKE)).unlink(),
            ["--node-name", "x"],
            "compare its files with, only node-1, node-2; give the --node-name",
        ),
    ],
    ids=[
        "another node",
        "no node",
        "no CDI files",
        "no CDI directory",
        "nothing of the plugin",
        "no directory of the plugin",
        "files without node",
        "no node, by files without node",
    ],
)
def test_wrong_place_is_told_and_nothing_is_compared(
    server: Server, disk: Disk, spoil: Callable[[Disk], object], options: list[str], told: str
) -> None:
    spoil(disk)
    result = run(disk, *options)
    assert (result.exit_code, told in result.output) == (2, True), result.output
    assert "PreparedDiffers" not in result.output


@pytest.mark.parametrize("change", [Disk.former, Disk.beginning], ids=["former", "beginning"])
def test_files_without_violations(
    server: Server, disk: Disk, change: Callable[[Disk], None]
) -> None:
    change(disk)
    result = run(disk)
    assert (result.exit_code, result.output.splitlines()[1:]) == (0, ["no violations"])


@pytest.mark.parametrize(
    ("damage", "state", "kinds"),
    [
        (lambda d: (d.own / FILE_NAME).write_bytes(b"{"), STATE, ["CheckpointCorrupt"]),
        (
            lambda d: (d.own / FILE_NAME).rename(d.own / "x"),
            STATE,
            ["CDIFileSurplus", "PreparedDiffers"],
        ),
        (lambda _: None, holding(nas(), CLAIM.uid, 0), ["PreparedDiffers"]),
        (lambda _: None, MALFORMED, ["MalformedState"]),
    ],
    ids=["corrupt", "removed", "not in the state", "state that cannot be read"],
)
def test_violations_of_the_files(
    server: Server, disk: Disk, damage: Callable[[Disk], object], state: JSON, kinds: list[str]
) -> None:
    server.put(STATES, state)
    damage(disk)
    before = sorted(disk.own.iterdir())
    result = run(disk, "--node-name", "node-1")
    found = [line.split()[:2] for line in result.output.splitlines()[2:]]
    assert (result.exit_code, found) == (1, [[kind, "node-1"] for kind in kinds])
    assert sorted(disk.own.iterdir()) == before
