"""A gRPC server on one Unix socket, whose path exists exactly while it serves.

grpc makes a socket file before it serves, with the mode that the umask gives, and removes whatever
is at that path when it stops, even the socket of a successor. So it gets a hidden name, which
kubelets ignore, and the socket is moved to its own name once it answers; when it stops, only the
very same socket is removed. A move is a new file to inotify, so a kubelet registers a restarted
plugin anew. Called by the composition root.
Source: kubernetes pkg/kubelet/pluginmanager/pluginwatcher/plugin_watcher.go.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

from ops.logs import get_logger
from plugin.errors import SocketUnusable
from plugin.places import Place, check_free, check_length
from plugin.protocol.wire import Handler

_MODE: Final = 0o600
_LOG = get_logger("server")


class UnixServer:
    """Serves handlers of `plugin.protocol.wire`; starts and stops once."""

    def __init__(
        self,
        place: Place,
        handlers: Sequence[Handler],
        *,
        workers: int,
        on_stale: Callable[[Path], None] = lambda _: None,
    ) -> None:
        """Make a server that is not there yet.

        Args:
            place: of the socket; its directory exists.
            handlers: what it serves.
            workers: how many calls are served at the same time.
            on_stale: told of a socket that a killed process had left, once it is replaced.
        """
        self._on_stale = on_stale
        self._place = place
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=place.path.stem)
        self._server: Any = grpc.server(self._pool, handlers=handlers)
        self._inode: int | None = None

    def start(self) -> None:
        """Serve; a socket that a killed process left is replaced.

        Raises:
            SocketUnusable: the socket cannot be made; nothing was changed.
        """
        check_length(self._place)
        check_free(self._place)
        path, hidden = self._place.path, hidden_name(self._place.path)
        stale = path.exists()
        try:
            self._server.add_insecure_port(f"unix:{hidden}")
            self._server.start()
            hidden.chmod(_MODE)
            self._inode = hidden.stat().st_ino
            hidden.rename(path)
        except (RuntimeError, OSError) as error:
            self.stop(0)
            raise SocketUnusable(
                f"cannot serve on {path}: {error}; see that its directory is on a local, writable "
                f"file system, or set {self._place.setting} to another one"
            ) from error
        _LOG.info("Serving", socket=str(path))
        if stale:
            self._on_stale(path)

    def stop(self, grace: float) -> None:
        """Remove the socket, take no more calls, and let those under way end.

        Args:
            grace: seconds after which calls are cut off.
        """
        self._remove()
        self._server.stop(grace).wait()
        self._pool.shutdown(wait=False)

    def _remove(self) -> None:
        """Remove the socket unless it is somebody else's by now."""
        path = self._place.path
        try:
            if path.lstat().st_ino == self._inode:
                path.unlink()
                _LOG.info("Socket removed", socket=str(path))
        except FileNotFoundError:
            _LOG.debug("Socket was removed by somebody else", socket=str(path))


def hidden_name(path: Path) -> Path:
    """Return a path beside `path` that kubelets ignore, and that is no longer than it."""
    return path.with_name(f".{path.name[1:]}")
