"""The command `dra` in a directory of somebody's own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from dra.cli import load, main
from dra.errors import NoDriver

DRIVER = '''
"""A driver of its own."""

from api.contract import Contract
from dra.driver import Edits, PreparedDevice
from dra.inventory import Device, Inventory


class Gpus:
    """Lend gpus.

    Args:
        count: how many there are.
    """

    contract = Contract("gpu.example.com", "gpu")

    def __init__(self, count: int = 1) -> None:
        if count < 1:
            raise ValueError("count is below 1")
        self._count = count

    def discover(self):
        return Inventory.of(*(Device(f"gpu-{n}") for n in range(self._count)))

    def prepare(self, claim):
        return [PreparedDevice.of(result, Edits({"GPU": "1"})) for result in claim.results]

    def unprepare(self, claim):
        pass


class Named(Gpus):
    contract = "gpu.example.com"


class Listed(Gpus):
    def __init__(self, things: list[str]) -> None:
        pass


class Late(Gpus):
    contract = property(lambda self: Gpus.contract)


gpus = Gpus()
number = 5


def make(count: int = 1):
    return Gpus(count)
'''


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project whose modules are named like ours."""
    (tmp_path / "gpus.py").write_text(DRIVER)
    (tmp_path / "api.py").write_text("OWN = 1\n")
    for package in ("kube", "cli", "ops", "testing"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise ImportError('not this one')\n")
    return tmp_path


COMMANDS = [
    pytest.param([str(Path(sys.executable).with_name("dra"))], id="console script"),
    pytest.param([sys.executable, "-m", "dra"], id="module"),
]


@pytest.mark.parametrize("command", COMMANDS)
class TestOwnDirectory:
    def run(
        self, command: Sequence[str], home: Path, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NODE_NAME": ""}
        return subprocess.run(
            [*command, *arguments],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_help_of_a_driver(self, command: Sequence[str], home: Path) -> None:
        done = self.run(command, home, "run", "gpus:Gpus", "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Lend gpus." in done.stdout
        assert "How many there are." in done.stdout

    def test_manifests(self, command: Sequence[str], home: Path) -> None:
        done = self.run(command, home, "manifests", "gpus:Gpus", "--image", "i")
        assert (done.returncode, done.stderr) == (0, "")
        assert "device.driver == 'gpu.example.com'" in done.stdout

    def test_settings_that_are_missing(self, command: Sequence[str], home: Path) -> None:
        done = self.run(command, home, "run", "gpus:Gpus")
        assert done.returncode == 2
        assert done.stderr.startswith("Error: --node-name (env NODE_NAME) is ")
        assert len(done.stderr.splitlines()) == 1


NO_DRIVERS = [
    pytest.param("gpus", "is not MODULE:DRIVER", id="no name"),
    pytest.param("gpus:", "is not MODULE:DRIVER", id="empty name"),
    pytest.param(":Gpus", "is not MODULE:DRIVER", id="no module"),
    pytest.param("none:Gpus", "no module none in .*run the command in the directory", id="nowhere"),
    pytest.param("gpus.x:Gpus", "gpus.x", id="no package"),
    pytest.param("gpus.py:Gpus", "no module gpus.py .*name gpus without .py", id="file"),
    pytest.param("./gpus:Gpus", "is not MODULE:DRIVER", id="path"),
    pytest.param("gpus:None", "gpus has no None", id="no such name"),
    pytest.param("gpus:number", "lacks contract, discover, prepare, unprepare", id="number"),
    pytest.param("gpus:gpus", "is an object.*class Gpus", id="object"),
    pytest.param("gpus:Named", "contract has to be a Contract", id="text for the contract"),
    pytest.param("wrong:Gpus", "SyntaxError", id="syntax"),
    pytest.param("raising:Gpus", "ZeroDivisionError", id="module that raises"),
    pytest.param("leaving:Gpus", "SystemExit", id="module that exits"),
    pytest.param(
        "needing:Gpus", "module needing needs yonder, which is not installed", id="dependency"
    ),
    pytest.param("short:Gpus", "class of devices 'g' .*short.py, line ", id="class of no CDI kind"),
]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_run_has_help_without_a_driver(flag: str) -> None:
    result = CliRunner().invoke(main, ["run", flag])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Usage: main run MODULE:DRIVER [SETTINGS]..." in " ".join(result.stdout.split())
    assert "`dra run MODULE:DRIVER --help` lists them" in " ".join(result.stdout.split())


class TestTarget:
    @pytest.fixture(autouse=True)
    def _there(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(home / "only")
        (home / "only").mkdir()
        for name, text in (
            ("gpus", DRIVER),
            ("wrong", "class Gpus:\n  def (\n"),
            ("raising", "1 / 0\n"),
            ("leaving", "raise SystemExit(0)\n"),
            ("needing", "import yonder\n"),
            ("short", DRIVER.replace('"gpu")', '"g")')),
        ):
            (home / "only" / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)

    @pytest.mark.parametrize(("target", "text"), NO_DRIVERS)
    def test_that_is_no_driver_is_one_line(self, target: str, text: str) -> None:
        with pytest.raises(NoDriver, match=text):
            load(target)
        result = CliRunner().invoke(main, ["run", target])
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1

    @pytest.mark.parametrize("command", [["run"], ["manifests", "--image=i"]], ids=["run", "print"])
    def test_a_parameter_that_no_flag_has_is_one_line(self, command: list[str]) -> None:
        result = CliRunner().invoke(main, [*command, "gpus:Listed"])
        assert result.exit_code == 1
        assert "parameter things of the driver is of type list" in result.stderr
        assert len(result.stderr.splitlines()) == 1

    def test_a_class_is_loaded(self) -> None:
        assert load("gpus:Gpus").__name__ == "Gpus"

    def test_manifests_need_the_contract_of_the_class(self) -> None:
        assert load("gpus:Late").__name__ == "Late"
        result = CliRunner().invoke(main, ["manifests", "gpus:Late", "--image", "i"])
        assert result.exit_code == 1
        assert "Late.contract is not known without making the driver" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            pytest.param(["--set", "A"], "'A' is not NAME=VALUE", id="setting without value"),
            pytest.param([], "Missing option '--image'", id="no image"),
        ],
    )
    def test_manifests_of_wrong_arguments(self, arguments: list[str], text: str) -> None:
        image = ["--image", "i"] if arguments else []
        result = CliRunner().invoke(main, ["manifests", "gpus:Gpus", *image, *arguments])
        assert result.exit_code == 2
        assert text in result.stderr


def test_the_driver_of_the_repository_is_found_from_anywhere() -> None:
    assert load("drivers.file.driver:FileDriver").__name__ == "FileDriver"
