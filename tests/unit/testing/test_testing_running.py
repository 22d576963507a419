"""Programs of drivers on the node of `testing` that start, end and fail; and docs/testing.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dra.errors import CannotServe
from dra.inventory import Device, Inventory
from testing.node import Node
from testing.program import ProgramEnded
from tests.unit.testing.conftest import Lamps

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
NAME = Lamps.contract.driver_name


def test_a_driver_that_ends_leaves_its_claim_to_the_next(dra_node: Node) -> None:
    with dra_node.running(Lamps()) as pools:
        assert [device["name"] for device in pools[0].devices] == ["lamp0", "lamp1"]
        claim = dra_node.allocate(NAME, "lamp1")
        dra_node.kubelet.prepare(claim)
    after = Lamps()
    with dra_node.running(after):
        dra_node.kubelet.unprepare(claim)
    assert after.calls == [("unprepare", "claim")]


def test_a_driver_that_cannot_start_says_why_at_once(dra_node: Node) -> None:
    class Wrong(Lamps):
        def discover(self) -> Inventory:
            return Inventory.of(Device("Lamp"))

    with pytest.raises(CannotServe, match="device 'Lamp'"), dra_node.running(Wrong()):
        pass


def test_a_process_that_cannot_start_says_so_at_once(dra_node: Node) -> None:
    with (
        pytest.raises(ProgramEnded, match="exit code 1"),
        dra_node.process("nowhere:Driver", NAME),
    ):
        pass


@pytest.mark.timeout(120)
def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    driver, test = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "lamps.py").write_text(driver)
    (tmp_path / "test_lamps.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    shown = re.search(r"\$ pytest -q\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert without_times(ended.stdout) == without_times(shown[1]), ended.stdout + ended.stderr


def without_times(text: str) -> str:
    return re.sub(r" in [\d.]+s", "", text)
