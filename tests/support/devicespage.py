"""Follows docs/devices.md on embedded clusters: runs its commands and notes what they print.

Each cluster has one node with six devices. What stands after a line
`<!-- communication: HOW -->` is of a cluster whose programs are told so.
`python -m tests.support.devicespage` renews the outputs.
"""

import os
import re
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from ops.communication import Communication
from testing.waiting import NotSeen, until
from tests.support import readme
from tests.support.anycluster import KUBECTL, ROOT
from tests.support.embedded import Embedded, communicating

PAGE: Final = ROOT / "docs/devices.md"
DIRECTORY: Final = "/tmp/dra/"
"""Where a reader's cluster has its files."""

_BLOCK: Final = re.compile(r"(<!-- communication: (\w+) -->\n\n)?```console\n(.*?)```\n", re.DOTALL)
_COMMAND: Final = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_READS: Final = re.compile(r"(kubectl (get|logs|describe)|grep) ")
_PATIENCE_SECONDS: Final = 20.0
_DIFFERENT: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\b(\d+m)?\d+s\b|\b\d+m\b"), "<age>"),
    (re.compile(r"(?<=\S) {2,}"), "  "),
    (re.compile(r"\bpod\d"), "pod"),
)


def alike(output: str) -> list[str]:
    """Return the lines of an output without what differs from run to run.

    Entries stand in the order of uids, and which of several pods is first is chance.
    """
    told = readme.alike(output)
    for pattern, name in _DIFFERENT:
        told = pattern.sub(name, told)
    return sorted(told.splitlines())


class Reader:
    """Somebody who follows the page, with a cluster for each way to communicate."""

    def __init__(self, stack: ExitStack) -> None:
        """Leave clusters in `stack`, which ends them."""
        self._stack = stack
        self._clusters: dict[Communication, Embedded] = {}

    def follow(self, block: re.Match[str]) -> str:
        """Run the commands of a block; return it with those outputs that it shows otherwise."""
        cluster = self._cluster(Communication(block[2] or Communication.NAS))
        ran = _COMMAND.sub(lambda command: _shown(cluster, command), block[3])
        return f"{block[1] or ''}```console\n{ran}```\n"

    def _cluster(self, how: Communication) -> Embedded:
        if how not in self._clusters:
            made = communicating(how, nodes=1, num_devices=6)
            self._clusters[how] = self._stack.enter_context(made)
        return self._clusters[how]


def renewed(page: str) -> str:
    """Return the page with those outputs of a run that it shows otherwise."""
    with ExitStack() as stack:
        return _BLOCK.sub(Reader(stack).follow, page)


def _shown(cluster: Embedded, command: re.Match[str]) -> str:
    printed = _run(cluster, command[1], command[2])
    if alike(printed) == alike(command[2]):
        return command[0]
    return f"$ {command[1]}\n{printed}"


def _run(cluster: Embedded, command: str, shown: str) -> str:
    """Run a command; one that only reads is repeated until it prints what is shown."""
    printed = ""

    def same() -> bool:
        nonlocal printed
        printed = _bash(cluster, command)
        return alike(printed) == alike(shown)

    with suppress(NotSeen):
        until("the output", same, _PATIENCE_SECONDS if _READS.match(command) else 0)
    return printed


def _bash(cluster: Embedded, command: str) -> str:
    """Run a command as in a terminal, where complaints stand between the output."""
    path = os.pathsep.join([str(KUBECTL.parent), str(Path(sys.executable).parent)])
    ended = subprocess.run(
        ["bash", "-c", command.replace(DIRECTORY, f"{cluster.config.state_dir}/")],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(cluster.config.kubeconfig),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stdout


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
