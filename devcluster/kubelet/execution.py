"""Commands beside the process of a container: same environment and directory, ended with it.

Source: kubernetes pkg/kubelet/cri/streaming, pty(7).
"""

import os
import shutil
import subprocess
import termios
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from devcluster.apiserver.remotecommand import STDERR, STDIN, STDOUT, Command
from devcluster.kubelet.errors import StartFailed
from devcluster.kubelet.runtime import Launch, Process

_ON_TERMINAL: Final = ("/bin/sh", "-c", 'exec "$@" <>"$0" >&0 2>&1')
"""The first terminal that the leader of a session opens becomes its controlling terminal."""

_END_SECONDS: Final = 2.0


class Host(Protocol):
    """The process of a container; see runtime.py."""

    @property
    def launch(self) -> Launch:
        """How it was started."""

    def take_along(self, other: Process) -> None:
        """Kill a process when this one ends, or at once if it has."""


@dataclass(slots=True)
class Plumbing:
    """File descriptors between a command and whoever serves its streams.

    Attributes:
        stdin: of ours, to write to.
        outputs: of ours, to read from, with their streams.
        terminal: of ours, whose size may change.
        theirs: of the command's input, output and error output.
        argv: what makes a command use them.
        until_start: to close once the command has started.
        until_end: to close when it has ended.
    """

    stdin: int | None = None
    outputs: dict[int, int] = field(default_factory=dict)
    terminal: int | None = None
    theirs: list[int] = field(default_factory=lambda: [subprocess.DEVNULL] * 3)
    argv: tuple[str, ...] = ()
    until_start: list[int] = field(default_factory=list)
    until_end: list[int] = field(default_factory=list)

    @property
    def ours(self) -> set[int]:
        """All that is read or written on this side."""
        return {*self.outputs, *(fd for fd in (self.stdin, self.terminal) if fd is not None)}


def pipes(streams: Iterable[int]) -> Plumbing:
    """Return a pipe for each of the streams."""
    made = Plumbing()
    for stream in streams:
        reading, writing = os.pipe()
        if stream == STDIN:
            made.stdin, made.theirs[stream] = writing, reading
        else:
            made.outputs[reading], made.theirs[stream] = stream, writing
        made.until_start.append(made.theirs[stream])
    return made


def terminal(streams: Iterable[int]) -> Plumbing:
    """Return a terminal for the streams, whose error output is not apart."""
    made = Plumbing()
    made.terminal, theirs = os.openpty()
    made.outputs = {made.terminal: STDOUT}
    made.stdin = os.dup(made.terminal) if STDIN in streams else None
    made.argv = (*_ON_TERMINAL, os.ttyname(theirs))
    # as long as it is open here, too, the terminal does not look abandoned
    made.until_end = [theirs]
    return made


class Execution:
    """A running command; see devcluster.apiserver.remotecommand.Execution."""

    def __init__(self, host: Host, command: Command, wall: Callable[[], float]) -> None:
        """Start a command beside a container.

        Raises:
            StartFailed: there is no such command, or it is not executable.
        """
        known = command.streams - ({STDERR} if command.tty else set())
        self._plumbing = (terminal if command.tty else pipes)(known)
        self.ended, ending = os.pipe()
        self._plumbing.until_end.append(ending)
        try:
            child = _spawn(host.launch, command, self._plumbing)
        except StartFailed:
            _close([*self._plumbing.ours, self.ended, *self._plumbing.until_end])
            raise
        finally:
            _close(self._plumbing.until_start)
        self.stdin = self._plumbing.stdin
        self.outputs = self._plumbing.outputs
        if self.stdin is not None:
            os.set_blocking(self.stdin, False)
        ends = self._plumbing.until_end
        self._process = Process(child, host.launch, wall, lambda: _close(ends))
        self._process.follow()
        host.take_along(self._process)

    @property
    def exit_code(self) -> int:
        """How it ended; to be asked once `ended` is readable."""
        end = self._process.exit
        return end.code if end is not None else -1

    def close_stdin(self) -> None:
        """Let the command see the end of its input; a terminal has none."""
        if self.stdin is not None and self._plumbing.terminal is None:
            os.close(self.stdin)
            self.stdin = self._plumbing.stdin = None

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the client's terminal."""
        if self._plumbing.terminal is not None:
            with suppress(OSError, termios.error):
                termios.tcsetwinsize(self._plumbing.terminal, (height, width))

    def close(self) -> None:
        """End the command if it still runs, and close all file descriptors."""
        self._process.kill()
        self._process.wait(_END_SECONDS)
        _close([*self._plumbing.ours, self.ended])


def _spawn(launch: Launch, command: Command, plumbing: Plumbing) -> subprocess.Popen[bytes]:
    name, path = command.argv[0], launch.env.get("PATH", "")
    # a shell starts it on a terminal, and would have its own words for this
    if "/" not in name and shutil.which(name, path=path) is None:
        raise StartFailed(f'exec: "{name}": executable file not found in $PATH')
    stdin, stdout, stderr = plumbing.theirs
    try:
        return subprocess.Popen(
            [*plumbing.argv, *command.argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=launch.directory,
            env=dict(launch.env),
            start_new_session=True,
        )
    except OSError as error:
        raise StartFailed(f'exec: "{name}": {error.strerror}') from error


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
