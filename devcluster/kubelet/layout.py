"""Where things of one virtual node are on disk.

<root>/plugins_registry/                registration sockets
<root>/plugins/                         sockets and files of plugins
<root>/cdi/                             CDI specs
<root>/pods/<uid>/<container>/          working directory of a container
<root>/pods/<uid>/logs/<container>/     <run>.log
<root>/dra_manager_state                claims that are held
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from devcluster.errors import StateDirError

SOCKET_PATH_BYTES: Final = 107
"""What a unix socket's address holds. Source: unix(7), sun_path, less the closing NUL."""

_UID = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class PodDirectory:
    """The files of one pod."""

    path: Path

    def work(self, container: str) -> Path:
        """Return the working directory of a container, which is its HOME as well."""
        return self.path / container

    def log(self, container: str, run: int) -> Path:
        """Return the log of a container's run; runs count from 0."""
        return self.path / "logs" / container / f"{run}.log"

    def runs(self, container: str) -> list[int]:
        """Return the runs of a container that have a log, the latest one last."""
        return sorted(int(path.stem) for path in self.log(container, 0).parent.glob("*.log"))

    def forget_runs(self, container: str, before: int) -> None:
        """Remove the logs of a container's runs before a number."""
        for run in self.runs(container):
            if run < before:
                self.log(container, run).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class NodeDirectories:
    """The directories of a node, below a root of its own."""

    root: Path

    @property
    def registry(self) -> Path:
        """Where plugins put their registration sockets."""
        return self.root / "plugins_registry"

    @property
    def plugins(self) -> Path:
        """Where plugins have a directory each."""
        return self.root / "plugins"

    @property
    def cdi(self) -> Path:
        """Where plugins write CDI specs."""
        return self.root / "cdi"

    @property
    def pods(self) -> Path:
        """Parent of the pods' directories."""
        return self.root / "pods"

    @property
    def held_claims(self) -> Path:
        """File of the claims that the kubelet holds."""
        return self.root / "dra_manager_state"

    def pod(self, uid: str) -> PodDirectory:
        """Return the directory of a pod.

        Raises:
            ValueError: the uid is none, and would lead elsewhere.
        """
        if not _UID.fullmatch(uid):
            raise ValueError(f"pod uid {uid!r} is not a uid")
        return PodDirectory(self.pods / uid)

    def pods_on_disk(self) -> list[str]:
        """Return the uids of the pods that have files."""
        return sorted(path.name for path in self.pods.iterdir() if _UID.fullmatch(path.name))

    def create(self, driver_name: str) -> Self:
        """Make the directories, and return them.

        Args:
            driver_name: of the driver whose sockets have to fit below them.

        Raises:
            StateDirError: they would be too deep for the driver's sockets, or cannot be made.
        """
        check_socket_path(self.registry / f"{driver_name}-reg.sock")
        check_socket_path(self.plugins / driver_name / "plugin.sock")
        try:
            for path in (self.registry, self.plugins, self.cdi, self.pods):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateDirError(
                f"directory {self.root} of a node cannot be used: {error.strerror}; "
                "choose another state directory"
            ) from error
        return self


def check_socket_path(path: Path) -> None:
    """Make sure that a unix socket can have this path.

    Raises:
        StateDirError: it is too long.
    """
    length = len(str(path).encode())
    if length > SOCKET_PATH_BYTES:
        raise StateDirError(
            f"socket path {path} has {length} bytes, but a unix socket takes at most "
            f"{SOCKET_PATH_BYTES}; choose a shorter state directory or shorter node names"
        )
