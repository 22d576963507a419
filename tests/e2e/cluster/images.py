"""The images that every node has: the one that holds a pod, and the one of the demos.

The second is the distribution's static busybox under the name that the demos use, since the node
pulls nothing.
"""

from pathlib import Path
from typing import Final

from tests.e2e.cluster import archives, gobuild
from tests.e2e.cluster.commands import Progress, run
from tests.e2e.cluster.containerd import PAUSE_IMAGE
from tests.e2e.cluster.layout import Layout

BUSYBOX_IMAGE: Final = "busybox:1.36"

_PAUSE_SOURCE = Path(__file__).parent / "pause" / "pause.go"


def make(layout: Layout, progress: Progress) -> None:
    """Make the archives that are not there yet.

    Raises:
        CommandFailed: go could not build the program of the first.
    """
    pause, busybox = layout.images / "pause.tar", layout.images / "busybox.tar"
    if not pause.exists():
        with progress.step(f"image {PAUSE_IMAGE}"):
            _make_pause(pause, layout.cache / "src" / "pause")
    if not busybox.exists():
        with progress.step(f"image {BUSYBOX_IMAGE}"):
            _make_busybox(busybox)


def archive_of(layout: Layout, image: str) -> Path:
    """Return the file for the archive of an image, such as `driver:1` in driver_1.tar."""
    return layout.images / (image.replace("/", "_").replace(":", "_") + ".tar")


def _make_pause(archive: Path, program: Path) -> None:
    gobuild.build_file(_PAUSE_SOURCE, program)
    archives.write(archive, PAUSE_IMAGE, program.read_bytes(), "pause", command=["/pause"])


def _make_busybox(archive: Path) -> None:
    path = Path(run("which", "busybox").strip())
    applets = [f"bin/{name}" for name in run(path, "--list").split() if name != "busybox"]
    archives.write(
        archive,
        BUSYBOX_IMAGE,
        path.read_bytes(),
        "bin/busybox",
        links=applets,
        command=["/bin/sh"],
    )
