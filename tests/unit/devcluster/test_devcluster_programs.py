"""Programs run as processes of their own, come back when they die, and end when told."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from devcluster.config import ClusterConfig, NodeConfig
from devcluster.programs import Program, Programs, Supervisor, driver_programs, environment
from ops.lifecycle import Lifecycle
from testing.waiting import until
from tests.support.tables import cases

SLEEPER = """
import os, signal, sys, threading
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("started with", os.environ["SETTING"], flush=True)
threading.Event().wait(60)
"""


@pytest.fixture
def supervised(tmp_path: Path) -> Supervisor:
    (tmp_path / "sleeper.py").write_text(SLEEPER, encoding="utf-8")
    env = {"SETTING": "value", "PYTHONPATH": str(tmp_path)}
    return Supervisor(Program("sleeper", "sleeper", env), ClusterConfig(tmp_path))


def read_pid(path: Path) -> int:
    pid_file = path / "run" / "sleeper.pid"
    return int(pid_file.read_text(encoding="ascii") or 0) if pid_file.exists() else 0


def test_a_killed_program_starts_again_and_a_stopped_one_does_not(
    supervised: Supervisor, tmp_path: Path
) -> None:
    thread = threading.Thread(target=supervised.run)
    thread.start()
    log = tmp_path / "logs" / "sleeper.log"
    try:
        until("first start", lambda: log.exists() and "started with value" in log.read_text())
        first = read_pid(tmp_path)
        os.kill(first, signal.SIGKILL)
        until("second start", lambda: log.read_text().count("started") == 2)
        assert read_pid(tmp_path) != first
    finally:
        supervised.stop()
        thread.join(15)
    assert not thread.is_alive()
    assert not read_pid(tmp_path)


def test_every_node_has_its_own_directories(tmp_path: Path) -> None:
    config = ClusterConfig(tmp_path, nodes=2)
    controller, first, second = driver_programs(config, "fake-system")
    assert controller.module == "controller"
    assert first.env["NODE_NAME"] == "fake-dra-driver-cluster-worker"
    assert second.env["NODE_NAME"] == "fake-dra-driver-cluster-worker2"
    assert not set(first.env.values()) & {v for k, v in second.env.items() if k.endswith("_PATH")}
    assert second.env["CDI_ROOT"] == str(tmp_path / "node2" / "cdi")


def test_a_node_may_have_a_number_and_a_model_of_devices_of_its_own(tmp_path: Path) -> None:
    named = (NodeConfig("big", 16, "GA102 [GeForce RTX 3090]"), NodeConfig("plain"))
    config = ClusterConfig(tmp_path, nodes=1, num_devices=4, named=named)
    _, *plugins = driver_programs(config, "fake-system")
    settings = [
        tuple(plugin.env.get(key) for key in ("NODE_NAME", "NUM_DEVICES", "DEVICE_MODEL"))
        for plugin in plugins
    ]
    assert settings == [
        ("fake-dra-driver-cluster-worker", "4", None),
        ("big", "16", "GA102 [GeForce RTX 3090]"),
        ("plain", "4", None),
    ]
    assert plugins[1].env["CDI_ROOT"] == str(tmp_path / "node2" / "cdi")


@cases(
    ("outer", "inner"),
    {
        "kept": ({"A": "1"}, {"A": "1"}),
        "rate": ({"KUBE_API_QPS": "5"}, {"KUBE_API_QPS": "5"}),
        "cached": (
            {"PYTHONDONTWRITEBYTECODE": "1"},
            {"PYTHONPYCACHEPREFIX": str(Path(sys.prefix) / "pycache")},
        ),
        "chosen": (
            {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/mine"},
            {"PYTHONPYCACHEPREFIX": "/mine"},
        ),
    },
)
def test_programs_compile_themselves_once_and_are_not_held_up(
    outer: dict[str, str], inner: dict[str, str]
) -> None:
    assert environment(outer) == {"KUBE_API_QPS": "1000", "KUBE_API_BURST": "1000"} | inner


def test_a_program_leaves_its_bytecode_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = {"SETTING": "value", "PYTHONPATH": str(tmp_path)}
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "cache"))
    (tmp_path / "sleeper.py").write_text("import other", encoding="utf-8")
    (tmp_path / "other.py").write_text(SLEEPER, encoding="utf-8")
    programs = Programs(ClusterConfig(tmp_path), Lifecycle())
    assert programs.start(Program("sleeper", "sleeper", env))
    try:
        until("bytecode of other.py", lambda: any((tmp_path / "cache").rglob("other.*.pyc")))
    finally:
        programs.stop_all()


def test_a_stopped_program_can_be_started_again(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER, encoding="utf-8")
    env = {"SETTING": "value", "PYTHONPATH": str(tmp_path)}
    program, log = Program("sleeper", "sleeper", env), tmp_path / "logs" / "sleeper.log"
    programs = Programs(ClusterConfig(tmp_path), Lifecycle())
    try:
        assert programs.start(program)
        assert not programs.start(program)
        until("first start", lambda: log.exists() and log.read_text().count("started") == 1)
        pid = read_pid(tmp_path)
        assert programs.stop("sleeper", abruptly=True)
        assert not runs(pid)
        assert not programs.stop("sleeper")
        assert programs.start(program)
        until("second start", lambda: log.read_text().count("started") == 2)
    finally:
        programs.stop_all()
    assert not read_pid(tmp_path)


def test_a_tethered_program_ends_with_its_parent() -> None:
    sleeper = "import time; print('up', flush=True); time.sleep(60)"
    parent = (
        "import subprocess, sys, os, signal\n"
        "child = subprocess.Popen([sys.executable, '-m', 'devcluster.tether', sys.executable,\n"
        f"    '-c', {sleeper!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", parent], capture_output=True, check=False)
    pid = int(ended.stdout)
    until("the end of the orphan", lambda: not runs(pid))


def runs(pid: int) -> bool:
    """Tell whether a process computes; a zombie that nobody has reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_only_several_controllers_elect_a_leader(tmp_path: Path) -> None:
    alone = driver_programs(ClusterConfig(tmp_path), "fake-system")
    assert next((p.name, p.env.get("LEADER_ELECTION")) for p in alone) == ("controller", "false")
    several = driver_programs(ClusterConfig(tmp_path, controllers=2), "fake-system")
    assert [(p.name, p.env.get("LEADER_ELECTION")) for p in several][:2] == [
        ("controller", "true"),
        ("controller-2", "true"),
    ]
