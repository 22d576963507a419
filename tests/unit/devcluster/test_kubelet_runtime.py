"""Real processes: environment, output, signals and ends."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.kubelet.errors import StartFailed
from devcluster.kubelet.runtime import Launch, Process, Runtime

PATH = "/usr/bin:/bin"


class Node:
    """A runtime, and the ends that it reported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime = Runtime(lambda: 123.0)
        self.ended = threading.Event()

    def run(self, script: str, note: str = "") -> Process:
        return self.start("/bin/sh", "-c", script, note=note)

    def start(self, *argv: str, note: str = "") -> Process:
        launch = Launch(argv, {"PATH": PATH, "A": "1"}, self.root / "work", self.log, note)
        return self.runtime.start(launch, self.ended.set)

    @property
    def log(self) -> Path:
        return self.root / "logs" / "0.log"

    def says(self, text: str) -> None:
        """Wait until a container has written something."""
        deadline = time.monotonic() + 10
        while text not in self.log.read_text():
            assert time.monotonic() < deadline
            os.sched_yield()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    try:
        yield made
    finally:
        made.runtime.stop_all(0.1)


def test_output_goes_to_the_log_after_the_note(node: Node) -> None:
    process = node.run("echo out; echo err >&2; pwd; env", note="note")
    assert node.ended.wait(10)
    assert process.exit is not None
    assert (process.exit.code, process.exit.at) == (0, 123.0)
    note, out, err, directory, *env = node.log.read_text().splitlines()
    assert (note, out, err) == ("note", "out", "err")
    assert Path(directory) == (node.root / "work").resolve()
    assert {"A=1", f"PATH={PATH}"} <= set(env)
    assert not [line for line in env if line.startswith("HOME=")]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_how_a_container_ended(node: Node, script: str, code: int) -> None:
    process = node.run(script)
    assert process.wait(10)
    assert process.exit is not None
    assert process.exit.code == code


@pytest.mark.parametrize("argv", [("no-such-command",), ("/etc/passwd",)], ids=["none", "text"])
def test_a_command_that_cannot_be_executed(node: Node, argv: tuple[str, ...]) -> None:
    with pytest.raises(StartFailed, match=f'exec: "{argv[0]}".*has to be installed here'):
        node.start(*argv)


def test_terminate_reaches_the_whole_group(node: Node) -> None:
    process = node.run("sleep 60 & echo up; wait; echo not reached; sleep 60")
    node.says("up")
    process.terminate()
    assert process.wait(10)
    assert process.exit is not None
    assert process.exit.code == 143


def test_nothing_of_a_group_outlives_its_leader(node: Node) -> None:
    process = node.run("(trap '' TERM; sleep 60) & echo $!; exit 0")
    assert process.wait(10)
    child = int(node.log.read_text())
    deadline = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < deadline
        os.sched_yield()


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_signals_after_the_end_reach_nobody(node: Node) -> None:
    process = node.run("exit 0")
    assert process.wait(10)
    process.terminate()
    process.kill()


def test_stop_all_kills_what_does_not_obey(node: Node) -> None:
    obeys = node.run("echo first; sleep 60")
    ignores = node.run("trap '' TERM; echo second; while :; do sleep 1; done")
    node.says("first")
    node.says("second")
    node.runtime.stop_all(0.2)
    assert obeys.exit is not None
    assert ignores.exit is not None
    assert (obeys.exit.code, ignores.exit.code) == (143, 137)
    node.runtime.stop_all(0.2)
