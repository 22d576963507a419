"""What the node leaves on the host outside its own directory, and how all of it goes again.

The kubelet and containerd write to well-known directories, set sysctls and make control groups. The
footprint is taken before they start, and says what was there; `erase` brings that back.
"""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.e2e.cluster.errors import Unsuitable
from tests.e2e.cluster.mounts import unmount_below

OWNED: Final = (Path("/var/log/pods"), Path("/var/log/containers"))
"""Directories of the node alone, besides those of the layout."""

SHARED: Final = (Path("/run/containerd"), Path("/run/netns"), Path("/var/lib/cni"))
"""Directories that other runtimes may use at the same time."""

_SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""Source: kubernetes pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables."""

_SYS = Path("/proc/sys")


@dataclass(frozen=True, slots=True)
class Footprint:
    """The host as it was before the node.

    Attributes:
        emptied: directories that were there without files; they are emptied again.
        created: directories that were not there; they are removed.
        sysctls: value of each setting, by its path below /proc/sys.
    """

    emptied: list[str]
    created: list[str]
    sysctls: dict[str, str]

    def save(self, file: Path) -> None:
        """Write it to a file."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "Footprint":
        """Read what `save` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def erase(self) -> None:
        """Bring back what was there before; the programs of the node have ended."""
        for name in self.created + self.emptied:
            unmount_below(Path(name))
        for name in self.created:
            shutil.rmtree(name, ignore_errors=True)
        for name in self.emptied:
            empty(Path(name))
        for name, value in self.sysctls.items():
            with suppress(OSError):
                (_SYS / name).write_text(value, encoding="ascii")


def take(owned: Iterable[Path], shared: Iterable[Path]) -> Footprint:
    """Return the footprint of the host as it is.

    Args:
        owned: directories that may hold no files, as nobody else's may be lost.
        shared: directories that are removed afterwards if they are not there now.

    Raises:
        Unsuitable: one of them holds a file.
    """
    emptied: list[str] = []
    created: list[str] = []
    for path in owned:
        if found := next((p for p in path.rglob("*") if not p.is_dir()), None):
            raise Unsuitable(
                f"{path} holds {found.name}: another kubelet or runtime uses it, or did; "
                "use another machine, or remove it"
            )
        (emptied if path.is_dir() else created).append(str(path))
    created += [str(path) for path in shared if not path.exists()]
    return Footprint(emptied, created, _sysctls())


def empty(directory: Path) -> None:
    """Delete what a directory holds."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _sysctls() -> dict[str, str]:
    found = {}
    for name in _SYSCTLS:
        with suppress(OSError):
            found[name] = (_SYS / name).read_text(encoding="ascii").strip()
    return found


def remove_cgroups(cgroups: Path = Path("/sys/fs/cgroup")) -> None:
    """Remove the control groups of pods, which are one tree or, in version 1, one for each kind."""
    for top in [*cgroups.glob("kubepods"), *cgroups.glob("*/kubepods")]:
        for directory, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()
