"""The plugins of one node: the registration directory, its watcher and the connections.

Source: kubernetes pkg/kubelet/pluginmanager.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from devcluster.kubelet import registrar
from devcluster.kubelet.devicehealth import Device, DeviceHealth, Health, Reports
from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.draclient import DraClient
from devcluster.kubelet.plugins import PluginInfo, PluginRegistry
from devcluster.kubelet.watcher import RegistrationWatcher
from ops.logs import get_logger

AGAIN_SECONDS: Final = 5.0
"""After which a plugin is asked again for the health of its devices."""

_FINAL: Final = ("UNIMPLEMENTED", "CANCELLED")

_log = get_logger("kubelet.plugins")


class PluginManager:
    """Connected drivers by name; thread-safe."""

    def __init__(
        self,
        directory: Path,
        dialect: Dialect,
        *,
        on_registered: Callable[[str], None],
        on_health: Callable[[], None],
        health: DeviceHealth | None,
        clock: Callable[[], float],
    ) -> None:
        """Manage the plugins of a registration directory, once `run` is called.

        Args:
            directory: where plugins put their registration sockets.
            dialect: which kubelet to emulate.
            on_registered: called with the driver after each registration, from `run`'s thread.
            on_health: called when a device is not as it was, from any thread.
            health: where plugins tell how their devices are; None asks none of them.
            clock: monotonic seconds.
        """
        self._dialect = dialect
        self._health, self._on_health = health, on_health
        self._closed = threading.Event()
        self._clock = clock
        self._registry = PluginRegistry(self._connect, newest_wins=dialect.structured)
        self._watcher = RegistrationWatcher(
            directory,
            self._registry,
            registrar,
            on_registered=on_registered,
            clock=clock,
        )

    def get(self, name: str) -> DraClient | None:
        """Return the client of a driver, None while it is not registered."""
        return self._registry.get(name)

    def names(self) -> list[str]:
        """Return the names of all registered drivers, sorted."""
        return self._registry.names()

    def endpoints(self) -> dict[str, Path]:
        """Return the socket of each registered driver."""
        return self._registry.endpoints()

    def run(self, stop: threading.Event) -> None:
        """Register and unregister plugins until `stop` is set."""
        self._watcher.run(stop)

    def close(self) -> None:
        """Close all connections; calls in flight fail."""
        self._closed.set()
        self._registry.close()

    def _connect(self, info: PluginInfo) -> DraClient:
        """Connect to the service that this kubelet calls; RegistrationRefused if there is none."""
        calls = self._dialect.calls
        service = calls.service(info.versions) if self._dialect.structured else None
        client = DraClient(info.endpoint, self._dialect, self._clock, service)
        if self._dialect.monitors_resources:
            threading.Thread(
                target=_monitor, args=(client,), name="plugin-resources", daemon=True
            ).start()
        asked = calls.health_service(info.versions)
        if self._health is not None and asked is not None:
            threading.Thread(
                target=self._follow,
                args=(client, info.name, asked, self._health),
                name="plugin-health",
                daemon=True,
            ).start()
        return client

    def _follow(self, client: DraClient, driver: str, service: str, health: DeviceHealth) -> None:
        """Hear of a driver's devices for as long as it is registered."""
        while not self._closed.is_set():
            reports = health.opened(driver)

            def told(devices: Mapping[Device, Health], reports: Reports = reports) -> None:
                if reports.tell(devices):
                    self._on_health()

            status = client.watch_health(service, told)
            health.closed(driver, reports)
            self._on_health()
            _log.debug("Plugin tells no health any more", plugin=driver, status=status)
            if status in _FINAL:
                return
            self._closed.wait(AGAIN_SECONDS)


def _monitor(client: DraClient) -> None:
    _log.debug("Plugin reports no resources any more", status=client.watch_resources())
