"""Commands beside a container, with real processes: streams, terminals, and their ends."""

import contextlib
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.apiserver.remotecommand import STDERR, STDIN, STDOUT, Command
from devcluster.kubelet.errors import StartFailed
from devcluster.kubelet.execution import Execution
from devcluster.kubelet.runtime import Launch, Process, Runtime
from testing.waiting import until

PATH = "/usr/bin:/bin"
OUTPUTS = frozenset({STDOUT, STDERR})
ALL = frozenset({STDIN, *OUTPUTS})

SECONDS = 10.0


class Container:
    """A container that sleeps, and the commands beside it."""

    def __init__(self, root: Path) -> None:
        self.runtime = Runtime(lambda: 1.0)
        env = {"PATH": PATH, "FAKE_DEVICE_0": "FAKE-1"}
        launch = Launch(["sleep", "60"], env, root / "work", root / "log")
        self.process: Process = self.runtime.start(launch, lambda: None)
        self.made: list[Execution] = []

    def start(self, *argv: str, tty: bool = False, streams: frozenset[int] = ALL) -> Execution:
        self.made.append(Execution(self.process, Command(argv, tty, streams), lambda: 1.0))
        return self.made[-1]

    def sh(self, script: str, *, tty: bool = False) -> Execution:
        return self.start("sh", "-c", script, tty=tty)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    try:
        yield made
    finally:
        for execution in made.made:
            execution.close()
        made.runtime.stop_all(0.1)


def ended(execution: Execution) -> int:
    """Wait for the end of a command; return its exit code."""
    assert select.select([execution.ended], [], [], SECONDS)[0]
    return execution.exit_code


def output(execution: Execution, stream: int = STDOUT) -> bytes:
    """Return all that a command writes to a stream until it ends."""
    (fd,) = [fd for fd, each in execution.outputs.items() if each == stream]
    found = b""
    while data := read(fd):
        found += data
    return found


def read(fd: int) -> bytes:
    """Return what a command writes next, nothing at the end."""
    assert select.select([fd], [], [], SECONDS)[0]
    try:
        return os.read(fd, 1024)
    except OSError:
        return b""


def test_a_command_has_the_environment_and_directory_of_the_container(container: Container) -> None:
    execution = container.sh("echo $FAKE_DEVICE_0; pwd; echo wrong >&2; exit 7")
    assert output(execution) == f"FAKE-1\n{container.process.launch.directory}\n".encode()
    assert output(execution, STDERR) == b"wrong\n"
    assert ended(execution) == 7


def test_input_ends_when_it_is_closed(container: Container) -> None:
    execution = container.start("cat")
    assert execution.stdin is not None
    os.write(execution.stdin, b"in")
    execution.close_stdin()
    assert output(execution) == b"in"
    assert (ended(execution), execution.stdin) == (0, None)


def test_streams_that_nobody_wants_are_not_there(container: Container) -> None:
    execution = container.start("sh", "-c", "cat; echo out", streams=frozenset({STDERR}))
    assert (execution.stdin, list(execution.outputs.values())) == (None, [STDERR])
    assert ended(execution) == 0


def test_a_terminal_controls_its_command_and_has_a_size(container: Container) -> None:
    execution = container.sh("read _; stty size; test -t 2 && echo all >/dev/tty", tty=True)
    assert list(execution.outputs.values()) == [STDOUT]
    execution.resize(80, 24)
    assert execution.stdin is not None
    os.write(execution.stdin, b"\n")
    assert ended(execution) == 0
    assert output(execution) == b"\r\n24 80\r\nall\r\n"


def test_control_c_on_a_terminal_interrupts(container: Container) -> None:
    execution = container.sh("echo begun; exec sleep 60", tty=True)
    (fd,) = execution.outputs
    assert read(fd) == b"begun\r\n"
    assert execution.stdin is not None
    os.write(execution.stdin, b"\x03")
    assert ended(execution) == 130


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
def test_a_command_that_is_not_there(container: Container, tty: bool) -> None:
    with pytest.raises(StartFailed, match='exec: "nosuch": executable file not found in'):
        container.start("nosuch", tty=tty)


def test_a_command_that_cannot_be_executed(container: Container) -> None:
    with pytest.raises(StartFailed, match='exec: "/etc/passwd": Permission denied'):
        container.start("/etc/passwd")


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
def test_a_command_ends_with_its_container(container: Container, tty: bool) -> None:
    execution = container.start("sleep", "60", tty=tty)
    container.process.kill()
    assert ended(execution) == 137


def test_a_command_that_comes_late_ends_at_once(container: Container) -> None:
    container.process.kill()
    assert container.process.wait(SECONDS)
    assert ended(container.start("sleep", "60")) == 137


def open_files() -> set[str]:
    """Return what this process has open: pipes and terminals by their numbers."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
    return {name for name in found if name.startswith(("pipe:", "/dev/pts/"))}


def test_closing_ends_the_command_and_leaves_nothing_open(container: Container) -> None:
    before = open_files()
    for tty in (False, True):
        execution = container.start("sleep", "60", tty=tty)
        execution.close()
        container.made.remove(execution)
        assert execution.exit_code == 137
    until("everything is closed", lambda: open_files() <= before)
