"""Where the plugin keeps its files and sockets on the node, and whether it can.

Paths come from flags; every error names the flag to change. Called by the composition root before
anything else, since none of these problems passes by itself.
Source: unix(7), sun_path; kubernetes pkg/kubelet/config/defaults.go for the directories;
k8s.io/dynamic-resource-allocation kubeletplugin for the names of sockets in rolling updates.
"""

import base64
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from api.contract import Contract
from dra.errors import DirectoryUnusable, NodeOccupied, SocketUnusable

LONGEST_SOCKET: Final = 107
"""Bytes of a Unix socket's path on Linux, without the final zero."""

CDI_SETTING: Final = "--cdi-root (env CDI_ROOT)"
PLUGINS_SETTING: Final = "--kubelet-plugins-directory-path (env KUBELET_PLUGINS_DIRECTORY_PATH)"
REGISTRAR_SETTING: Final = (
    "--kubelet-registrar-directory-path (env KUBELET_REGISTRAR_DIRECTORY_PATH)"
)
ROLLING_SETTING: Final = "--rolling-update (env ROLLING_UPDATE)"

PLUGIN_SOCKET: Final = "plugin.sock"
"""Of a plugin that is alone on its node."""

INSTANCE_SOCKET: Final = "dra-*.sock"
"""Plugin socket of an instance, with its uid or a digest of it."""

_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """An absolute path, and the setting that it comes from."""

    path: Path
    setting: str


@dataclass(frozen=True, slots=True)
class Places:
    """All that the plugin uses of the node's file system.

    Attributes:
        cdi_root: directory of the CDI files; made if missing.
        registrar: directory in which the kubelet looks for plugins; the kubelet makes it.
        directory: the plugin's own, with checkpoint and plugin socket; made if missing.
        plugin_socket: serves the calls for claims.
        registration_socket: serves the kubelet's questions who we are.
    """

    cdi_root: Place
    registrar: Place
    directory: Place
    plugin_socket: Place
    registration_socket: Place

    @classmethod
    def of(
        cls, contract: Contract, cdi_root: str, registrar: str, plugins: str, instance: str = ""
    ) -> Self:
        """Return the places below three directories, as the flags name them.

        Args:
            contract: of the driver.
            cdi_root: directory of the CDI files.
            registrar: directory in which the kubelet looks for plugins.
            plugins: directory of the plugins' own ones.
            instance: uid of the pod, if two may run on the node while they are updated; each has
                sockets of its own then. Needs kubelet 1.33 or later.

        Raises:
            SocketUnusable: the instance cannot be part of a socket's name.
        """
        registrar_path = Path(registrar).absolute()
        own = Path(plugins).absolute() / contract.driver_name
        if instance:
            check_instance(instance)
        return cls(
            cdi_root=Place(Path(cdi_root).absolute(), CDI_SETTING),
            registrar=Place(registrar_path, REGISTRAR_SETTING),
            directory=Place(own, PLUGINS_SETTING),
            plugin_socket=Place(_plugin_socket(own, instance), PLUGINS_SETTING),
            registration_socket=Place(
                _registration_socket(registrar_path, contract, instance), REGISTRAR_SETTING
            ),
        )

    def make_usable(self) -> None:
        """Make the directories that are ours to make, and check all places.

        Raises:
            DirectoryUnusable: one is missing or not writable.
            SocketUnusable: a socket's path is too long or taken by a file.
        """
        for socket in (self.plugin_socket, self.registration_socket):
            check_length(socket)
        for own in (self.directory, self.cdi_root):
            _make(own)
        for directory in (self.directory, self.cdi_root, self.registrar):
            _check_directory(directory)
        for socket in (self.plugin_socket, self.registration_socket):
            check_free(socket)


class NodeLock:
    """Keeps a second plugin off the node; the kernel lets go when the process ends.

    Instances of a rolling update share it, and keep those off that know no other instance.
    """

    def __init__(self, directory: Place, *, shared: bool = False) -> None:
        """Lock the plugin's own directory, which every plugin of the node shares.

        Raises:
            NodeOccupied: another process holds the lock.
            DirectoryUnusable: the directory cannot be opened or locked.
        """
        self._descriptor = _open(directory)
        try:
            fcntl.flock(
                self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
            )
        except BlockingIOError as error:
            os.close(self._descriptor)
            other = f"plugin process without {ROLLING_SETTING}" if shared else "plugin process"
            raise NodeOccupied(
                f"another {other} serves {directory.path}; stop it, or wait until it has ended, or "
                f"give this one another directory with {directory.setting}"
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise _unusable(directory, f"cannot be locked: {error.strerror}") from error

    def alone(self) -> bool:
        """Tell whether no other instance runs on the node, and keep others off if so.

        One that ends asks before it takes away what others would need.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # the kernel has let go of the former lock in order to try
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            return False
        return True

    def release(self) -> None:
        """Let the next plugin in."""
        os.close(self._descriptor)


def check_instance(instance: str) -> None:
    """Check that an instance can be part of the names of sockets.

    Raises:
        SocketUnusable: it cannot.
    """
    if not _INSTANCE.fullmatch(instance):
        raise SocketUnusable(
            f"{ROLLING_SETTING} is {instance[:80]!r}, which cannot be part of a socket's name; "
            "give the uid of the pod (fieldRef metadata.uid)"
        )


def _plugin_socket(own: Path, instance: str) -> Path:
    if not instance:
        return own / PLUGIN_SOCKET
    names = (instance, _digest(instance, 8))
    return _first_fitting(own / INSTANCE_SOCKET.replace("*", each) for each in names)


def _registration_socket(registrar: Path, contract: Contract, instance: str) -> Path:
    if not instance:
        return registrar / contract.registration_socket
    return _first_fitting(registrar / name for name in registration_names(contract, instance))


def registration_names(contract: Contract, instance: str) -> tuple[str, ...]:
    """Return how the registration socket of an instance may be named, the preferred name first."""
    driver = contract.driver_name
    unique = _digest(f"{driver}\0{instance}", 16)
    names = (f"{driver}-{instance}", f"{driver}-{_digest(instance, 8)}", f"dra-{unique}")
    return tuple(f"{name}-reg.sock" for name in names)


def _first_fitting(paths: Iterable[Path]) -> Path:
    """Return the first path that a socket can have, else the last one."""
    path = Path()
    for path in paths:
        if _bytes(path) <= LONGEST_SOCKET:
            break
    return path


def _digest(text: str, size: int) -> str:
    digest = hashlib.sha256(text.encode()).digest()[:size]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _bytes(path: Path) -> int:
    return len(os.fsencode(path))


def check_length(socket: Place) -> None:
    """Check that a socket can have this path.

    Raises:
        SocketUnusable: it is too long.
    """
    length = _bytes(socket.path)
    if length > LONGEST_SOCKET:
        raise SocketUnusable(
            f"socket path {socket.path} has {length} bytes, Unix sockets take {LONGEST_SOCKET}; "
            f"set {socket.setting} to a directory whose path is shorter by "
            f"{length - LONGEST_SOCKET} bytes or more"
        )


def check_free(socket: Place) -> None:
    """Check that nothing but a former socket is at this path.

    Raises:
        SocketUnusable: something else is there; it is left alone.
    """
    try:
        mode = socket.path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketUnusable(
            f"{socket.path} exists and is no socket; remove it, or set {socket.setting} to "
            "another directory"
        )


def _make(directory: Place) -> None:
    try:
        directory.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(directory, f"cannot be made: {error.strerror or error}") from error


def _check_directory(directory: Place) -> None:
    if not directory.path.is_dir():
        raise _unusable(directory, "does not exist or is no directory")
    if not os.access(directory.path, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(directory, f"is not writable for user {os.getuid()}")


def _open(directory: Place) -> int:
    try:
        return os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(directory, f"cannot be opened: {error.strerror or error}") from error


def _unusable(directory: Place, why: str) -> DirectoryUnusable:
    return DirectoryUnusable(
        f"directory {directory.path} {why}; make it accessible to the plugin (in a pod: mount it "
        f"from the host), or set {directory.setting} to another one"
    )
