"""A gRPC service on one Unix socket, whose path exists exactly while it serves.

grpc makes a socket file before it serves, with the mode that the umask gives, and removes whatever
is at that path when it stops, even the socket of a successor. So it gets a hidden name, which
kubelets ignore, and the socket is moved to its own name once it answers; when it stops, only the
very same socket is removed. A move is a new file to inotify, so a kubelet registers a restarted
plugin anew. A socket that somebody removed cannot be given its name back: a new server takes over,
and the old one ends with its calls. Called by the composition root and `dra.kubelet.sockets`.
Source: kubernetes pkg/kubelet/pluginmanager/pluginwatcher/plugin_watcher.go.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from dra.errors import SocketUnusable
from dra.kubelet.wire import Handler
from dra.places import Place, check_free, check_length
from ops.logs import get_logger

_MODE: Final = 0o600
_LOG = get_logger("server")


class UnixServer:
    """Serves handlers of `dra.kubelet.wire`; starts and stops once."""

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
        self._handlers = handlers
        self._workers = workers
        self._lock = threading.Lock()
        self._served: _Served | None = None

    def start(self) -> None:
        """Serve; a socket that a killed process left is replaced.

        Raises:
            SocketUnusable: the socket cannot be made; nothing was changed.
        """
        stale = self._place.path.exists()
        with self._lock:
            self._served = self._serve()
        if stale:
            self._on_stale(self._place.path)

    def mend(self, grace: float) -> bool:
        """Serve on a new socket if somebody removed the present one.

        Args:
            grace: seconds after which calls that came in by the former one are cut off.

        Returns:
            Whether it was missing; False after `stop`. The new one serves while this waits.

        Raises:
            SocketUnusable: the socket cannot be made; the former server still has its callers.
        """
        with self._lock:
            former = self._served
            if former is None or self._place.path.exists():
                return False
            self._served = self._serve()
        former.end(grace)
        return True

    def stop(self, grace: float) -> None:
        """Remove the socket, take no more calls, and let those under way end.

        Args:
            grace: seconds after which calls are cut off.
        """
        with self._lock:
            served, self._served = self._served, None
        if served is not None:
            _remove(self._place.path, served.inode)
            served.end(grace)

    def _serve(self) -> "_Served":
        check_length(self._place)
        check_free(self._place)
        path, hidden = self._place.path, hidden_name(self._place.path)
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix=path.stem)
        server: Any = grpc.server(pool, handlers=self._handlers)
        try:
            server.add_insecure_port(f"unix:{hidden}")
            server.start()
            hidden.chmod(_MODE)
            inode = hidden.stat().st_ino
            hidden.rename(path)
        except (RuntimeError, OSError) as error:
            _Served(server, pool, 0).end(0)
            raise SocketUnusable(
                f"cannot serve on {path}: {error}; see that its directory is on a local, writable "
                f"file system, or set {self._place.setting} to another one"
            ) from error
        _LOG.info("Serving", socket=str(path))
        return _Served(server, pool, inode)


@dataclass(frozen=True, slots=True)
class _Served:
    """A server that runs, its threads, and the inode of the socket that it made."""

    server: Any
    pool: ThreadPoolExecutor
    inode: int

    def end(self, grace: float) -> None:
        """Take no more calls, and wait for those under way."""
        self.server.stop(grace).wait()
        self.pool.shutdown(wait=False)


def _remove(path: Path, inode: int) -> None:
    """Remove a socket unless it is somebody else's by now."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
            _LOG.info("Socket removed", socket=str(path))
    except FileNotFoundError:
        _LOG.debug("Socket was removed by somebody else", socket=str(path))


def hidden_name(path: Path) -> Path:
    """Return a path beside `path` that kubelets ignore, and that is no longer than it."""
    return path.with_name(f".{path.name[1:]}")
