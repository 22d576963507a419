"""The DRA drivers that are registered with a kubelet, and which ones it accepts.

The registration watcher adds and removes; the claim manager looks up. Thread-safe.
Source: kubernetes pkg/kubelet/cm/dra/plugin (registration.go, plugins_store.go) v1.27 to v1.37.
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.kubelet.draclient import DraClient
from devcluster.kubelet.errors import RegistrationRefused

DRA_PLUGIN_TYPE = "DRAPlugin"

_VERSION = re.compile(r"v?(\d+)((?:\.\d+)+)")


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin's answer to GetInfo, with the endpoint already an absolute path."""

    type: str
    name: str
    endpoint: Path
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A registered driver."""

    info: PluginInfo
    version: tuple[int, ...]
    client: DraClient


def highest_version(versions: Sequence[str]) -> tuple[int, ...]:
    """Return the highest API version of a plugin that this kubelet knows.

    Entries that are no dotted numbers, such as `v1beta1.DRAPlugin`, belong to later kubelets and
    are skipped.

    Raises:
        RegistrationRefused: the list is empty, or nothing in it has the major version 1.
    """
    if not versions:
        raise RegistrationRefused("empty list for supported versions")
    known = [parsed for text in versions if (parsed := _dotted(text)) and parsed[0] == 1]
    if not known:
        listed = ", ".join(versions)
        raise RegistrationRefused(
            f"none of the supported versions ({listed}) is known to this kubelet; "
            'list "1.0.0" for the kubelets of Kubernetes 1.27 to 1.31'
        )
    return max(known)


class PluginRegistry:
    """Registered drivers by name."""

    def __init__(
        self, connect: Callable[[PluginInfo], DraClient], *, newest_wins: bool = False
    ) -> None:
        """Start empty.

        Args:
            connect: makes the client of a plugin; may raise RegistrationRefused.
            newest_wins: whether a plugin takes over from one of its name, as from Kubernetes 1.32
                on, rather than by the version that it lists.
        """
        self._connect = connect
        self._newest_wins = newest_wins
        self._lock = threading.Lock()
        self._plugins: dict[str, Plugin] = {}

    def register(self, info: PluginInfo) -> Plugin:
        """Accept a plugin.

        Raises:
            RegistrationRefused: of a wrong type, without a common version, or while another
                instance of the same or a higher version is registered.
        """
        if info.type != DRA_PLUGIN_TYPE:
            raise RegistrationRefused(f'plugin type "{info.type}" is not "{DRA_PLUGIN_TYPE}"')
        if not info.name:
            raise RegistrationRefused("the plugin has no name")
        version = () if self._newest_wins else highest_version(info.versions)
        with self._lock:
            old = self._plugins.get(info.name)
            if old is not None and old.version >= version and not self._newest_wins:
                raise RegistrationRefused(
                    f'plugin "{info.name}" is already registered with an equal or higher version'
                )
            plugin = Plugin(info, version, self._connect(info))
            self._plugins[info.name] = plugin
        if old is not None:
            old.client.close()
        return plugin

    def unregister(self, name: str, endpoint: Path | None = None) -> bool:
        """Forget a plugin; False if there is none of that name, or another one took over."""
        with self._lock:
            plugin = self._plugins.get(name)
            if plugin is None or (
                self._newest_wins and endpoint not in (None, plugin.info.endpoint)
            ):
                return False
            del self._plugins[name]
        plugin.client.close()
        return True

    def get(self, name: str) -> DraClient | None:
        """Return the client of a driver, None while it is not registered."""
        with self._lock:
            plugin = self._plugins.get(name)
        return plugin.client if plugin is not None else None

    def names(self) -> list[str]:
        """Return the names of all registered drivers, sorted."""
        with self._lock:
            return sorted(self._plugins)

    def endpoints(self) -> dict[str, Path]:
        """Return the socket of each registered driver."""
        with self._lock:
            return {name: plugin.info.endpoint for name, plugin in self._plugins.items()}

    def close(self) -> None:
        """Forget all plugins."""
        for name in self.names():
            self.unregister(name)


def _dotted(text: str) -> tuple[int, ...] | None:
    match = _VERSION.fullmatch(text)
    return tuple(int(part) for part in text.removeprefix("v").split(".")) if match else None
