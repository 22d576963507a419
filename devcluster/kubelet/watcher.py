"""Watches the plugin registration directory and registers what appears there.

The real kubelet uses inotify and a loop of one second; here the directory is scanned at short
intervals. A socket that is made anew under its old path is another socket, so that a restarted
plugin is registered again.
Source: kubernetes pkg/kubelet/pluginmanager/{pluginwatcher,reconciler}.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

from devcluster.kubelet.errors import PluginCallFailed, RegistrationRefused
from devcluster.kubelet.plugins import PluginInfo, PluginRegistry
from kube.backoff import Backoff
from ops.logs import get_logger

POLL_SECONDS = 0.1
BACKOFF = Backoff(first=0.5, longest=122.0)

SocketId: TypeAlias = tuple[int, int, int]
"""Device, inode and time of creation: the mode may change, and with it the ctime."""


class Registrar(Protocol):
    """Calls to the registration socket; see registrar.py."""

    def get_info(self, socket: Path) -> PluginInfo:
        """Ask a plugin who it is; raises PluginCallFailed."""

    def notify(self, socket: Path, error: str) -> None:
        """Report the outcome; raises PluginCallFailed."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A socket that was seen.

    Attributes:
        info: of the plugin, once it is registered.
        retry_at: when to try again; None when it is settled.
        failures: in a row.
    """

    id: SocketId
    info: PluginInfo | None = None
    retry_at: float | None = 0.0
    failures: int = 0


def find_sockets(directory: Path) -> Mapping[Path, SocketId]:
    """Return all sockets below a directory, except in and under names that start with a dot."""
    return {Path(path): found for path, found in _walk(directory)}


class RegistrationWatcher:
    """Keeps a registry in step with a directory of registration sockets."""

    def __init__(
        self,
        directory: Path,
        registry: PluginRegistry,
        registrar: Registrar,
        *,
        on_registered: Callable[[str], None] = lambda _name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch `directory`; `on_registered` is told the name of each plugin that succeeds."""
        self._directory = directory
        self._registry = registry
        self._registrar = registrar
        self._on_registered = on_registered
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._log = get_logger("kubelet.plugins")

    def run(self, stop: threading.Event) -> None:
        """Scan until `stop` is set."""
        while not stop.is_set():
            self.scan()
            stop.wait(POLL_SECONDS)

    def scan(self) -> None:
        """Unregister what vanished, then register what is new or due for another try."""
        found = dict(_walk(self._directory))
        for path in [p for p, entry in self._entries.items() if found.get(p) != entry.id]:
            self._drop(path)
        for path in sorted(found):
            entry = self._entries.setdefault(path, _Entry(found[path]))
            if entry.retry_at is not None and entry.retry_at <= self._clock():
                self._entries[path] = self._try(Path(path), entry)

    def _drop(self, path: str) -> None:
        entry = self._entries.pop(path)
        if entry.info is None:
            return
        name = entry.info.name
        if self._registry.unregister(name, entry.info.endpoint):
            self._log.info("Plugin unregistered", plugin=name, socket=path)

    def _try(self, path: Path, entry: _Entry) -> _Entry:
        try:
            info = self._registrar.get_info(path)
        except PluginCallFailed as error:
            return self._failed(path, entry, error)
        try:
            self._registry.register(info)
        except RegistrationRefused as error:
            self._notify(path, str(error))
            return self._failed(path, entry, error)
        self._log.info("Plugin registered", plugin=info.name, endpoint=info.endpoint)
        self._notify(path, "")
        self._on_registered(info.name)
        return replace(entry, info=info, retry_at=None)

    def _failed(self, path: Path, entry: _Entry, error: Exception) -> _Entry:
        failures = entry.failures + 1
        retry = BACKOFF.pause(failures)
        self._log.warning("Plugin not registered", socket=path, err=error, retry_seconds=retry)
        return replace(entry, retry_at=self._clock() + retry, failures=failures)

    def _notify(self, path: Path, error: str) -> None:
        """A plugin that does not take the message stays as it is, as before Kubernetes 1.36."""
        try:
            self._registrar.notify(path, error)
        except PluginCallFailed as failure:
            self._log.warning("Plugin not notified", socket=path, err=failure)


def _walk(directory: Path | str) -> Iterator[tuple[str, SocketId]]:
    """Yield sockets; by strings, as each node looks ten times a second."""
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
            continue
        try:
            info = entry.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISSOCK(info.st_mode):
            yield entry.path, (info.st_dev, info.st_ino, info.st_mtime_ns)
