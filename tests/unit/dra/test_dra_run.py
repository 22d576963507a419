"""The program of a driver: how it starts, what it answers, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dra.driver import Driver
from dra.inventory import Device, Inventory
from dra.places import NodeLock, Place
from dra.run import program_of
from ops.lifecycle import Lifecycle
from testing.node import Node
from testing.waiting import until
from tests.support.driverrig import SLICES, Gpus
from tests.support.pages import free_port, page

DRIVER = '''
import time
from tests.support.driverrig import Gpus

class Slow(Gpus):
    """Lend gpus."""

    def prepare(self, claim):
        print("PREPARING", flush=True)
        time.sleep(0.5)
        return super().prepare(claim)

class Searching(Gpus):
    """Lend gpus."""

    def discover(self):
        print("ASKED", flush=True)
        time.sleep(1000)

class Opening(Gpus):
    """Lend gpus."""

    def __init__(self):
        print("ASKED", flush=True)
        time.sleep(1000)
'''


@pytest.fixture(autouse=True)
def _own_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lifecycle, "install_signals", lambda _life: None)
    monkeypatch.setattr("dra.run.configure", lambda *_: None)


def flags(node: Node, *more: str) -> list[str]:
    """Return the settings of a program on a node; later ones win."""
    places = node.directories
    return [
        f"--node-name={node.name}",
        f"--kubeconfig={node.kubeconfig}",
        f"--cdi-root={places.cdi}",
        f"--kubelet-registrar-directory-path={places.registry}",
        f"--kubelet-plugins-directory-path={places.plugins}",
        *more,
    ]


def invoke(make: Callable[..., Driver], arguments: Sequence[str]) -> Result:
    return CliRunner().invoke(program_of(make), list(arguments), env={"NODE_NAME": ""})


class Beyond(Gpus):
    def discover(self) -> Inventory:
        return Inventory.of(Device("x" * 64))


class Raising(Gpus):
    def discover(self) -> Inventory:
        raise OSError("no such bus")


class Unmakable(Gpus):
    def __init__(self, count: int = 0) -> None:
        raise ValueError("count is below 1")


class Leaving(Gpus):
    def __init__(self) -> None:
        raise SystemExit(0)


class TestThatCannotRun:
    @pytest.mark.parametrize(
        ("make", "more", "code", "text"),
        [
            pytest.param(Beyond, (), 1, r"name is no DNS label of at most 63", id="beyond a limit"),
            pytest.param(Raising, (), 1, "OSError: no such bus", id="discover raises"),
            pytest.param(Unmakable, (), 1, "ValueError: count is below 1", id="cannot be made"),
            pytest.param(Leaving, (), 1, "SystemExit: 0", id="leaves"),
            pytest.param(Gpus, ("--node-name=",), 2, "--node-name (env NODE_NAME)", id="no node"),
            pytest.param(Gpus, ("--kubeconfig=/no",), 2, "/no", id="no kubeconfig"),
            pytest.param(
                Gpus,
                (f"--kubelet-plugins-directory-path=/tmp/{'p' * 90}",),
                1,
                "Unix sockets take 107",
                id="long path",
            ),
            pytest.param(
                Gpus,
                ("--cdi-root=/dev/null/cdi",),
                1,
                "--cdi-root (env CDI_ROOT)",
                id="no directory",
            ),
            pytest.param(Gpus, ("--rolling-update=../x",), 1, "uid of the pod", id="no uid"),
            pytest.param(Gpus, ("--http-endpoint=nowhere:x",), 2, "--http-endpoint", id="no port"),
        ],
    )
    def test_says_why_in_one_line(
        self, dra_node: Node, make: Any, more: tuple[str, ...], code: int, text: str
    ) -> None:
        result = invoke(make, flags(dra_node, *more))
        assert text in result.stderr
        assert result.exit_code == code
        assert len(result.stderr.splitlines()) == 1
        assert dra_node.api.peek(SLICES) == []
        assert not list(dra_node.directories.registry.iterdir())

    def test_beside_another_process(self, dra_node: Node) -> None:
        directory = dra_node.directories.plugins / Gpus.contract.driver_name
        directory.mkdir(parents=True)
        lock = NodeLock(Place(directory, "--x"))
        try:
            result = invoke(Gpus, flags(dra_node))
        finally:
            lock.release()
        assert result.exit_code == 1
        assert "another plugin process serves" in result.stderr

    def test_with_a_lock_that_cannot_be_made(self, dra_node: Node) -> None:
        directory = dra_node.directories.plugins / Gpus.contract.driver_name
        (directory / "serialize.lock").mkdir(parents=True)
        result = invoke(Gpus, flags(dra_node, "--rolling-update=uid-1"))
        assert result.exit_code == 1
        assert re.search("serialize.lock.*--kubelet-plugins-directory-path", result.stderr)


@contextmanager
def process(
    node: Node, home: Path, *more: str, target: str = "slow:Slow"
) -> Iterator["subprocess.Popen[str]"]:
    (home / "slow.py").write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "dra", "run", target, *flags(node, *more)]
    with subprocess.Popen(
        command,
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def sockets(node: Node) -> list[str]:
    places = node.directories
    return sorted(
        path.name for where in (places.registry, places.plugins) for path in where.rglob("*.sock")
    )


@pytest.mark.timeout(60)
class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_answers_probes_and_ends_by_a_signal(
        self, dra_node: Node, tmp_path: Path, number: signal.Signals
    ) -> None:
        port = free_port()
        settings = (f"--http-endpoint=127.0.0.1:{port}", "--logging-format=json", "-v=2")
        with process(dra_node, tmp_path, *settings) as running:
            until("the program to live", lambda: page(port, "/healthz")[0] == 200)
            status, text = page(port, "/readyz")
            assert status in (500, 503)
            assert "registration" in text
            dra_node.kubelet.register("gpu.example.com")
            until("the program to be ready", lambda: page(port, "/readyz")[0] == 200)
            dra_node.published("gpu.example.com")
            assert "fake_dra_plugin_slice_field_dropped" in page(port, "/metrics")[1]
            running.send_signal(number)
            _, errors = running.communicate(timeout=30)
        assert running.returncode == 0
        assert [json.loads(line)["msg"] for line in errors.splitlines()][-1] == "Stopped"
        assert sockets(dra_node) == []

    @pytest.mark.parametrize("driver", ["Searching", "Opening"])
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ends_by_a_signal_while_the_driver_hangs_at_the_start(
        self, dra_node: Node, tmp_path: Path, driver: str, number: signal.Signals
    ) -> None:
        with process(dra_node, tmp_path, "-v=2", target=f"slow:{driver}") as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ASKED\n"
            running.send_signal(number)
            _, errors = running.communicate(timeout=20)
        assert (running.returncode, "Traceback" in errors) == (0, False), errors
        assert '"Stopped" exit_code=0' in errors

    def test_finishes_the_call_under_way(self, dra_node: Node, tmp_path: Path) -> None:
        with process(dra_node, tmp_path, "-v=2") as running:
            until("the socket", lambda: sockets(dra_node))
            plugin = dra_node.kubelet.register("gpu.example.com")
            assert plugin.name == "gpu.example.com"
            claim = dra_node.allocate("gpu.example.com", "gpu-0")
            assert running.stdout is not None
            edits: list[Any] = []
            calling = threading.Thread(target=lambda: edits.append(dra_node.kubelet.prepare(claim)))
            calling.start()
            assert running.stdout.readline() == "PREPARING\n"
            running.send_signal(signal.SIGTERM)
            calling.join(20)
            running.communicate(timeout=30)
        assert [each.env for each in edits] == [{"GPU_0": "claim"}]
        assert running.returncode == 0

    def test_two_instances_replace_each_other(self, dra_node: Node, tmp_path: Path) -> None:
        old, new = ("--rolling-update=uid-old", "--rolling-update=uid-new")
        driver = "gpu.example.com"
        with process(dra_node, tmp_path, old) as first:
            dra_node.kubelet.register(driver)
            claim = dra_node.allocate(driver, "gpu-0", name="a")
            once = dra_node.kubelet.prepare(claim)
            with process(dra_node, tmp_path, new) as second:
                until("both", lambda: len(sockets(dra_node)) == 4)
                first.terminate()
                assert first.wait(30) == 0
                assert len(sockets(dra_node)) == 2
                dra_node.kubelet.restart()
                assert dra_node.kubelet.prepare(claim) == once
                dra_node.kubelet.unprepare(claim)
                second.terminate()
                assert second.wait(30) == 0
        assert sockets(dra_node) == []
        assert list(dra_node.directories.cdi.iterdir()) == []

    def test_a_killed_instance_leaves_nothing_to_its_successor(
        self, dra_node: Node, tmp_path: Path
    ) -> None:
        driver = "gpu.example.com"
        with process(dra_node, tmp_path, "--rolling-update=uid-old") as first:
            dra_node.kubelet.register(driver)
            claim = dra_node.allocate(driver, "gpu-0", name="a")
            once = dra_node.kubelet.prepare(claim)
            first.kill()
            first.wait(30)
        with process(dra_node, tmp_path, "--rolling-update=uid-new") as second:
            until("its sockets only", lambda: all("uid-new" in name for name in sockets(dra_node)))
            dra_node.kubelet.restart()
            assert dra_node.kubelet.prepare(claim) == once
            second.terminate()
            assert second.wait(30) == 0
