"""Counts what docs/architecture.md says of the code: its lines, and the walk of a claim.

    python -m tools.shape

The walk is that of the real code on an API server in memory: which files run, and how deep calls
go, while one claim is allocated on the node that the scheduler selected, and while it is prepared.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final

import click

from tests.support.build import claim, nas, pod, resource_class, scheduling
from tests.support.controllerrig import Rig
from tests.support.pluginrig import PluginRig

ROOT: Final = Path(__file__).resolve().parents[1]
GENERATED: Final = ("_pb2.py", "_pb2_grpc.py")
APART: Final = frozenset({"tests", "tools", "testing", "devcluster", ".venv", "build"})
"""Rooms whose files are no part of a walk."""

ENDS: Final = frozenset({"kube/client.py", "ops/logs.py"})
"""What they call belongs to the request or to the log, not to the walk."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What ran.

    Attributes:
        files: of the project, relative to it.
        frames: functions of the project that were called within each other, at most.
    """

    files: frozenset[str]
    frames: int


def walk_of(act: Callable[[], object]) -> Walk:
    """Do something and return what of the project ran meanwhile, in this thread."""
    files: set[str] = set()
    depths = [0]

    def entered(frame: FrameType, event: str, _arg: object) -> None:
        if event != "call" or not own_file(frame.f_code.co_filename):
            return
        walked = list(_own_files(frame))
        if ENDS.isdisjoint(walked[1:]):
            files.add(walked[0])
            depths.append(len(walked))

    sys.setprofile(entered)
    try:
        act()
    finally:
        sys.setprofile(None)
    return Walk(frozenset(files), max(depths))


def lines() -> tuple[int, int]:
    """Return the lines of Python that git tracks: without tests and generated files, and tests."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    counted = {n: len((ROOT / n).read_text("utf-8").splitlines()) for n in listed}
    tests = sum(count for name, count in counted.items() if name.startswith("tests/"))
    generated = sum(count for name, count in counted.items() if name.endswith(GENERATED))
    return sum(counted.values()) - tests - generated, tests


def allocating() -> Walk:
    """Allocate one claim of a pod on its selected node."""
    pod_claim = pod("pod", ("devices", "claim"))
    context = scheduling(potential=["node-1"], selected="node-1")
    rig = Rig(resource_class(), claim(), pod_claim, nas(), context)
    found = walk_of(lambda: rig.controller.reconciler.handle("psc:default/pod"))
    if not rig.allocated():
        raise SystemExit("nothing was allocated")
    return found


def preparing() -> Walk:
    """Prepare one allocated claim."""
    with tempfile.TemporaryDirectory() as root:
        rig = PluginRig(Path(root))
        ref = rig.allocate("claim", 0)
        found = walk_of(lambda: rig.driver.prepare(ref))
        if not rig.saved():
            raise SystemExit("nothing was prepared")
        return found


def main() -> None:
    """Print the counts."""
    code, tests = lines()
    click.echo(f"lines: {code} of code, {tests} of tests")
    for name, found in (("allocate", allocating()), ("prepare", preparing())):
        click.echo(f"{name}: {len(found.files)} files, {found.frames} frames")
        click.echo("\n".join(sorted(found.files)))


@cache
def own_file(name: str) -> str:
    """Return a file of a walk relative to the project; empty if it is none."""
    path = Path(name)
    if not path.is_relative_to(ROOT):
        return ""
    file = path.relative_to(ROOT)
    return "" if file.parts[0] in APART else str(file)


def _own_files(frame: FrameType | None) -> Iterator[str]:
    """Yield the files of a function and its callers, as far as they are of the project."""
    while frame is not None:
        if file := own_file(frame.f_code.co_filename):
            yield file
        frame = frame.f_back


if __name__ == "__main__":
    main()
